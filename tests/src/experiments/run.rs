//! Runs experiments one by one: a broken promise ends one of them and no other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use lampyris_runtime::error::panic_text;

use super::report::{Entry, Status, now};
use super::{Experiment, Record, Strength, find};
use crate::tell::{measured, skipped};

/// The short form, for `cargo test`.
///
/// # Panics
/// When a promise is broken, or nobody knows the experiment.
#[track_caller]
pub fn short(id: &str) {
    let experiment = find(id).unwrap_or_else(|| panic!("no experiment {id}"));
    let mut record = Record::new(Strength::Short);
    (experiment.run)(Strength::Short, &mut record);
    for figure in record.figures() {
        measured(format_args!(
            "{id}: {}: {:.3} {}",
            figure.what, figure.value, figure.unit
        ));
    }
    for note in record.notes() {
        measured(format_args!("{id}: {note}"));
    }
    if let Some(why) = record.skipped() {
        skipped(&format!("{id}: {}", experiment.title), why);
    }
}

/// Runs one experiment to its end, whatever that is.
pub fn run(experiment: &Experiment, strength: Strength) -> Entry {
    let (date, begin) = (now(), Instant::now());
    let mut record = Record::new(strength);
    let ended = catch_unwind(AssertUnwindSafe(|| (experiment.run)(strength, &mut record)));
    let status = match ended {
        Err(panic) => Status::Failed(panic_text(panic.as_ref()).to_owned()),
        Ok(()) => Status::of(&record),
    };
    Entry {
        id: experiment.id.to_owned(),
        title: experiment.title.to_owned(),
        must: experiment.must.to_owned(),
        best: experiment.best.to_owned(),
        date,
        seconds: begin.elapsed().as_secs_f64().round(),
        status,
        figures: record.figures().to_vec(),
        notes: record.notes(),
        plots: record.plots().to_vec(),
    }
}
