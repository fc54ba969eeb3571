//! Many times, and what most of them were.

use std::time::Duration;

/// Times in order. There is at least one.
#[derive(Debug, Clone)]
pub struct Spread(Vec<Duration>);

impl Spread {
    /// Of these times.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many percent of them do not exceed.
    pub fn part(&self, percent: f64) -> Duration {
        let rank = (self.0.len() as f64 * percent / 100.0).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    /// The longest.
    pub fn longest(&self) -> Duration {
        self.part(100.0)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_times_that_were_measured() {
        let spread = Spread::of((1..=200).rev().map(Duration::from_millis));
        let parts = [0.0, 50.0, 99.0, 100.0].map(|part| spread.part(part).as_millis());
        assert_eq!(parts, [1, 100, 198, 200]);
        assert_eq!((spread.longest().as_millis(), spread.count()), (200, 200));
        assert_eq!(Spread::of([Duration::from_millis(7)]).part(50.0).as_millis(), 7);
    }
}
