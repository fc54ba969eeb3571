//! How long a caller waits. Pure.

use std::time::{Duration, Instant};

/// How long a caller waits: from when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// When the call was made, or a little earlier.
    pub now: Instant,
    /// When its caller stops waiting.
    pub until: Instant,
}

impl Term {
    /// The longest: what fits the milliseconds of a frame, some 49 days.
    const LONGEST: Duration = Duration::from_millis(u32::MAX as u64);

    /// From `now` on, so long; no more than 49 days.
    #[must_use]
    pub fn new(now: Instant, timeout: Duration) -> Self {
        let until = now + timeout.min(Self::LONGEST);
        Self { now, until }
    }

    /// Whether there is no time in it.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.until <= self.now
    }

    /// How long that is.
    #[must_use]
    pub fn length(self) -> Duration {
        self.until.saturating_duration_since(self.now)
    }

    /// The same as a frame says it; 0 would mean that no time was left.
    pub(super) fn millis(self) -> u32 {
        u32::try_from(self.length().as_millis())
            .unwrap_or(u32::MAX)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timeout_is_too_long_and_none_is_over_at_once() {
        let now = Instant::now();
        let longest = Term::new(now, Duration::MAX);
        assert_eq!((longest.length(), longest.millis()), (Term::LONGEST, u32::MAX));
        assert!(Term::new(now, Duration::ZERO).is_over() && !longest.is_over());
        assert_eq!(Term::new(now, Duration::from_micros(1)).millis(), 1);
    }
}
