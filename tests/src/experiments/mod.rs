//! The experiments: each does something bad to a cluster, and compares what was measured with what is promised.
//!
//! | module | what is done |
//! | --- | --- |
//! | [`change`] | nodes are stopped and restarted in order, programs and configurations replaced |
//! | [`hostile`] | strangers and clumsy clients do what they can |
//! | [`networks`] | the network is cut, slow, narrow, or reset; clocks are wrong |
//! | [`processes`] | processes are killed, stopped, broken |
//! | [`record`] | what one run of an experiment measured |
//! | [`report`] | the results of one revision, as JSON and Markdown |
//! | [`resources`] | ports, files, disk and memory are short; there are very many clients |
//! | [`run`] | runs experiments one by one |
//! | [`size`] | clients, handlers, calls and nodes are very many |
//!
//! Every experiment has two strengths. `cluster-tests experiments` runs the full form in a release build;
//! [`short`] is what `cargo test` runs of each.

pub mod change;
pub mod hostile;
pub mod networks;
pub mod processes;
pub mod record;
pub mod report;
pub mod resources;
pub mod run;
pub mod size;

pub use record::{Record, must};
pub use run::short;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// A few repetitions, in seconds, also on a busy machine in a debug build: times are compared with limits that
    /// are [`record::GENEROUS`] times as long.
    Short,
    /// All of it, in minutes, on a machine that has nothing else to do.
    Full,
}

impl Strength {
    /// One value for each.
    pub fn pick<T>(self, short: T, full: T) -> T {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

/// One experiment.
pub struct Experiment {
    /// Its number in the table of promises, such as `R-01`.
    pub id: &'static str,
    /// What is done, in a line.
    pub title: &'static str,
    /// What is promised.
    pub must: &'static str,
    /// What nobody does better; empty if the promise is that already.
    pub best: &'static str,
    /// Does it. Panics when a promise is broken that is no matter of speed.
    pub run: fn(Strength, &mut Record),
}

/// All experiments, in the order of their numbers.
pub fn all() -> Vec<&'static Experiment> {
    let groups: [&[Experiment]; _] = [
        processes::EXPERIMENTS,
        networks::EXPERIMENTS,
        hostile::EXPERIMENTS,
        resources::EXPERIMENTS,
        change::EXPERIMENTS,
        size::EXPERIMENTS,
    ];
    let mut all: Vec<&Experiment> = groups.into_iter().flatten().collect();
    all.sort_by_key(|experiment| experiment.id);
    all
}

/// An experiment by its number.
pub fn find(id: &str) -> Option<&'static Experiment> {
    all()
        .into_iter()
        .find(|experiment| experiment.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests;
