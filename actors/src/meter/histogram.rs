//! How long calls take, in fixed buckets on a logarithmic scale; what is read out of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Tally;

/// The upper bounds of the buckets in microseconds; what took longer than the last is in one more.
pub(crate) const BOUNDS: [u64; 18] = [
    20, 50, 100, 200, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// Counts by bucket.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: [Tally; BOUNDS.len() + 1],
    micros: Tally,
}

impl Histogram {
    /// Empty; for this thread above all.
    pub(crate) fn here() -> Self {
        Self {
            buckets: std::array::from_fn(|_| Tally::here()),
            micros: Tally::here(),
        }
    }

    /// Counts `count` calls that took so long each.
    pub(crate) fn record(&self, took: Duration, count: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[BOUNDS.partition_point(|bound| *bound < micros)].add(count);
        self.micros.add(micros.saturating_mul(count));
    }

    /// The counts at this moment.
    pub(crate) fn times(&self) -> Times {
        Times {
            buckets: self.buckets.iter().map(Tally::get).collect(),
            micros: self.micros.get(),
        }
    }
}

/// The counts of a histogram at one moment: by bucket, and the sum of all times in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) buckets: Vec<u64>,
    pub(crate) micros: u64,
}

impl Times {
    /// How many there are in all.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// What has come since an earlier moment; all of it, if the counts began anew in between.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let less = |(at, now): (usize, &u64)| now.checked_sub(earlier.buckets.get(at).copied().unwrap_or(0));
        let buckets: Option<Vec<u64>> = self.buckets.iter().enumerate().map(less).collect();
        match buckets {
            Some(buckets) => Self {
                buckets,
                micros: self.micros.saturating_sub(earlier.micros),
            },
            None => self.clone(),
        }
    }

    /// Adds the counts of another.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (own, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += more;
        }
        self.micros += other.micros;
    }

    /// The time in seconds within which a share of the calls ended: between the bounds of its bucket, in proportion.
    /// `None` without calls; beyond the last bound, that bound.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = (share * count as f64).clamp(1.0, count as f64);
        let mut before = 0.0;
        for (at, here) in self.buckets.iter().enumerate() {
            let here = *here as f64;
            if here > 0.0 && before + here >= wanted {
                let low = at
                    .checked_sub(1)
                    .map_or(0, |under| BOUNDS[under.min(BOUNDS.len() - 1)]) as f64;
                let high = BOUNDS[at.min(BOUNDS.len() - 1)] as f64;
                return Some((low + (high - low) * (wanted - before) / here) / 1e6);
            }
            before += here;
        }
        BOUNDS.last().map(|last| *last as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_in_the_bucket_of_their_calls() {
        let histogram = Histogram::here();
        for _ in 0..98 {
            histogram.record(Duration::from_micros(150), 1);
        }
        histogram.record(Duration::from_millis(30), 2);
        let times = histogram.times();
        let median = times.quantile(0.5).unwrap();
        assert!((100e-6..=200e-6).contains(&median), "{median}");
        let late = times.quantile(0.99).unwrap();
        assert!((25e-3..=50e-3).contains(&late), "{late}");
        assert_eq!(Times::default().quantile(0.5), None);
    }

    #[test]
    fn what_takes_longer_than_all_bounds_is_told_as_the_last() {
        let histogram = Histogram::here();
        histogram.record(Duration::from_secs(1 << 40), 1);
        assert_eq!(histogram.times().quantile(0.5), Some(10.0));
    }

    #[test]
    fn what_began_anew_is_not_taken_off() {
        let histogram = Histogram::here();
        histogram.record(Duration::from_micros(15), 3);
        let first = histogram.times();
        histogram.record(Duration::from_micros(15), 2);
        let second = histogram.times();
        assert_eq!(second.since(&first).count(), 2);
        assert_eq!(first.since(&second), first);
        let mut sum = Times::default();
        sum.add(&first);
        sum.add(&second);
        assert_eq!(sum.count(), 8);
    }
}
