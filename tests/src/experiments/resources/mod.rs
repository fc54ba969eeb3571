//! Ports, open files and the disk are short; logs flood; there are very many clients, or very many lives.

mod clients;
mod cycles;
mod descriptors;
mod disk;
mod logs;
mod ports;
mod soak;

use super::{Experiment, Record, must};
use crate::vitals::Vitals;

/// The experiments of this group.
pub const EXPERIMENTS: &[Experiment] = &[
    ports::PORTS,
    descriptors::DESCRIPTORS,
    disk::DISK,
    logs::FLOOD,
    logs::ROTATION,
    clients::MANY,
    clients::STORM,
    soak::SOAK,
    cycles::CYCLES,
];

/// A process has about as many open files and threads as before.
#[track_caller]
fn no_more_files_or_threads(name: &str, before: Vitals, after: Vitals, record: &mut Record) {
    let counts = [
        ("open files", after.descriptors, before.descriptors),
        ("threads", after.threads, before.threads),
    ];
    for (what, after, before) in counts {
        let more = after.saturating_sub(before) as f64;
        record.at_most(format!("{what} of {name}, more"), more, "", must(2.0));
    }
}
