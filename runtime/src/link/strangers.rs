//! Tells the log of strangers at a link port, a few lines a second however many there are. Pure: `now` is an argument.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most lines in a second.
const LINES: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// What has been told in this second.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    since: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Strangers {
    /// Writes a line, or counts it for the next one.
    pub(super) fn tell(&self, why: &dyn Display, now: Instant) {
        if let Some(suppressed) = self.may_tell(now) {
            tracing::warn!(%why, suppressed, "a stranger at the link port");
        }
    }

    /// How many lines were left out since the last one, if one may be written now.
    fn may_tell(&self, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
}
