//! A process that an earlier master has started: watched and signalled, though it is no child of this one.
//!
//! Its number alone would not do, as the system gives numbers out again. It is opened as a pidfd (pidfd_open(2))
//! and its start time is compared after that, so a stranger is never taken for it and never signalled.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use tokio::sync::oneshot;

use super::exit::Exit;
use super::{output, usage};

/// A living process of an earlier master.
#[derive(Debug)]
pub struct Adopted {
    pid: Pid,
    handle: OwnedFd,
    /// Ends when the process does.
    end: oneshot::Receiver<()>,
    ended: bool,
    log_file: PathBuf,
    log: Option<File>,
    log_start: u64,
}

impl Adopted {
    /// Opens a process, if it lives and began at `start_time`, as [`usage::start_time`] gives it.
    ///
    /// # Errors
    /// The operating system does not let this process watch it.
    pub fn open(pid: u32, start_time: u64, log_file: &Path) -> io::Result<Option<Self>> {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let handle = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if usage::start_time(pid) != Some(start_time) {
            return Ok(None);
        }
        let log = File::open(log_file).ok();
        let log_start = log
            .as_ref()
            .and_then(|log| log.metadata().ok())
            .map_or(0, |meta| meta.len());
        let end = watch(handle.try_clone()?)?;
        Ok(Some(Self {
            pid: number,
            handle,
            end,
            ended: false,
            log_file: log_file.to_owned(),
            log,
            log_start,
        }))
    }

    /// The number of the process, which is that of its group as well.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Where in its log file the lines begin that this master has not seen.
    pub fn log_start(&self) -> u64 {
        self.log_start
    }

    /// Waits for its end. How it ended is told to its parent alone, which this master is not.
    pub async fn wait(&mut self) -> Exit {
        if !self.ended {
            // Sent or dropped, both mean that it is over.
            drop((&mut self.end).await);
            self.ended = true;
        }
        self.sweep();
        let lines = self
            .log
            .as_ref()
            .map(|log| output::last_lines(&self.log_file, log, self.log_start));
        Exit {
            last_lines: lines.and_then(Result::ok).unwrap_or_default().into(),
            ..Exit::default()
        }
    }

    /// Asks it to stop (SIGTERM).
    ///
    /// # Errors
    /// The operating system does not let this process signal it.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Ends it with a trace of where it was (SIGABRT).
    ///
    /// # Errors
    /// The operating system does not let this process signal it.
    pub fn abort(&self) -> io::Result<()> {
        self.signal(Signal::ABORT)
    }

    /// Kills it and all of its group (SIGKILL).
    ///
    /// # Errors
    /// The operating system does not let this process signal it.
    pub fn kill_group(&self) -> io::Result<()> {
        // By the handle first, which cannot be a stranger's. One that has ended may have lost its number to a
        // stranger already; what is left of its group is swept once its end is noticed.
        match pidfd_send_signal(&self.handle, Signal::KILL) {
            Ok(()) => gone_is_fine(kill_process_group(self.pid, Signal::KILL)),
            Err(error) => gone_is_fine(Err(error)),
        }
    }

    /// Kills what is left of its group. While the group has a member nobody else is given its number; so if no
    /// process has the number, the group, if there is one, is still this process's.
    fn sweep(&self) {
        if usage::start_time(self.pid()).is_none()
            && let Err(error) = gone_is_fine(kill_process_group(self.pid, Signal::KILL))
        {
            tracing::warn!(pid = self.pid(), %error, "what an adopted process has started could not be ended");
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        gone_is_fine(pidfd_send_signal(&self.handle, signal))
    }
}

/// A thread that waits for the end of a process: its handle becomes readable then. It ends with the process, or
/// with this one.
fn watch(handle: OwnedFd) -> io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new()
        .name("adopted".into())
        .stack_size(64 * 1024)
        .spawn(move || {
            while let Err(rustix::io::Errno::INTR) = poll(&mut [PollFd::new(&handle, PollFlags::IN)], None) {}
            ended.send(()).unwrap_or(()); // nobody waits any more
        })?;
    Ok(end)
}

fn gone_is_fine(sent: rustix::io::Result<()>) -> io::Result<()> {
    match sent {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
