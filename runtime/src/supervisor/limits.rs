//! What the operating system allows this process.

use std::fs;
use std::path::PathBuf;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::cgroup::{self, Group};

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

/// Whether this process is given only a share of the processors: by its cgroup, or by one around it. Where the kernel does
/// not tell, it is not.
///
/// Sources: cgroup-v2.rst (`cpu.max`) and sched-bwc.rst (`cpu.cfs_quota_us`) of the kernel's documentation.
pub fn has_processor_quota() -> bool {
    limit_processors(&cgroup::own("cpu"))
}

fn limit_processors(groups: &[Group]) -> bool {
    groups.iter().any(|group| {
        let name = if group.unified {
            "cpu.max"
        } else {
            "cpu.cfs_quota_us"
        };
        group.files(name).any(is_quota)
    })
}

/// `max 100000` and `-1` are none.
fn is_quota(file: PathBuf) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let quota = text.split_whitespace().next();
    quota.is_some_and(|quota| quota.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_highest_that_is_allowed() {
        let first = raise_open_files().unwrap();
        assert!(first >= 64);
        assert_eq!(raise_open_files(), Some(first));
    }

    #[test]
    fn a_quota_of_the_group_or_of_one_around_it_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let limited = |lines: &str| limit_processors(&cgroup::groups(root, lines, "cpu"));
        fs::create_dir_all(root.join("game/one")).unwrap();
        fs::create_dir_all(root.join("cpu/old")).unwrap();
        fs::write(root.join("game/one/cpu.max"), "max 100000\n").unwrap();
        fs::write(root.join("cpu/old/cpu.cfs_quota_us"), "-1\n").unwrap();
        let (second, first) = ("0::/game/one\n", "4:memory:/x\n3:cpu,cpuacct:/old\nnonsense\n");
        assert!(!limited(second) && !limited(first) && !limited(""));
        fs::write(root.join("game/cpu.max"), "50000 100000\n").unwrap();
        fs::write(root.join("cpu/old/cpu.cfs_quota_us"), "50000\n").unwrap();
        assert!(limited(second) && limited(first));
    }
}
