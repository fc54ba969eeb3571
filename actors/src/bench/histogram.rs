//! Latencies in buckets whose width grows with the value: 64 to each doubling, so a value is known to 1.6 %. Pure.
//!
//! Written here because it is small: the ready-made crates bring serialization, corrections and iterators that a
//! table of three quantiles does not need, and this crate is one that games depend on.

use std::time::Duration;

/// Buckets to a doubling are two to the power of this.
const FINE: u32 = 6;

/// Values from two to the power of this on, in nanoseconds (18 minutes), are counted as the largest there is.
const TOP: u32 = 40;

const STEPS: usize = 1 << FINE;
const BUCKETS: usize = (TOP - FINE + 1) as usize * STEPS;

/// How often which latency was seen.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: Box<[u64]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS].into(),
            total: 0,
        }
    }
}

impl Histogram {
    /// Counts one latency.
    pub(super) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// The latency that the share `quantile` (0 to 1) of all does not exceed, rounded up to its bucket's end; zero
    /// when there is none.
    pub(super) fn quantile(&self, quantile: f64) -> Duration {
        let wanted = (quantile * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_nanos(end(at));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanos: u64) -> usize {
    let nanos = nanos.min((1 << TOP) - 1);
    if nanos < STEPS as u64 {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - FINE;
    // The leading bit stands for the doubling, the next FINE bits for the step in it.
    shift as usize * STEPS + (nanos >> shift) as usize
}

/// The largest value of a bucket.
fn end(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let shift = bucket / STEPS - 1;
    let step = (bucket % STEPS + STEPS) as u64;
    ((step + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for at in 1..BUCKETS {
            assert_eq!(bucket(end(at - 1) + 1), at);
            assert_eq!(bucket(end(at)), at);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_value_is_known_to_a_sixty_fourth() {
        for nanos in [1, 63, 64, 1_000, 123_456, 5_000_000, 30_000_000_000_u64] {
            let known = end(bucket(nanos));
            assert!(
                known >= nanos && known - nanos <= nanos / 64,
                "{nanos} became {known}"
            );
        }
    }

    #[test]
    fn quantiles_count_from_below() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        for micros in 1..=1_000 {
            histogram.record(Duration::from_micros(micros));
        }
        assert_eq!(histogram.total, 1_000);
        for (quantile, micros) in [
            (0.0, 1.0),
            (0.5, 500.0),
            (0.99, 990.0),
            (0.999, 999.0),
            (1.0, 1000.0),
        ] {
            let found = histogram.quantile(quantile).as_secs_f64() * 1e6;
            assert!((found / micros - 1.0).abs() < 0.017, "{quantile}: {found}");
        }
    }
}
