//! Processes that a node started and that outlived it outside its group: they come to the master, which takes
//! their end when they die, so that no dead process is left in the kernel's table.
//!
//! Must not know nodes. Linux only; elsewhere orphans go to the system's first process, which does the same.

use std::io;

/// Has the orphans among all descendants come to this process.
///
/// # Errors
/// The kernel does not know the wish.
pub fn adopt_orphans() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_child_subreaper(true)?;
    Ok(())
}

/// Takes the ends of dead orphans, and returns their numbers. Does not wait.
///
/// `is_own` says which processes somebody else waits for: all that this process has spawned itself. Their ends
/// are left alone, and an orphan behind one of them waits for the next call. It must be true for a process from
/// the moment it is spawned: call this from the task that spawns, between two spawns.
#[cfg(target_os = "linux")]
pub fn reap_orphans(is_own: impl Fn(u32) -> bool) -> Vec<u32> {
    use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};

    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let mut reaped = Vec::new();
    // An error says that there are no children at all.
    while let Some(pid) = waitid(Id::All, look).ok().and_then(|ended| ended.pid()) {
        let number = pid.as_raw().unsigned_abs();
        if is_own(number) || waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
            break;
        }
        reaped.push(number);
    }
    reaped
}

/// There are no orphans to reap here.
#[cfg(not(target_os = "linux"))]
pub fn reap_orphans(_is_own: impl Fn(u32) -> bool) -> Vec<u32> {
    Vec::new()
}
