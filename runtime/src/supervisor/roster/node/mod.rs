//! One node of the roster: its life, if it has one, and the moves of its state. Pure.
//!
//! Here are what operators want of it and what time does to it; `news` has what its process and its link report,
//! `swap` the second process that a restart puts beside the first.
//! Must not know the other nodes: parents, children and the order of the tree are the roster's.
//!
//! Moves, each with its time limit in brackets:
//!
//! ```text
//! stopped ── start ──> starting [start_timeout: kill] ── ready ──> ready <──> degraded
//!    ^                     │  ^                                      │  ^
//!    │                  ended │ due                        link lost │  │ joined again
//!    │                     v  │                                      v  │
//!    ├── done, asked ── (policy) ── later ──> backoff    unreachable [hang_kill: abort, kill]
//!    │                     └─── no more ──> failed
//!    └── ended ── stopping [stop_timeout: kill] <── draining [drain_timeout] <── asked to stop
//! ```

mod news;
mod swap;

use std::time::{Duration, Instant};

use super::event::{Command, NodeSpec, State, StateChange};
use super::life::{Ending, History, Life, Origin, late_text};
use super::snapshot::{NodeSnapshot, RestartWindow};
use crate::backoff::Random;
use crate::name::Incarnation;
use crate::supervisor::{policy::Policy, seconds};
use swap::{Beside, Renewal};

/// The time between SIGABRT and SIGKILL for a node that hangs.
const ABORT_GRACE: Duration = Duration::from_secs(2);

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) spec: NodeSpec,
    /// Places of its parents and children in the roster.
    pub(super) parents: Vec<usize>,
    pub(super) children: Vec<usize>,
    pub(super) state: State,
    /// Whether it should run, as far as operators and policy are concerned.
    pub(super) wanted: bool,
    /// Whether it is configured no more, and forgotten as soon as it has ended.
    pub(super) dismissed: bool,
    /// When the state's time limit, or the next attempt, is due.
    pub(super) deadline: Option<Instant>,
    policy: Policy,
    since: Instant,
    reason: String,
    life: Option<Life>,
    beside: Option<Beside>,
    renewal: Option<Renewal>,
    /// The last processes that have ended here: news of their links may come after those of their ends.
    ended_pids: [Option<u32>; 2],
    /// The end, unasked for, that the next start makes good.
    again_after: Option<String>,
    restarts: u64,
    history: History,
}

impl Node {
    pub(super) fn new(now: Instant, spec: NodeSpec, random: Random) -> Self {
        let reason = match spec.start {
            true => "not started yet",
            false => "started elsewhere, not joined yet",
        };
        Self {
            policy: Policy::new(spec.policy, random),
            spec,
            parents: Vec::new(),
            children: Vec::new(),
            state: State::Stopped,
            wanted: false,
            dismissed: false,
            deadline: None,
            since: now,
            reason: reason.to_owned(),
            life: None,
            beside: None,
            renewal: None,
            ended_pids: [None; 2],
            again_after: None,
            restarts: 0,
            history: History::default(),
        }
    }

    pub(super) fn lives(&self) -> bool {
        self.life.is_some() || self.beside.is_some()
    }

    /// When time has to be looked after.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let beside = self.beside.as_ref().and_then(|beside| beside.deadline);
        self.deadline.into_iter().chain(beside).min()
    }

    /// Whether it should be spawned, if only its parents were up.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_free = self.life.is_none() && !self.is_spawning_beside();
        self.wanted && self.spec.start && is_free && self.deadline.is_none_or(|at| at <= now)
    }

    pub(super) fn spawn(&mut self, now: Instant, out: &mut Vec<Command>) {
        self.restarts += u64::from(self.again_after.is_some());
        let reason = match self.again_after.take() {
            Some(end) => format!("started again after: {end}"),
            None => "started".to_owned(),
        };
        self.life = Some(Life::new(Origin::Spawned, None, now));
        self.enter(now, State::Starting, reason, out);
        self.deadline = now.checked_add(self.spec.start_timeout);
        out.push(Command::Spawn(self.spec.name.clone()));
    }

    /// Waits for a parent; `why` names it.
    pub(super) fn wait(&mut self, now: Instant, why: String, out: &mut Vec<Command>) {
        self.deadline = None;
        self.enter(now, State::Stopped, why, out);
    }

    /// An operator wants it up.
    pub(super) fn start(&mut self) {
        if !self.spec.start || self.wanted && !matches!(self.state, State::Backoff) {
            return;
        }
        self.wanted = true;
        self.policy.reset();
        if self.life.is_none() {
            self.deadline = None;
            self.again_after = None;
        }
    }

    /// It should be down: a living one is asked, any other is stopped at once.
    pub(super) fn stop(&mut self, now: Instant, why: &str, out: &mut Vec<Command>) {
        self.wanted = false;
        self.again_after = None;
        if self.life.is_some() {
            self.end(now, why, out);
        } else {
            self.deadline = None;
            self.enter(now, State::Stopped, why, out);
        }
    }

    /// It is configured otherwise from now on, or again.
    pub(super) fn change(&mut self, now: Instant, spec: NodeSpec, out: &mut Vec<Command>) {
        self.dismissed = false;
        self.policy.change(spec.policy);
        let other_patience = self.spec.hang_kill != spec.hang_kill;
        self.spec = spec;
        if self.life.is_none() && !self.spec.start && self.wanted {
            self.stop(now, "started elsewhere from now on", out);
        }
        if self.life.is_some() && self.state == State::Unreachable && other_patience {
            self.deadline = self.spec.hang_kill.and_then(|limit| now.checked_add(limit));
        }
    }

    /// It is configured no more. Its parents and children are not its own any longer.
    pub(super) fn dismiss(&mut self, now: Instant, why: &str, out: &mut Vec<Command>) {
        self.dismissed = true;
        self.spec.parents.clear();
        self.stop(now, why, out);
    }

    /// A new life: beside the living one, if that can be; else that is asked to stop and is due again when it has
    /// ended. One that is under way already is the same.
    pub(super) fn restart(&mut self, now: Instant, why: &str, out: &mut Vec<Command>) {
        if self.renewal.is_some() {
            return;
        }
        let coming_up = matches!(self.state, State::Starting);
        self.wanted |= self.spec.start;
        self.policy.reset();
        self.renewal = Some(Renewal::of(self.life.as_ref().filter(|_| !coming_up)));
        if self.life.is_none() {
            self.deadline = None;
            self.again_after = None;
        } else if !coming_up && self.can_be_swapped().is_none() {
            self.end(now, why, out);
        }
        // A swap begins when the events at hand have been dealt with.
    }

    /// Asks the living process to stop, once; and a successor with it.
    pub(super) fn end(&mut self, now: Instant, why: &str, out: &mut Vec<Command>) {
        self.end_successor(now, out);
        let serves = self.state.is_up();
        let Some(life) = self.life.as_mut().filter(|life| life.ending.is_none()) else {
            return;
        };
        life.ending = Some(Ending::Asked);
        if life.pid.is_some() {
            let (name, pid) = (self.spec.name.clone(), life.own_pid());
            out.push(Command::Terminate { name, pid });
        }
        if serves && !self.spec.drain_timeout.is_zero() {
            self.enter(now, State::Draining, why, out);
            self.deadline = now.checked_add(self.spec.drain_timeout);
        } else {
            self.enter(now, State::Stopping, why, out);
            self.deadline = now.checked_add(self.spec.stop_timeout);
        }
    }

    /// Kills the life now, whatever it is doing; one that runs elsewhere is let go.
    pub(super) fn kill(&mut self, now: Instant, why: &str, out: &mut Vec<Command>) {
        let Some(life) = self.life.as_mut() else { return };
        if life.is_elsewhere() {
            self.life = None;
            self.deadline = None;
            let reason = format!("{why}, left alone as it runs elsewhere");
            return self.enter(now, State::Stopped, reason, out);
        }
        life.ending.get_or_insert(Ending::Asked);
        let first = !std::mem::replace(&mut life.killed, true);
        if let Some(pid) = life.pid.filter(|_| first) {
            let name = self.spec.name.clone();
            out.push(Command::Kill { name, pid });
        }
        self.deadline = None;
        self.enter(now, State::Stopping, format!("{why}, killed"), out);
    }

    /// The state's time is up.
    pub(super) fn expire(&mut self, now: Instant, out: &mut Vec<Command>) {
        self.expire_beside(now, out);
        if self.deadline.is_none_or(|at| at > now) {
            return;
        }
        match self.state {
            State::Starting => {
                let linked = self.life.as_ref().is_some_and(|life| life.linked);
                self.give_up_on(now, Ending::NotReady { linked }, out);
            }
            State::Draining => {
                self.deadline = now.checked_add(self.spec.stop_timeout);
                self.enter(now, State::Stopping, "drained for as long as it may", out);
            }
            State::Stopping => self.kill(now, &self.late_text(), out),
            State::Unreachable if self.life.is_some() => self.give_up_on(now, Ending::Hung, out),
            // A start is due: the roster sees to it, if the node is wanted.
            State::Unreachable | State::Backoff if self.wanted => {}
            _ => self.deadline = None,
        }
    }

    fn late_text(&self) -> String {
        match self.life.as_ref().and_then(|life| life.ending) {
            Some(Ending::Hung) => self.reason.clone(),
            _ => format!("not gone after {}", seconds(self.spec.stop_timeout)),
        }
    }

    fn give_up_on(&mut self, now: Instant, why: Ending, out: &mut Vec<Command>) {
        let Some(life) = self.life.as_mut() else { return };
        life.ending = Some(why);
        match (why, life.pid) {
            (Ending::Hung, Some(pid)) => {
                let name = self.spec.name.clone();
                out.push(Command::Abort { name, pid });
                let limit = self.spec.hang_kill.unwrap_or_default();
                self.enter(now, State::Stopping, format!("hung {}", seconds(limit)), out);
                self.deadline = now.checked_add(ABORT_GRACE);
            }
            _ => {
                let late = late_text(life.linked, &self.spec);
                self.kill(now, &late, out);
            }
        }
    }

    /// What it says that it lacks.
    pub(super) fn lacking(&self) -> Option<String> {
        self.life.as_ref()?.lacks.clone()
    }

    /// Ready or degraded; `missing` says what is not up.
    pub(super) fn weigh(&mut self, now: Instant, missing: Option<String>, out: &mut Vec<Command>) {
        match (self.state, missing) {
            (State::Ready | State::Degraded, Some(why)) => self.enter(now, State::Degraded, why, out),
            (State::Degraded, None) => self.enter(now, State::Ready, "everything it needs is up", out),
            _ => {}
        }
    }

    fn enter(&mut self, now: Instant, to: State, reason: impl Into<String>, out: &mut Vec<Command>) {
        let from = std::mem::replace(&mut self.state, to);
        self.reason = reason.into();
        if from != to {
            self.since = now;
            let (name, reason) = (self.spec.name.clone(), self.reason.clone());
            out.push(Command::Announce(StateChange {
                name,
                from,
                to,
                reason,
            }));
        }
    }

    /// Which life it is in, once that has proved itself.
    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.life.as_ref().and_then(|life| life.incarnation)
    }

    /// Whether one of its processes is this one, and has a link.
    pub(super) fn is_linked_as(&self, incarnation: Incarnation) -> bool {
        let second = self.beside.as_ref().map(|beside| &beside.life);
        let mut lives = self.life.iter().chain(second);
        lives.any(|life| life.is_linked_as(incarnation))
    }

    /// The plain copy.
    pub(super) fn snapshot(&self, now: Instant) -> NodeSnapshot {
        let ago = |at: Instant| now.saturating_duration_since(at).as_secs_f64();
        let life = self.life.as_ref();
        let rules = self.policy.rules();
        let until = |at: Instant| at.saturating_duration_since(now).as_secs_f64();
        NodeSnapshot {
            name: self.spec.name.clone(),
            state: self.state,
            since: ago(self.since),
            reason: self.reason.clone(),
            start: self.spec.start,
            wanted: self.wanted,
            pid: life.and_then(|life| life.pid),
            adopted: life.is_some_and(|life| life.origin == Origin::Adopted),
            incarnation: self.incarnation(),
            restarts: self.restarts,
            restart_window: RestartWindow {
                failed_starts: self.policy.failed_starts(now),
                intensity: rules.intensity,
                period: rules.period.as_secs_f64(),
            },
            next_try_in: self.deadline.filter(|_| self.state == State::Backoff).map(until),
            last_exits: self.history.snapshot(now),
            uptime: life.map(|life| ago(life.since)),
            beside: self.beside.as_ref().map(|beside| beside.snapshot(now)),
        }
    }
}
