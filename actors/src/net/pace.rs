//! So many events a second, after a burst of one second's worth. Pure: `now` is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// How long a client that was quiet may have saved up.
const BURST: Duration = Duration::from_secs(1);

/// A token bucket, kept as the time at which all events so far would have been due at an even pace.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    due: Instant,
}

impl Pace {
    /// Up to `rate` events a second; 0 counts as 1.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self {
            interval: BURST / rate.max(1),
            due: now,
        }
    }

    /// When the next event may happen; `None` for now.
    pub(super) fn wait(&self, now: Instant) -> Option<Instant> {
        let free = self.due + self.interval;
        (free > now + BURST).then(|| free - BURST)
    }

    /// An event happens.
    pub(super) fn spend(&mut self, now: Instant) {
        self.due = self.due.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_an_even_pace() {
        let start = Instant::now();
        let mut pace = Pace::new(10, start);
        for _ in 0..10 {
            assert_eq!(pace.wait(start), None);
            pace.spend(start);
        }
        let next = start + Duration::from_millis(100);
        assert_eq!(pace.wait(start), Some(next));
        assert_eq!(pace.wait(next), None);
        pace.spend(next);
        assert_eq!(pace.wait(next), Some(next + Duration::from_millis(100)));
    }

    #[test]
    fn quiet_time_saves_up_no_more_than_a_burst() {
        let start = Instant::now();
        let mut pace = Pace::new(2, start);
        let later = start + Duration::from_secs(3600);
        for _ in 0..2 {
            assert_eq!(pace.wait(later), None);
            pace.spend(later);
        }
        assert!(pace.wait(later).is_some());
    }
}
