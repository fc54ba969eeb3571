//! One master per run folder: a lock that the kernel gives back when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The lock in the run folder; its holder writes its pid there.
const FILE: &str = "master.lock";

/// Held as long as it lives.
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock, or gives the text that its holder left there, its pid.
pub(super) fn take(run_dir: &Path) -> io::Result<Result<Lock, String>> {
    let path = run_dir.join(FILE);
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

/// The pid of the master that runs in a run folder, if one does: who holds the lock, as the kernel's list of locks has it,
/// and has written its pid there. To take the lock for a look would keep a master from it that starts at this moment.
pub(crate) fn holder(run_dir: &Path) -> Option<i32> {
    let path = run_dir.join(FILE);
    let inode = std::fs::metadata(&path).ok()?.ino();
    let pid = std::fs::read_to_string(&path).ok()?.trim().parse().ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    holders(&locks, inode).any(|holder| holder == pid).then_some(pid)
}

/// Who holds locks of files with this number, of lines such as `1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF`. Files of
/// several file systems may have one number, and what they say of their device is not always what the kernel says here.
fn holders(locks: &str, inode: u64) -> impl Iterator<Item = i32> {
    locks.lines().filter_map(move |line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, place, ..] = words[..] else {
            return None;
        };
        let (_, known) = place.rsplit_once(':')?;
        (known.parse() == Ok(inode)).then_some(pid.parse().ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    #[test]
    fn a_second_master_learns_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path()).unwrap().ok().unwrap();
        assert_eq!(take(folder.path()).unwrap().err(), Some(me().to_string()));
        assert_eq!(holder(folder.path()), Some(me()));
        drop(first);
        assert_eq!(holder(folder.path()), None, "its pid stands there still");
        assert!(take(folder.path()).unwrap().is_ok());
    }

    #[test]
    fn a_lock_that_nobody_holds_or_another_than_who_wrote_there_is_no_masters() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(folder.path()), None);
        let path = folder.path().join(FILE);
        std::fs::write(&path, format!("{}\n", me())).unwrap();
        assert_eq!(holder(folder.path()), None);
        let held = File::open(&path).unwrap();
        held.lock().unwrap();
        assert_eq!(holder(folder.path()), Some(me()));
        for other in ["1\n", "", "nonsense"] {
            std::fs::write(&path, other).unwrap();
            assert_eq!(holder(folder.path()), None, "{other:?}");
        }
    }

    #[test]
    fn a_look_at_the_lock_keeps_no_master_from_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "1\n").unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    holder(folder.path());
                }
            });
            let taken = (0..200).all(|_| take(folder.path()).unwrap().is_ok());
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(taken);
        });
    }

    #[test]
    fn holders_are_found_in_the_kernels_list() {
        let locks = "1: POSIX  ADVISORY  WRITE 10 08:01:131 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 12 08:01:131 0 EOF\n3: FLOCK  ADVISORY  WRITE 13 08:01:7 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 4712 00:2f:131 0 EOF\n";
        let of = |inode| holders(locks, inode).collect::<Vec<i32>>();
        assert_eq!(of(131), [4711, 4712], "two file systems");
        assert_eq!(of(7), [13]);
        assert!(of(31).is_empty());
        assert_eq!(holders("nonsense\n", 1).count(), 0);
    }
}
