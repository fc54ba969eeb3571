//! One process of a node, from the command to spawn it to its end, and what is remembered of ended ones. Pure.
//!
//! Must not know states or policies; the node does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event::NodeSpec;
use super::snapshot::PastExit;
use crate::name::Incarnation;
use crate::supervisor::exit::Exit;
use crate::supervisor::seconds;

/// How many past ends a node remembers.
pub(super) const MAX_EXITS: usize = 20;

/// Who started a process, and with that who may signal it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// This master spawned it.
    Spawned,
    /// An earlier master spawned it, on this host.
    Adopted,
    /// Somebody else started it: it is asked by its link, and never signalled.
    Elsewhere,
}

/// Why a life is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// An operator asked.
    Asked,
    /// It was not ready in time; it had a link with the master by then, or none.
    NotReady { linked: bool },
    /// It was unreachable for too long.
    Hung,
}

/// One process.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) origin: Origin,
    /// `None` between the command to spawn and its success.
    pub(super) pid: Option<u32>,
    pub(super) since: Instant,
    /// The last proven incarnation.
    pub(super) incarnation: Option<Incarnation>,
    pub(super) linked: bool,
    pub(super) ready_since: Option<Instant>,
    pub(super) ending: Option<Ending>,
    /// Whether SIGKILL was sent, or is due as soon as the pid is known.
    pub(super) killed: bool,
    /// What it lacks besides its parents, as it says.
    pub(super) lacks: Option<String>,
    /// Whether it may be waiting to be told that it is the node, and serves no ports before.
    pub(super) may_stand_by: bool,
}

impl Life {
    pub(super) fn new(origin: Origin, pid: Option<u32>, since: Instant) -> Self {
        Self {
            origin,
            pid,
            since,
            incarnation: None,
            linked: false,
            ready_since: None,
            ending: None,
            killed: false,
            lacks: None,
            // Whether an earlier master got round to telling it is not known.
            may_stand_by: origin == Origin::Adopted,
        }
    }

    /// One that is to take the place of another.
    pub(super) fn successor(since: Instant) -> Self {
        Self {
            may_stand_by: true,
            ..Self::new(Origin::Spawned, None, since)
        }
    }

    pub(super) fn is_elsewhere(&self) -> bool {
        self.origin == Origin::Elsewhere
    }

    /// The process, if the master may signal it.
    pub(super) fn own_pid(&self) -> Option<u32> {
        self.pid.filter(|_| !self.is_elsewhere())
    }

    /// Whether news of this incarnation's link are about this life's present link.
    pub(super) fn is_linked_as(&self, incarnation: Incarnation) -> bool {
        self.linked && self.incarnation == Some(incarnation)
    }

    /// Its end in words: what the master had done, then what the operating system says.
    pub(super) fn end_text(&self, exit: &Exit, spec: &NodeSpec) -> String {
        match self.ending {
            Some(Ending::NotReady { linked }) => format!("{}, {exit}", late_text(linked, spec)),
            Some(Ending::Hung) => format!("hung {}, {exit}", seconds(spec.hang_kill.unwrap_or_default())),
            Some(Ending::Asked) if self.killed => format!("unclean stop, {exit}"),
            Some(Ending::Asked) => format!("stopped, {exit}"),
            None if self.ready_since.is_none() => format!("{exit} before it was ready"),
            None => exit.to_string(),
        }
    }
}

/// That a process was not ready in time, and how far it had come: it opens its ports before it links.
pub(super) fn late_text(linked: bool, spec: &NodeSpec) -> String {
    let come = match linked {
        true => "its ports are open, its start has not ended",
        false => "no link to the master",
    };
    format!("not ready after {} ({come})", seconds(spec.start_timeout))
}

/// The last ends of a node's processes, oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Ended>);

#[derive(Debug)]
struct Ended {
    at: Instant,
    uptime: Duration,
    reason: String,
    asked: bool,
    killed: bool,
    exit: Exit,
}

impl History {
    pub(super) fn remember(&mut self, now: Instant, life: &Life, reason: String, exit: Exit) {
        if self.0.len() == MAX_EXITS {
            self.0.pop_front();
        }
        self.0.push_back(Ended {
            at: now,
            uptime: now.saturating_duration_since(life.since),
            reason,
            asked: life.ending == Some(Ending::Asked),
            killed: life.killed,
            exit,
        });
    }

    pub(super) fn snapshot(&self, now: Instant) -> Vec<PastExit> {
        let past = |ended: &Ended| PastExit {
            ago: now.saturating_duration_since(ended.at).as_secs_f64(),
            uptime: ended.uptime.as_secs_f64(),
            reason: ended.reason.clone(),
            asked: ended.asked,
            killed: ended.killed,
            exit: ended.exit.clone(),
        };
        self.0.iter().map(past).collect()
    }
}
