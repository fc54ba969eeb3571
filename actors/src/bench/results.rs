//! What was measured: rounds, and the medians that the tables show. Plain data, pure.

use serde::Serialize;

use super::plan::{Point, Shape, System};

/// One point of one system in one round. Times are in microseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Round {
    /// Answers a second.
    pub(super) rate: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    /// Processor time of all its processes for one answer; absent when they are not this run's.
    pub(super) cpu: Option<f64>,
    /// The same of each process, by name.
    pub(super) cpu_of: Vec<(String, f64)>,
    /// The same of the load generator.
    pub(super) cpu_of_load: Option<f64>,
    pub(super) answers: u64,
    pub(super) errors: u64,
    /// What the first error frame said.
    pub(super) first_error: Option<String>,
    pub(super) wrong: u64,
    pub(super) lost: u64,
    /// Why the first connection that broke did so.
    pub(super) broken: Option<String>,
}

/// All rounds of one point of one system.
#[derive(Debug, Serialize)]
pub(super) struct SystemResult {
    pub(super) system: &'static str,
    /// The medians of the rounds; counts of faults are sums.
    pub(super) median: Round,
    /// The difference between the best and the worst rate, as a part of the median.
    pub(super) spread: f64,
    pub(super) rounds: Vec<Round>,
}

/// One point.
#[derive(Debug, Serialize)]
pub(super) struct PointResult {
    pub(super) point: String,
    /// Whether the rate is given, so that only latencies can be compared.
    pub(super) open: bool,
    /// The cluster first.
    pub(super) systems: Vec<SystemResult>,
}

/// What a process holds, in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    pub(super) system: &'static str,
    pub(super) process: String,
    /// Before the first load.
    pub(super) idle: Option<u64>,
    /// After the last.
    pub(super) after: Option<u64>,
}

/// A whole run.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    pub(super) version: &'static str,
    /// Whether the program was built without optimisations, which makes it many times slower.
    pub(super) debug_build: bool,
    pub(super) processors: usize,
    /// Whether processes kept the processors awake.
    pub(super) spinners: bool,
    pub(super) rounds: usize,
    pub(super) seconds: f64,
    pub(super) points: Vec<PointResult>,
    pub(super) memory: Vec<Memory>,
}

impl SystemResult {
    pub(super) fn new(system: System, rounds: Vec<Round>) -> Self {
        let rates: Vec<f64> = rounds.iter().map(|round| round.rate).collect();
        let middle = median(&rates);
        let best = rates.iter().copied().fold(f64::MIN, f64::max);
        let worst = rates.iter().copied().fold(f64::MAX, f64::min);
        Self {
            system: system.name(),
            spread: if middle > 0.0 {
                (best - worst) / middle
            } else {
                0.0
            },
            median: combine(&rounds),
            rounds,
        }
    }

    /// Requests that had no good answer.
    pub(super) fn faults(&self) -> u64 {
        self.median.errors + self.median.wrong + self.median.lost + u64::from(self.median.broken.is_some())
    }
}

impl PointResult {
    pub(super) fn new(point: &Point, systems: Vec<SystemResult>) -> Self {
        Self {
            point: point.to_string(),
            open: matches!(point.shape, Shape::Open { .. }),
            systems,
        }
    }

    /// The rate of a system as a part of that of another, if that was measured.
    pub(super) fn ratio(&self, system: &SystemResult, other: System) -> Option<f64> {
        let other = self.systems.iter().find(|known| known.system == other.name())?;
        (other.median.rate > 0.0).then(|| system.median.rate / other.median.rate)
    }
}

impl Results {
    /// Requests that had no good answer, of all systems.
    pub(super) fn faults(&self) -> u64 {
        let systems = self.points.iter().flat_map(|point| &point.systems);
        systems.map(SystemResult::faults).sum()
    }
}

fn combine(rounds: &[Round]) -> Round {
    let of = |value: fn(&Round) -> f64| median(&rounds.iter().map(value).collect::<Vec<_>>());
    let known = |value: fn(&Round) -> Option<f64>| {
        let values: Vec<f64> = rounds.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| median(&values))
    };
    let names = rounds
        .first()
        .map(|round| round.cpu_of.as_slice())
        .unwrap_or_default();
    let cpu_of = names.iter().enumerate().map(|(at, (name, _))| {
        let values: Vec<f64> = rounds
            .iter()
            .filter_map(|round| Some(round.cpu_of.get(at)?.1))
            .collect();
        (name.clone(), median(&values))
    });
    Round {
        rate: of(|round| round.rate),
        p50: of(|round| round.p50),
        p99: of(|round| round.p99),
        p999: of(|round| round.p999),
        cpu: known(|round| round.cpu),
        cpu_of: cpu_of.collect(),
        cpu_of_load: known(|round| round.cpu_of_load),
        answers: rounds.iter().map(|round| round.answers).sum(),
        errors: rounds.iter().map(|round| round.errors).sum(),
        first_error: rounds.iter().find_map(|round| round.first_error.clone()),
        wrong: rounds.iter().map(|round| round.wrong).sum(),
        lost: rounds.iter().map(|round| round.lost).sum(),
        broken: rounds.iter().find_map(|round| round.broken.clone()),
    }
}

/// The value in the middle, or the mean of the two there; 0 of none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::plan::standard_points;

    pub(in crate::bench) fn sample() -> Results {
        let round = |rate: f64| Round {
            rate,
            p50: 350.4,
            p99: 1200.0,
            p999: 15_000.0,
            cpu: Some(23.46),
            answers: 100,
            ..Round::default()
        };
        let rounds = |rate: f64| [0.9, 1.0, 1.1].map(|part| round(rate * part)).to_vec();
        let point = &standard_points()[0];
        let systems = vec![
            SystemResult::new(System::Cluster, rounds(40_000.0)),
            SystemResult::new(System::BareChain, rounds(50_000.0)),
            SystemResult::new(System::HandChain, rounds(32_000.0)),
        ];
        Results {
            version: "1.2.3",
            debug_build: false,
            processors: 2,
            spinners: true,
            rounds: 3,
            seconds: 2.0,
            points: vec![PointResult::new(point, systems)],
            memory: vec![Memory {
                system: "lampyris",
                process: "gate".to_owned(),
                idle: Some(6 << 20),
                after: None,
            }],
        }
    }

    #[test]
    fn the_median_of_rounds_and_their_spread_are_told() {
        let results = sample();
        let cluster = &results.points[0].systems[0];
        assert!((cluster.median.rate - 40_000.0).abs() < 1e-6);
        assert!((cluster.spread - 0.2).abs() < 1e-6);
        assert_eq!((cluster.median.answers, cluster.faults()), (300, 0));
        let ratio = results.points[0].ratio(cluster, System::HandChain).unwrap();
        assert!((ratio - 1.25).abs() < 1e-6);
        assert_eq!(results.points[0].ratio(cluster, System::BareEcho), None);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn one_fault_in_one_round_is_not_lost_in_a_median() {
        let mut rounds = vec![Round::default(); 3];
        rounds[1].lost = 1;
        assert_eq!(SystemResult::new(System::Cluster, rounds).faults(), 1);
    }
}
