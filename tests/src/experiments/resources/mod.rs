//! Ports, open files and the disk are short; logs flood; there are very many clients, or very many lives.

mod clients;
mod cycles;
mod descriptors;
mod disk;
mod logs;
mod ports;
mod soak;

use super::Experiment;

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
