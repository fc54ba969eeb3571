//! Processes are killed, stopped and broken: what is in flight fails at once and says so, and nothing else does.
//!
//! | module | what is done |
//! | --- | --- |
//! | `kills` | a node is killed again and again |
//! | `masters` | the master is killed, comes back, is not alone, is replaced |
//! | `havoc` | everything is killed at random; every request keeps its number meanwhile |
//! | `stops` | processes are stopped and woken |
//! | `starts` | nodes that cannot start |
//! | `strangers` | processes that are no nodes |
//! | `handlers` | handlers that panic, never return, or spin |
//! | `memory` | no memory is left |
//! | `wishes` | many operators want the same thing at once |

mod handlers;
mod havoc;
mod kills;
mod masters;
mod memory;
mod starts;
mod stops;
mod strangers;
mod wishes;

use super::Experiment;

/// The nodes of the tree.
const NODES: [&str; 3] = ["gate", "net", "game1"];

/// The experiments of this group.
pub const EXPERIMENTS: &[Experiment] = &[
    kills::GAME,
    kills::GATE,
    kills::NET,
    masters::DEAD,
    masters::BACK,
    masters::GAME_DIES_MEANWHILE,
    havoc::EVERYTHING,
    stops::GAME,
    stops::HANGING,
    stops::EVERYTHING,
    starts::CRASH_LOOP,
    starts::HOPELESS,
    starts::NEVER_READY,
    strangers::GRANDCHILDREN,
    strangers::SAME_NUMBER,
    masters::SECOND,
    handlers::EXPERIMENT,
    memory::EXPERIMENT,
    wishes::EXPERIMENT,
    havoc::EVERY_REQUEST_HAS_ITS_NUMBER,
    masters::REPLACED,
];
