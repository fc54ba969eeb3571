//! Who is turned away at a link port: counted by reason, and told to the log, a few lines a second however many there
//! are. Pure: `now` is an argument.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most lines in a second.
const LINES: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The handshake was not over in time.
    Late,
    /// Too many others were in their handshake.
    Crowded,
    /// The connection ended.
    Lost,
    /// No TLS, or a certificate that does not hold.
    BadTls,
    /// Something else than the protocol of links.
    Garbled,
    /// No version in common.
    Version,
    /// Another node was wanted.
    WrongNode,
    /// The secret differs, or the name is not of those that may come in.
    Unauthorized,
    /// A living process has the name.
    Duplicate,
    /// This side has no random bytes.
    NoRandom,
}

impl Why {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Late, "late"),
        (Self::Crowded, "crowded"),
        (Self::Lost, "lost"),
        (Self::BadTls, "bad_tls"),
        (Self::Garbled, "garbled"),
        (Self::Version, "version"),
        (Self::WrongNode, "wrong_node"),
        (Self::Unauthorized, "unauthorized"),
        (Self::Duplicate, "duplicate"),
        (Self::NoRandom, "no_random"),
    ];
}

/// Those who were turned away at one port.
#[derive(Debug, Default)]
pub struct Strangers {
    counts: [AtomicU64; Why::ALL.len()],
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    since: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Strangers {
    /// How many there were, by reason.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted = Why::ALL.iter().zip(&self.counts);
        counted.map(|((_, name), count)| (*name, count.load(Ordering::Relaxed)))
    }

    /// Somebody was turned away.
    pub(super) fn count(&self, why: Why) {
        self.counts[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Writes a line, or counts it for the next one.
    pub(super) fn tell(&self, why: &dyn Display, now: Instant) {
        if let Some(suppressed) = self.may_tell(now) {
            tracing::warn!(%why, suppressed, "a stranger at the link port");
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
    fn each_reason_has_its_count() {
        for (at, (why, name)) in Why::ALL.into_iter().enumerate() {
            let strangers = Strangers::default();
            strangers.count(why);
            let counted = strangers.counts().filter(|(_, count)| *count > 0);
            assert_eq!(counted.collect::<Vec<_>>(), [(name, 1)]);
            assert_eq!(why as usize, at);
        }
    }

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
}
