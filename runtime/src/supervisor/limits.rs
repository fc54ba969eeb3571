//! What the operating system allows this process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files as far as it goes without rights, for this process and those that it starts:
/// each client is one. Gives the limit that holds now; `None` if it cannot be known.
pub fn raise_open_files() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() {
        return Some(soft);
    }
    Some(hard)
}

/// How many files this process may open; `None` if it cannot be known.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_limit_is_the_highest_that_is_allowed() {
        let first = super::raise_open_files().unwrap();
        assert!(first >= 64);
        assert_eq!(super::raise_open_files(), Some(first));
    }
}
