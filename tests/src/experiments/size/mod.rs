//! In size: very many clients, handlers, calls in flight and nodes cost no more for each than a few.
//!
//! | module | what is done |
//! | --- | --- |
//! | `idle` | what a client and a node cost that do nothing |
//! | `full` | 100,000 clients over eight nodes |
//! | `accepts` | clients come as fast as they can, here and at a bare server |
//! | `flat` | everything is doubled, again and again, at saturation |
//! | `pushes` | one push to all of very many clients, here and at a bare server |
//!
//! What is doubled is drawn into plots. Callers and guests are processes or threads of their own, so that what is counted is
//! what the nodes use.

mod accepts;
mod flat;
mod full;
mod idle;
mod pushes;

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::vitals::processor_time;

/// The experiments of this group.
pub const EXPERIMENTS: &[Experiment] = &[
    full::FULL,
    idle::IDLE,
    accepts::ACCEPTS,
    flat::CONNECTIONS,
    flat::HANDLERS,
    flat::IN_FLIGHT,
    flat::GAMES,
    pushes::PUSHES,
];

/// The command of the test's net node that it answers itself, and one that goes through gate and game.
const ECHO: u32 = 1;
const CHAIN: u32 = crate::changes::NAME_OF_ANY;

/// The nodes of the tree.
const NODES: [&str; 3] = ["net", "gate", "game1"];

/// The processes of some nodes.
#[track_caller]
fn pids(cluster: &Cluster, nodes: &[&str]) -> Vec<u32> {
    let admin = cluster.admin();
    nodes.iter().map(|node| admin.pid(node)).collect()
}

/// Processor time of all of these so far.
#[track_caller]
fn used(pids: &[u32]) -> Duration {
    pids.iter()
        .map(|pid| processor_time(*pid).expect("a process"))
        .sum()
}

/// Puts servers on one processor and their clients on another, where there are two: else it is chance whether the system
/// has them share one, and a server that does serves a third of the clients in the same time.
#[track_caller]
fn apart(servers: &[u32], clients: &[u32]) {
    let several = std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1);
    if !several {
        return;
    }
    let here = sched_getaffinity(Pid::this()).expect("because it is this process");
    let mut allowed = (0..CpuSet::count()).filter(|cpu| here.is_set(*cpu).unwrap_or(false));
    for (pids, cpu) in [(servers, allowed.next()), (clients, allowed.next())] {
        let mut only = CpuSet::new();
        only.set(cpu.expect("because there are several"))
            .expect("because it is in a set");
        for pid in pids {
            let pid = Pid::from_raw((*pid).try_into().expect("the number of a process"));
            sched_setaffinity(pid, &only).expect("because it is one of ours");
        }
    }
}

/// Lets time pass.
fn let_pass(time: Duration) {
    std::thread::park_timeout(time);
}

/// The one in the middle.
#[track_caller]
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
