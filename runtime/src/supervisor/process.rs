//! A node's process, whoever has started it.

use std::io;

use super::adopted::Adopted;
use super::child::Child;
use super::exit::Exit;

/// What a process is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Stop in order (SIGTERM).
    Terminate,
    /// End with a trace (SIGABRT).
    Abort,
    /// End now, with all of the group (SIGKILL).
    Kill,
}

/// A node's process.
#[derive(Debug)]
pub enum Process {
    /// Started by this master.
    Child(Child),
    /// Started by an earlier one.
    Adopted(Adopted),
}

impl Process {
    /// Its number.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Child(child) => child.pid(),
            Self::Adopted(adopted) => adopted.pid(),
        }
    }

    /// Where in its log file the lines begin that this master is to show.
    pub fn log_start(&self) -> u64 {
        match self {
            Self::Child(child) => child.log_start(),
            Self::Adopted(adopted) => adopted.log_start(),
        }
    }

    /// Waits for its end. May be dropped and called again.
    pub async fn wait(&mut self) -> Exit {
        match self {
            Self::Child(child) => child.wait().await,
            Self::Adopted(adopted) => adopted.wait().await,
        }
    }

    /// Sends it a signal. Nothing happens if it has ended.
    ///
    /// # Errors
    /// The operating system does not let the master signal it.
    pub fn sign(&self, sign: Sign) -> io::Result<()> {
        match (self, sign) {
            (Self::Child(child), Sign::Terminate) => child.terminate(),
            (Self::Child(child), Sign::Abort) => child.abort(),
            (Self::Child(child), Sign::Kill) => child.kill_group(),
            (Self::Adopted(adopted), Sign::Terminate) => adopted.terminate(),
            (Self::Adopted(adopted), Sign::Abort) => adopted.abort(),
            (Self::Adopted(adopted), Sign::Kill) => adopted.kill_group(),
        }
    }
}
