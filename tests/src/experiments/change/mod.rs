//! Operators stop nodes, restart them, install another program or another configuration: what has been accepted is
//! answered, and whom it does not concern does not notice.
//!
//! | module | what is done |
//! | --- | --- |
//! | `stops` | nodes and whole clusters end in order |
//! | `swaps` | nodes are restarted, with the same program or another |
//! | `reloads` | the configuration changes |

mod reloads;
mod stops;
mod swaps;

use super::Experiment;

/// The experiments of this group.
pub const EXPERIMENTS: &[Experiment] = &[
    stops::STOP,
    swaps::ROLLING,
    reloads::RELOADS,
    swaps::ANOTHER_PROGRAM,
    reloads::A_NODE_MORE,
];

/// The test's net node has the game answer after a while.
const WAIT_IN_GAME: u32 = 3;
