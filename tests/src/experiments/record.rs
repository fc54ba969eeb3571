//! What one run of an experiment measured, beside what was promised.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Strength;
use crate::plot::Plot;
use crate::rig::Outcome;
use crate::spread::Spread;

/// In the short form a limit on time or size is broken only by so many times as much: debug builds on busy machines
/// are slow, and a test that fails now and then is worth nothing.
pub const GENEROUS: f64 = 20.0;

/// How a figure stands to its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within the best limit, or within the only one.
    Best,
    /// Within the limit that is promised.
    Held,
    /// Beyond it.
    FallsShort,
    /// There is no limit.
    Told,
}

/// Two limits, in the unit of the figure.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    must: f64,
    best: Option<f64>,
}

/// What is promised, in the unit of the figure.
pub const fn must(limit: f64) -> Limits {
    Limits {
        must: limit,
        best: None,
    }
}

impl Limits {
    /// What nobody does better.
    #[must_use]
    pub const fn best(self, limit: f64) -> Self {
        Self {
            best: Some(limit),
            ..self
        }
    }
}

/// One thing that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of what; empty for a count.
    pub unit: String,
    /// What is promised.
    pub must: Option<f64>,
    /// What nobody does better.
    pub best: Option<f64>,
    /// How it stands to both.
    pub verdict: Verdict,
}

/// What one run measured.
#[derive(Debug)]
pub struct Record {
    strength: Strength,
    figures: Vec<Figure>,
    notes: Vec<String>,
    skipped: Option<String>,
    lacks: Vec<String>,
    plots: Vec<Plot>,
}

impl Record {
    /// An empty one.
    pub fn new(strength: Strength) -> Self {
        Self {
            strength,
            figures: Vec::new(),
            notes: Vec::new(),
            skipped: None,
            lacks: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// A figure without a limit.
    pub fn told(&mut self, what: impl Into<String>, value: f64, unit: &str) {
        self.push(what.into(), value, unit, None, Verdict::Told);
    }

    /// A figure that must not be greater than its limits.
    ///
    /// # Panics
    /// In the short form, when it is [`GENEROUS`] times as great.
    #[track_caller]
    pub fn at_most(&mut self, what: impl Into<String>, value: f64, unit: &str, limits: Limits) {
        let within = |limit: f64| value <= limit;
        self.judge(what.into(), value, unit, limits, limits.must * GENEROUS, within);
    }

    /// A figure that must not be less than its limits.
    ///
    /// # Panics
    /// In the short form, when it is [`GENEROUS`] times less.
    #[track_caller]
    pub fn at_least(&mut self, what: impl Into<String>, value: f64, unit: &str, limits: Limits) {
        let within = |limit: f64| value >= limit;
        self.judge(what.into(), value, unit, limits, limits.must / GENEROUS, within);
    }

    /// A time that must not be longer than its limits, which are in milliseconds.
    ///
    /// # Panics
    /// As [`Record::at_most`].
    #[track_caller]
    pub fn time(&mut self, what: impl Into<String>, time: Duration, limits: Limits) {
        self.at_most(what, millis(time), "ms", limits);
    }

    /// Median, 99th percentile and maximum of times, in milliseconds, with limits for the first two.
    ///
    /// # Panics
    /// As [`Record::at_most`].
    #[track_caller]
    pub fn times(&mut self, what: &str, times: &Spread, p50: Limits, p99: Limits) {
        self.time(format!("{what}, p50 of {}", times.count()), times.part(50.0), p50);
        self.time(format!("{what}, p99"), times.part(99.0), p99);
        self.told(format!("{what}, max"), millis(times.longest()), "ms");
    }

    /// Every call got its answer, and every connection was accepted.
    ///
    /// # Panics
    /// When that is not so.
    #[track_caller]
    pub fn nothing_failed(&mut self, outcome: &Outcome) {
        let failed = outcome.failed() + outcome.refused();
        self.exactly("failed calls and refused connections", failed, 0);
    }

    /// Every connection was accepted, and none ended before its client wanted.
    ///
    /// # Panics
    /// When that is not so.
    #[track_caller]
    pub fn no_connection_lost(&mut self, outcome: &Outcome) {
        let lost = outcome.count("closed") + outcome.refused();
        self.exactly("connections lost or refused", lost, 0);
    }

    /// A count that is a promise.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn exactly(&mut self, what: impl Into<String>, count: usize, promised: usize) {
        let what = what.into();
        assert_eq!(count, promised, "{what}");
        let limits = must(promised as f64);
        self.push(what, count as f64, "", Some(limits), Verdict::Held);
    }

    /// Something worth knowing that is no number.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// The experiment, or a part of it, cannot be done on this machine.
    pub fn skip(&mut self, why: impl Into<String>) {
        self.skipped = Some(why.into());
    }

    /// A part of the promise for which there is nothing that could be measured yet.
    pub fn lacks(&mut self, what: impl Into<String>) {
        self.lacks.push(what.into());
    }

    /// A picture of what was measured.
    pub fn plot(&mut self, plot: Plot) {
        self.plots.push(plot);
    }

    /// The pictures.
    pub fn plots(&self) -> &[Plot] {
        &self.plots
    }

    /// Whether a limit was exceeded, or something is missing.
    pub fn falls_short(&self) -> bool {
        let short = |figure: &Figure| figure.verdict == Verdict::FallsShort;
        !self.lacks.is_empty() || self.figures.iter().any(short)
    }

    /// What was measured.
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// What is worth knowing, with what is missing.
    pub fn notes(&self) -> Vec<String> {
        let lacks = self.lacks.iter().map(|what| format!("missing: {what}"));
        lacks.chain(self.notes.iter().cloned()).collect()
    }

    /// Why it was not done.
    pub fn skipped(&self) -> Option<&str> {
        self.skipped.as_deref()
    }

    #[track_caller]
    fn judge(
        &mut self,
        what: String,
        value: f64,
        unit: &str,
        limits: Limits,
        generous: f64,
        within: impl Fn(f64) -> bool,
    ) {
        let short = self.strength == Strength::Short;
        assert!(
            !short || within(generous),
            "{what}: {value:.1} {unit}, far from the promised {} {unit}",
            limits.must
        );
        let verdict = match (within(limits.must), limits.best.map(&within)) {
            (false, _) => Verdict::FallsShort,
            (true, Some(false)) => Verdict::Held,
            (true, _) => Verdict::Best,
        };
        self.push(what, value, unit, Some(limits), verdict);
    }

    fn push(&mut self, what: String, value: f64, unit: &str, limits: Option<Limits>, verdict: Verdict) {
        self.figures.push(Figure {
            what,
            value,
            unit: unit.to_owned(),
            must: limits.map(|limits| limits.must),
            best: limits.and_then(|limits| limits.best),
            verdict,
        });
    }
}

/// A time in milliseconds.
pub fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
