//! One master per run folder: a lock that the kernel gives back when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Held as long as it lives.
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock, or gives the text that its holder left there, its pid.
pub(super) fn take(run_dir: &Path) -> io::Result<Result<Lock, String>> {
    let path = run_dir.join("master.lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            return Ok(Err(holder.trim().to_owned()));
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(Ok(Lock { _file: file }))
}

/// The pid of the master that runs in a run folder, if one does.
pub(crate) fn holder(run_dir: &Path) -> Option<String> {
    let mut file = File::open(run_dir.join("master.lock")).ok()?;
    if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let mut holder = String::new();
    file.read_to_string(&mut holder).ok()?;
    Some(holder.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_master_learns_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path()).unwrap().ok().unwrap();
        assert_eq!(
            take(folder.path()).unwrap().err(),
            Some(std::process::id().to_string())
        );
        assert_eq!(holder(folder.path()), Some(std::process::id().to_string()));
        drop(first);
        assert_eq!(holder(folder.path()), None);
        assert!(take(folder.path()).unwrap().is_ok());
    }
}
