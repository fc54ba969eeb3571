//! Processes are killed, stopped and broken: what is in flight fails at once and says so, and nothing else does.

mod kills;

use super::Experiment;

/// The experiments of this group.
pub const EXPERIMENTS: &[Experiment] = &[kills::GAME, kills::GATE];
