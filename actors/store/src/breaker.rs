//! Spares a cache that does not answer, and those who would wait for it. A pure machine: it is told the time.
//!
//! Closed: every question goes through. After [`FAILURES`] failures in a row it is open: none does. After a pause
//! one question may try; it closes the breaker, or opens it for another pause.

use std::time::{Duration, Instant};

/// So many failures in a row open it.
const FAILURES: u32 = 3;
/// How long it is open before one question may try.
const PAUSE: Duration = Duration::from_secs(1);

/// The state of one server.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    /// When the next question may try; `None` when closed.
    retry: Option<Instant>,
}

impl Breaker {
    /// Whether a question may be asked now. Of those that ask while it is open, one may each pause.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        match self.retry {
            None => true,
            Some(retry) if retry <= now => {
                self.retry = Some(now + PAUSE);
                true
            }
            Some(_) => false,
        }
    }

    /// The server has answered.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The server has not answered, or nonsense. Says whether this opened the breaker.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = self.failures >= FAILURES && self.retry.is_none();
        if self.failures >= FAILURES {
            self.retry = Some(now + PAUSE);
        }
        opens
    }

    /// Whether it is open.
    pub(crate) fn is_open(&self) -> bool {
        self.retry.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_and_one_answer_closes_it() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert!(!breaker.failed(now) && !breaker.failed(now));
        breaker.succeeded();
        assert!(!breaker.failed(now) && !breaker.failed(now));
        assert!(breaker.admits(now));
        assert!(breaker.failed(now), "the third opens it");
        assert!(!breaker.admits(now) && breaker.is_open());
        let later = now + PAUSE;
        assert!(breaker.admits(later), "one may try");
        assert!(!breaker.admits(later), "one alone");
        assert!(!breaker.failed(later), "it was open already");
        assert!(!breaker.admits(later + PAUSE / 2));
        assert!(breaker.admits(later + PAUSE));
        breaker.succeeded();
        assert!(breaker.admits(later + PAUSE) && !breaker.is_open());
    }
}
