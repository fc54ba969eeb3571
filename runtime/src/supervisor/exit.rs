//! How a process ended, as plain data.
//!
//! Must not know who waited for it or what follows from it.

use std::fmt;
use std::sync::Arc;

use nix::sys::signal::Signal;
use serde::Serialize;

/// The end of one process: its exit code or the signal that killed it, and what it wrote last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exit {
    /// The exit code, if the process ended by itself.
    pub code: Option<i32>,
    /// The number of the signal that killed it.
    pub signal: Option<i32>,
    /// How many processes of its memory cgroup the kernel had killed for want of memory by then, that no other end
    /// explains.
    pub oom_kills: u64,
    /// The last lines of its output in this life, cleaned and bounded; shared, because snapshots copy it.
    pub last_lines: Arc<[String]>,
}

impl Exit {
    /// An end by itself, with a code.
    pub fn with_code(code: i32) -> Self {
        Self {
            code: Some(code),
            ..Self::default()
        }
    }

    /// An end by a signal.
    pub fn by_signal(signal: i32) -> Self {
        Self {
            signal: Some(signal),
            ..Self::default()
        }
    }

    /// Whether the kernel may have killed it for want of memory: its end is SIGKILL, or not known.
    pub fn may_be_oom(&self) -> bool {
        self.code.is_none() && self.signal.is_none_or(|signal| signal == Signal::SIGKILL as i32)
    }

    /// Whether the process ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }
}

impl fmt::Display for Exit {
    /// `exit code 101`, `killed by SIGKILL`, or `unknown end`; `, likely out of memory` if the kernel has killed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => match Signal::try_from(signal) {
                Ok(known) => write!(f, "killed by {known}"),
                Err(_) => write!(f, "killed by signal {signal}"),
            },
            (None, None) => f.write_str("unknown end"),
        }?;
        match self.oom_kills {
            0 => Ok(()),
            kills => write!(f, ", likely out of memory (cgroup oom_kill={kills})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_reads_like_a_sentence() {
        assert_eq!(Exit::with_code(101).to_string(), "exit code 101");
        assert_eq!(Exit::by_signal(9).to_string(), "killed by SIGKILL");
        assert_eq!(Exit::by_signal(40).to_string(), "killed by signal 40");
        assert_eq!(Exit::default().to_string(), "unknown end");
        let killed = Exit {
            oom_kills: 1,
            ..Exit::by_signal(9)
        };
        let text = "killed by SIGKILL, likely out of memory (cgroup oom_kill=1)";
        assert_eq!(killed.to_string(), text);
    }

    #[test]
    fn only_sigkill_and_unknown_ends_may_be_for_want_of_memory() {
        assert!(Exit::by_signal(9).may_be_oom() && Exit::default().may_be_oom());
        assert!(!Exit::by_signal(6).may_be_oom() && !Exit::with_code(137).may_be_oom());
    }
}
