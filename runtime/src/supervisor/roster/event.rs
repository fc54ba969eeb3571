//! What goes into the roster and what comes out: states, events, commands. Plain data.
//!
//! Must not know how a command is carried out or where an event comes from.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::name::{Incarnation, NodeName};
use crate::supervisor::exit::Exit;
use crate::supervisor::policy::RestartPolicy;

/// How a node fares, in the words of every surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No process; the reason says whether it was stopped, is done, or waits for a parent.
    Stopped,
    /// A process, not ready yet.
    Starting,
    /// Linked with the master, and said that it is ready.
    Ready,
    /// Ready itself, but something that it needs is not there: a parent, or its database.
    Degraded,
    /// Asked to stop; it finishes its calls in flight.
    Draining,
    /// On its way out: asked, or killed, and not gone yet.
    Stopping,
    /// No process; the next attempt is due later.
    Backoff,
    /// No process, and no attempt before an operator asks for one.
    Failed,
    /// It has lost its link with the master; whether it works is not known.
    Unreachable,
}

impl State {
    /// The name on every surface, in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether a node in this state serves: ready, or degraded.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Ready | Self::Degraded)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the roster has to know of a node.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// Its name.
    pub name: NodeName,
    /// The nodes that must be up before it starts.
    pub parents: Vec<NodeName>,
    /// Whether this master starts it; if not, it is started elsewhere and only joins.
    pub start: bool,
    /// When it starts again.
    pub policy: RestartPolicy,
    /// How long it may take from its start to ready; then it is killed.
    pub start_timeout: Duration,
    /// How long its calls in flight may take when it was asked to stop; zero for not draining.
    pub drain_timeout: Duration,
    /// How long it may take, after draining, to be gone; then it is killed.
    pub stop_timeout: Duration,
    /// How long it may be unreachable before it is killed and started again; `None` for ever.
    pub hang_kill: Option<Duration>,
    /// Whether its children are started anew when it has ended.
    pub restart_children: bool,
    /// Whether a restart starts the next process beside the present one, which ends once the next is ready. Not for
    /// nodes whose end others have to notice.
    pub swap: bool,
}

impl NodeSpec {
    /// A node of this name with the defaults: no parents, started by the master, 10 s for start and drain,
    /// 5 s for the stop, killed after hanging for 30 s, children left alone, swapped on a restart.
    pub fn new(name: NodeName) -> Self {
        Self {
            name,
            parents: Vec::new(),
            start: true,
            policy: RestartPolicy::default(),
            start_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(5),
            hang_kill: Some(Duration::from_secs(30)),
            restart_children: false,
            swap: true,
        }
    }
}

/// What has happened. Events of a name that the roster does not have, or of a life that is over, change nothing.
#[derive(Debug, Clone)]
pub enum Event {
    /// Start every node, parents first.
    StartAll,
    /// An operator wants this node up; forgives its failed starts.
    Start(NodeName),
    /// An operator wants this node down.
    Stop(NodeName),
    /// An operator wants a new life of this node.
    Restart(NodeName),
    /// Stop every node, children first. Nothing starts after it.
    StopAll,
    /// Kill every node now.
    KillAll,
    /// These are the nodes from now on. Those that come are started, once [`Event::StartAll`] was said; those that are
    /// not among them are stopped and forgotten.
    Configure(Vec<NodeSpec>),
    /// [`Command::Spawn`] or [`Command::SpawnSuccessor`] succeeded. Reported before anything else about this process.
    Spawned {
        /// Whose process.
        name: NodeName,
        /// The process.
        pid: u32,
    },
    /// [`Command::Spawn`] or [`Command::SpawnSuccessor`] did not succeed.
    SpawnFailed {
        /// Whose process.
        name: NodeName,
        /// What the operating system said, with the path of the program.
        error: String,
        /// Whether another attempt may help.
        retry: bool,
    },
    /// A process of an earlier master still lives. Whoever says so has compared its start time, so that no
    /// stranger with the same number is meant, and will report its end.
    Adopted {
        /// Whose process.
        name: NodeName,
        /// The process.
        pid: u32,
        /// How often the earlier masters had started the node again.
        restarts: u64,
        /// Whether another process is the node, and this one is to end: it has been replaced, or was to replace.
        leaving: bool,
    },
    /// The node's link to the master is up and proven. The end of a link that it replaces is reported before.
    Joined {
        /// Who.
        name: NodeName,
        /// Which life.
        incarnation: Incarnation,
        /// The process, as the node says; on its own host.
        pid: u32,
    },
    /// The node serves. It says so once on every new link.
    Ready {
        /// Who.
        name: NodeName,
        /// Which life.
        incarnation: Incarnation,
    },
    /// What the node lacks besides its parents, such as its database, in words; `None` when nothing any more.
    Lacks {
        /// Who.
        name: NodeName,
        /// Which life.
        incarnation: Incarnation,
        /// What, and since when.
        what: Option<String>,
    },
    /// The node's link to the master is down.
    LinkLost {
        /// Who.
        name: NodeName,
        /// Which life.
        incarnation: Incarnation,
    },
    /// A spawned or adopted process has ended.
    Exited {
        /// Whose process.
        name: NodeName,
        /// The process.
        pid: u32,
        /// How it ended.
        exit: Exit,
    },
    /// Time has passed; due when [`next_deadline`](super::Roster::next_deadline) says so.
    Tick,
}

impl Event {
    /// The node that it is about, `None` if it is about all.
    pub const fn name(&self) -> Option<&NodeName> {
        match self {
            Self::StartAll | Self::StopAll | Self::KillAll | Self::Configure(_) | Self::Tick => None,
            Self::Start(name)
            | Self::Stop(name)
            | Self::Restart(name)
            | Self::Spawned { name, .. }
            | Self::SpawnFailed { name, .. }
            | Self::Adopted { name, .. }
            | Self::Joined { name, .. }
            | Self::Ready { name, .. }
            | Self::Lacks { name, .. }
            | Self::LinkLost { name, .. }
            | Self::Exited { name, .. } => Some(name),
        }
    }
}

/// What to do. To be carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start the node's process, and report [`Event::Spawned`] or [`Event::SpawnFailed`].
    Spawn(NodeName),
    /// Start a second process of the node, which is to take the place of a living one once it is ready. Report as
    /// for [`Command::Spawn`].
    SpawnSuccessor {
        /// Whose.
        name: NodeName,
        /// The life that it succeeds.
        of: Incarnation,
    },
    /// Tell a process that it is the node now and serves its ports. It may have been told before.
    TakeOver {
        /// Who.
        name: NodeName,
        /// Which life.
        incarnation: Incarnation,
    },
    /// A restart that an operator has asked for is over; said once for each that was not asked for during another.
    RestartEnded {
        /// Of whom.
        name: NodeName,
        /// Why there is no new life, or the old one stays; `None` if it went well.
        error: Option<String>,
    },
    /// Ask the node to stop: by its link, and by SIGTERM if there is a pid.
    Terminate {
        /// Who.
        name: NodeName,
        /// The process, `None` for a node that was started elsewhere and must not be signalled.
        pid: Option<u32>,
    },
    /// Send SIGABRT to a node that hangs, for a trace of where.
    Abort {
        /// Who.
        name: NodeName,
        /// The process.
        pid: u32,
    },
    /// Send SIGKILL to the process group.
    Kill {
        /// Who.
        name: NodeName,
        /// The process that leads the group.
        pid: u32,
    },
    /// The node is no more: it is configured no longer, and has ended.
    Forget(NodeName),
    /// Tell whoever is interested.
    Announce(StateChange),
    /// Every node that should run is ready; said once after [`Event::StartAll`].
    AllReady {
        /// The time since the start.
        after: Duration,
    },
    /// No node runs any more; said once after [`Event::StopAll`].
    AllStopped,
}

/// A node's step from one state to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateChange {
    /// Who.
    pub name: NodeName,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why, for a person.
    pub reason: String,
}
