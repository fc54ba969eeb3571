//! Keeps the processes of a cluster running: pure decisions, and one operating-system process.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`policy`] | whether and when one dead node starts again; pure |
//! | [`roster`] | all nodes of a master: order of start and stop, states, time limits; pure |
//! | [`exit`] | how a process ended |
//! | [`child`] | one process of the operating system |
//! | [`adopted`] | one that an earlier master has started |
//! | [`process`] | either of them |
//! | [`output`] | log files: rotation, and following one for the terminal |
//! | [`oom`] | whether the kernel kills for want of memory |
//! | [`orphans`] | processes that outlived the node which started them |
//! | [`limits`] | what the operating system allows |
//! | [`usage`] | memory and start time of a process |
//!
//! The master's task carries commands out and reports events: it owns a [`Child`](child::Child) per process,
//! waits for the nearest of their ends, the news of the links and the next deadline, hands that to the roster,
//! and does what it says. Nothing else decides.

pub mod adopted;
mod cgroup;
pub mod child;
pub mod exit;
pub mod limits;
pub mod oom;
pub mod orphans;
pub mod output;
pub mod policy;
pub mod process;
pub mod roster;
pub mod usage;

/// A time limit as people read it: `10 s`, `0.5 s`.
fn seconds(time: std::time::Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
