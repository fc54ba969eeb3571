//! What the admin side asks of the master, beside [`Act`](super::Act): the link to a node, its death, and how the
//! cluster stands as a whole. And what the master notes for the operators.

use actix::{Context, Handler, Message};
use lampyris_runtime::link::Peer;
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::process::Sign;
use lampyris_runtime::supervisor::roster::{Event, StateChange};

use super::{Master, now};
use crate::records::{EventKind, News};

/// The link to a node, to ask the node itself; `None` for a name that no node has.
#[derive(Message)]
#[rtype(result = "Option<Peer>")]
pub(crate) struct LinkTo(pub(crate) NodeName);

/// Signals a node's process. `None` if it has none here; else its number.
#[derive(Message)]
#[rtype(result = "Option<u32>")]
pub(crate) struct Kill(pub(crate) NodeName, pub(crate) Sign);

/// How the whole is.
#[derive(Message)]
#[rtype(result = "Standing")]
pub(crate) struct HowStands;

/// The answer to [`HowStands`].
#[derive(Debug, Clone, Copy, actix::MessageResponse)]
pub(crate) struct Standing {
    /// For how long the master has been running, in seconds.
    pub(crate) uptime: f64,
    /// Whether the whole tree is stopping.
    pub(crate) stopping: bool,
}

impl Handler<LinkTo> for Master {
    type Result = Option<Peer>;

    fn handle(&mut self, LinkTo(name): LinkTo, _: &mut Context<Self>) -> Self::Result {
        self.links.get(&name)
    }
}

impl Handler<Kill> for Master {
    type Result = Option<u32>;

    fn handle(&mut self, Kill(name, sign): Kill, _: &mut Context<Self>) -> Self::Result {
        let nodes = self.roster.snapshot(now());
        let node = nodes.into_iter().find(|node| node.name == name)?;
        let pid = node.pid.filter(|pid| self.processes.is_own(&name, *pid))?;
        self.processes.sign(&name, pid, sign);
        Some(pid)
    }
}

impl Handler<HowStands> for Master {
    type Result = Standing;

    fn handle(&mut self, _: HowStands, _: &mut Context<Self>) -> Self::Result {
        Standing {
            uptime: self.started.elapsed().as_secs_f64(),
            stopping: self.closing != super::Closing::No,
        }
    }
}

impl Master {
    /// Notes what operators are to know of an event.
    pub(super) fn note(&self, event: &Event) {
        let (kind, name, text) = match event {
            Event::Exited { name, pid, exit } => {
                let last = exit.last_lines.last().map(|line| format!("; last line: {line}"));
                let text = format!("process {pid} ended: {exit}{}", last.unwrap_or_default());
                (EventKind::Exit, name, text)
            }
            // A successor that has stood by, and has the place now.
            Event::Joined {
                name, incarnation, ..
            } if self.roster.is_linked(name, *incarnation) => return,
            Event::Joined { name, pid, .. } => (
                EventKind::LinkUp,
                name,
                format!("the link of {name} to the master is up (pid {pid})"),
            ),
            Event::LinkLost { name, .. } => (
                EventKind::LinkDown,
                name,
                format!("the link of {name} to the master is down"),
            ),
            _ => return,
        };
        self.records.note(News::new(kind, text).node(name));
    }

    /// Notes a node's change of state.
    pub(super) fn note_state(&self, change: &StateChange) {
        let text = format!("{}: {}", change.to, change.reason);
        let news = News::new(EventKind::State, text).node(&change.name);
        self.records.note(news.states(change.from, change.to));
    }
}
