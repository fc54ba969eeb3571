//! Who is not let in at a link port: counted by reason, and told to the log a few lines a second however many there
//! are. Pure: `now` is an argument.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::handshake::{HandshakeError, Refusal};

/// Most lines in a second.
const LINES: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// Why a dialer was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It spoke something else.
    Garbled,
    /// It spoke no TLS, or showed no certificate of the authority.
    Tls,
    /// It speaks no version of this side.
    Version,
    /// It wanted another node.
    WrongNode,
    /// It did not know the secret, or its name is none that may come in.
    Unauthorized,
    /// A living process has its name.
    Duplicate,
    /// It did not prove itself in time.
    Silent,
    /// It gave way to newer strangers.
    PushedOut,
    /// It left before, or its connection failed.
    Left,
}

impl Why {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Garbled, "garbled"),
        (Self::Tls, "bad_tls"),
        (Self::Version, "version"),
        (Self::WrongNode, "wrong_node"),
        (Self::Unauthorized, "unauthorized"),
        (Self::Duplicate, "duplicate"),
        (Self::Silent, "silent"),
        (Self::PushedOut, "pushed_out"),
        (Self::Left, "left"),
    ];
}

impl From<&Refusal> for Why {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Version { .. } => Self::Version,
            Refusal::WrongNode(_) => Self::WrongNode,
            Refusal::Unauthorized => Self::Unauthorized,
            Refusal::Duplicate(_) => Self::Duplicate,
        }
    }
}

impl From<&HandshakeError> for Why {
    fn from(error: &HandshakeError) -> Self {
        match error {
            HandshakeError::Refused(refusal) => refusal.into(),
            HandshakeError::Garbled(_) | HandshakeError::Impostor | HandshakeError::Random(_) => {
                Self::Garbled
            }
        }
    }
}

/// The strangers of one port, or of all ports of a process.
#[derive(Debug, Default)]
pub struct Strangers {
    counts: [AtomicU64; Why::ALL.len()],
    told: Mutex<Told>,
}

/// What has been told in this second.
#[derive(Debug, Default)]
struct Told {
    since: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Strangers {
    /// How many were not let in since the start, by the name of the reason.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |why: Why| self.counts[why as usize].load(Ordering::Relaxed);
        Why::ALL.into_iter().map(move |(why, name)| (name, count(why)))
    }

    /// Counts one.
    pub(super) fn count(&self, why: Why) {
        self.counts[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one, and writes a line, or counts that for the next one.
    pub(super) fn tell(&self, why: Why, text: &dyn Display, now: Instant) {
        self.count(why);
        if let Some(suppressed) = self.may_tell(now) {
            tracing::warn!(why = %text, suppressed, "a stranger at the link port");
        }
    }

    /// How many lines were left out since the last one, if one may be written now.
    fn may_tell(&self, now: Instant) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= SECOND)
        {
            (told.since, told.lines) = (Some(now), 0);
        }
        if told.lines == LINES {
            told.suppressed += 1;
            return None;
        }
        told.lines += 1;
        Some(std::mem::take(&mut told.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_second_and_the_rest_is_counted() {
        let (strangers, start) = (Strangers::default(), Instant::now());
        let told = |now: Instant, count: u32| {
            (0..count)
                .filter_map(|_| strangers.may_tell(now))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(start, 1000), [0; 10]);
        assert_eq!(told(start + SECOND / 2, 5), [0; 0]);
        assert_eq!(told(start + SECOND, 2), [995, 0]);
    }

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let strangers = Strangers::default();
        for (many, (why, _)) in Why::ALL.into_iter().enumerate() {
            (0..many).for_each(|_| strangers.count(why));
        }
        let counts: Vec<u64> = strangers.counts().map(|(_, count)| count).collect();
        assert!(counts.into_iter().eq(0..9));
    }
}
