//! The plain copy of a node's supervision that the admin side reads. Times are seconds relative to now.
//!
//! Must not know how the roster decides.

use serde::{Deserialize, Serialize};

use super::event::State;
use crate::name::{Incarnation, NodeName};
use crate::supervisor::exit::Exit;

/// One node, as the roster sees it at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeSnapshot {
    /// Its name.
    pub name: NodeName,
    /// How it fares.
    pub state: State,
    /// For how long it has been in this state, in seconds.
    pub since: f64,
    /// Why it is in this state.
    pub reason: String,
    /// Whether this master starts it.
    pub start: bool,
    /// Whether it should run: it is started, or waited for, as soon as that can be.
    pub wanted: bool,
    /// Its process, if one lives; for a node started elsewhere, on its own host.
    pub pid: Option<u32>,
    /// Whether the process was started by an earlier master.
    pub adopted: bool,
    /// Which life, as 32 hexadecimal digits; once its link has been up.
    #[serde(serialize_with = "as_text")]
    pub incarnation: Option<Incarnation>,
    /// How often it was started again after an end that nobody asked for.
    pub restarts: u64,
    /// Its failed starts within the period of its policy.
    pub restart_window: RestartWindow,
    /// Until the next attempt, in seconds; only in backoff.
    pub next_try_in: Option<f64>,
    /// Its last ends, oldest first, at most 20.
    pub last_exits: Vec<PastExit>,
    /// How long the process has been running, in seconds.
    pub uptime: Option<f64>,
    /// The second process of the node, while one life takes the place of another.
    pub beside: Option<SecondProcess>,
}

/// A process of a node beside the one that is the node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecondProcess {
    /// What it is there for.
    pub role: Role,
    /// Its number, once it is started.
    pub pid: Option<u32>,
    /// How long it has been running, in seconds.
    pub uptime: f64,
}

/// What the second process of a node is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes the node's place once it is ready.
    Successor,
    /// It was the node; it finishes its calls in flight.
    Leaving,
}

/// How near a node is to a crash loop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RestartWindow {
    /// Failed starts within the period; more than `intensity` are a crash loop.
    pub failed_starts: usize,
    /// How many are allowed.
    pub intensity: u32,
    /// The period, in seconds.
    pub period: f64,
}

/// One end of a node's process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastExit {
    /// How long ago, in seconds.
    pub ago: f64,
    /// How long the process had been running, in seconds.
    pub uptime: f64,
    /// The end in words, with what the master had done to it.
    pub reason: String,
    /// Whether the master had asked for the end.
    pub asked: bool,
    /// Whether the master had to kill it.
    pub killed: bool,
    /// The end itself.
    #[serde(flatten)]
    pub exit: Exit,
}

fn as_text<S: serde::Serializer>(
    incarnation: &Option<Incarnation>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match incarnation {
        Some(known) => serializer.collect_str(known),
        None => serializer.serialize_none(),
    }
}
