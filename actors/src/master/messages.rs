//! What the master's actor is told and asked: by its own tasks, by the admin side, by signals.

use actix::Message;
use lampyris_runtime::link::LinkId;
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::Event;

use super::reload::{NotReloaded, Reloaded};

/// Something happened that the roster must know.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Happened(pub(crate) Event);

/// Somebody wants the whole tree to stop; a second time, at once.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopCluster {
    /// Who.
    pub(crate) by: &'static str,
    /// Without letting calls end.
    pub(crate) now: bool,
}

/// Somebody wants this master to end and its nodes to go on, for the next master.
#[derive(Message)]
#[rtype(result = "Result<(), Refused>")]
pub(crate) struct Leave {
    /// Who.
    pub(crate) by: &'static str,
}

/// An operator wants something of one node. What takes its time is answered with the id of an operation.
#[derive(Message)]
#[rtype(result = "Result<Option<String>, Refused>")]
pub(crate) struct Act {
    /// Which node.
    pub(crate) name: NodeName,
    /// What.
    pub(crate) action: Action,
}

/// Why the master does not do what an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No node has the name.
    NoSuchNode,
    /// Nodes are started by hand here: `--only`, or `start = false`.
    NotStartedHere,
    /// The whole tree is stopping.
    Stopping,
}

/// What an operator can want of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Start,
    Stop,
    /// A new life, in place of the present one if there is one.
    Restart,
    /// The same: the next life runs the program that is on the disk now.
    Reload,
}

/// An operator wants every node that serves to be restarted, one after the other; answered with an operation's id.
#[derive(Message)]
#[rtype(result = "Result<String, Refused>")]
pub(crate) struct RollingRestart;
/// Read the configuration again, and apply it.
#[derive(Message)]
#[rtype(result = "Result<Reloaded, NotReloaded>")]
pub(crate) struct Reload;

/// Take over what an earlier master has left running.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Adopt;

/// A link to a node has come up: tell it where its parents are, and its children where it is.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Joined(pub(crate) LinkId);
