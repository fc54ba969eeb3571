//! Times that the tasks of a process share.
//!
//! To be woken costs an idle process more than what it then does. So what is done now and then, and not at a certain
//! time, is done on the beat: the process is woken once for all of it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Beats of any interval, counted from one moment: those of a second are among those of half a second.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    origin: Instant,
}

impl Beat {
    /// Beats that are counted from this moment.
    pub const fn since(origin: Instant) -> Self {
        Self { origin }
    }

    /// The beats of this process, counted from the first time that it asked for them.
    pub fn of_process() -> Self {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        Self::since(*ORIGIN.get_or_init(Instant::now))
    }

    /// The next beat of an interval after `now`, at most one interval away; an interval of zero counts as a
    /// nanosecond, and what is before the first beat as the first.
    pub fn next(&self, every: Duration, now: Instant) -> Instant {
        let every = every.as_nanos().max(1);
        let since = now.saturating_duration_since(self.origin).as_nanos() % every;
        // A remainder of what came out of a duration fits into one.
        now + Duration::from_nanos_u128(every - since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_an_interval_apart_however_late_one_asks() {
        let origin = Instant::now();
        let (beat, second) = (Beat::since(origin), Duration::from_secs(1));
        assert_eq!(beat.next(second, origin), origin + second);
        let late = origin + second + Duration::from_millis(999);
        assert_eq!(beat.next(second, late), origin + second * 2);
        let half = beat.next(second / 2, origin + second / 4);
        assert_eq!(
            beat.next(second / 2, half),
            origin + second,
            "shared by both intervals"
        );
        let before = origin.checked_sub(second / 2).unwrap();
        assert!(beat.next(second, before) <= origin + second);
        assert!(beat.next(Duration::ZERO, origin) > origin);
    }
}
