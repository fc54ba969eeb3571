//! How often the clock is read while calls are worked on one after the other. Pure.
//!
//! Quick calls are gone through in long strides, slow ones step by step: what is known of the time is never older
//! than a few quick calls, or one slow one.

use std::time::{Duration, Instant};

/// Most calls between two readings.
const LONGEST: u32 = 16;

/// Between two readings should lie no more than this.
const QUICK: Duration = Duration::from_micros(50);

/// Steps through the calls of one slice.
#[derive(Debug)]
pub(super) struct Stride {
    now: Instant,
    length: u32,
    steps: u32,
}

impl Stride {
    /// Goes on with the length that [`Stride::length`] gave at the end of the last slice; 0 at the beginning.
    pub(super) fn new(now: Instant, length: u32) -> Self {
        Self {
            now,
            length: length.clamp(1, LONGEST),
            steps: 0,
        }
    }

    /// A call has been worked on. `read` is what it read of the clock itself; `clock` reads it if it is time to. Says whether
    /// more is known of the time now.
    pub(super) fn step(&mut self, read: Option<Instant>, clock: impl FnOnce() -> Instant) -> bool {
        self.steps += 1;
        if read.is_none() && self.steps < self.length {
            return false;
        }
        let now = read.unwrap_or_else(clock);
        let quick = now.saturating_duration_since(self.now) <= QUICK;
        let longer = self.steps.saturating_mul(2).clamp(self.length, LONGEST);
        self.length = if quick { longer } else { 1 };
        (self.now, self.steps) = (now, 0);
        true
    }

    /// The time, as far as it is known.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Calls between two readings at present.
    pub(super) fn length(&self) -> u32 {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `calls` that take so long each are followed by a reading, and the last length.
    fn readings(calls: u32, each: Duration, length: u32) -> (u32, u32) {
        let (start, mut count) = (Instant::now(), 0);
        let mut stride = Stride::new(start, length);
        for call in 1..=calls {
            stride.step(None, || {
                count += 1;
                start + each * call
            });
        }
        (count, stride.length())
    }

    #[test]
    fn quick_calls_are_gone_through_in_long_strides() {
        assert_eq!(readings(31, Duration::from_micros(1), 0), (5, LONGEST));
        assert_eq!(readings(160, Duration::from_micros(1), LONGEST), (10, LONGEST));
    }

    #[test]
    fn slow_calls_are_followed_one_by_one() {
        assert_eq!(readings(20, Duration::from_millis(1), 0), (20, 1));
        assert_eq!(readings(16 + 20, Duration::from_millis(1), LONGEST), (21, 1));
    }

    #[test]
    fn what_a_call_reads_itself_is_taken_over() {
        let start = Instant::now();
        let mut stride = Stride::new(start, LONGEST);
        let later = start + Duration::from_secs(1);
        stride.step(Some(later), || unreachable!("it is known"));
        assert_eq!((stride.now(), stride.length()), (later, 1));
    }
}
