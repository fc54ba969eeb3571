//! Strangers and clumsy clients: what they send harms them alone.
//!
//! | module | what is done |
//! | --- | --- |
//! | `readers` | clients that do not read what they are sent |
//! | `slow` | connections that send a byte a second |
//! | `headers` | headers that cannot be |
//! | `payloads` | payloads that cannot be |
//! | `noise` | any bytes, at every port |
//! | `links` | dialers at a link port that are no nodes, or not the right one, or of another version |
//! | `overload` | three times the load that can be carried |
//! | `regulars` | ordinary clients, who should not notice |

mod headers;
mod links;
mod noise;
mod overload;
mod payloads;
mod readers;
mod regulars;
mod slow;

use super::{Experiment, Record};
use crate::Cluster;
use crate::vitals::{Vitals, mib};

/// The experiments of this group.
pub const EXPERIMENTS: &[Experiment] = &[
    links::VERSIONS,
    readers::EXPERIMENT,
    slow::EXPERIMENT,
    headers::EXPERIMENT,
    noise::EXPERIMENT,
    links::STRANGERS,
    links::SECOND,
    payloads::EXPERIMENT,
    overload::EXPERIMENT,
];

/// The command of the test's net node that echoes.
const ECHO: u32 = 1;

/// What some nodes together take, before and after what is done to them.
struct Memory {
    pids: Vec<u32>,
    before: u64,
}

impl Memory {
    /// Of these nodes, from now on.
    fn of(cluster: &Cluster, nodes: &[&str]) -> Self {
        let pids: Vec<u32> = nodes.iter().map(|name| cluster.admin().pid(name)).collect();
        let before = resident(&pids);
        Self { pids, before }
    }

    /// What they take at this moment, in bytes.
    fn now(&self) -> u64 {
        resident(&self.pids)
    }

    /// How much more than before, in bytes.
    fn more(&self) -> u64 {
        self.now().saturating_sub(self.before)
    }

    /// Tells both, and how much was tried in between.
    fn tell(&self, inputs: usize, record: &mut Record) {
        record.told("inputs", inputs as f64, "");
        record.told("memory before", mib(self.before), "MiB");
        record.told("memory after", mib(self.now()), "MiB");
    }
}

fn resident(pids: &[u32]) -> u64 {
    pids.iter()
        .filter_map(|pid| Vitals::of(*pid))
        .map(|vitals| vitals.rss)
        .sum()
}
