//! The second process that a restart puts beside the first, and what becomes of the two.
//!
//! ```text
//!  restart ──> successor ── ready ──> it is the node; the old one is asked and leaves ──> one again
//!                │    │
//!                │    └── the old one dies ──> it is the node, still starting
//!                └─────── fails, is late, or the node is to stop ──> the old one stays
//! ```
//!
//! Invariant: a process beside is a successor or leaving, never both at once, and there is no third.

use std::time::Instant;

use super::Node;
use crate::name::Incarnation;
use crate::supervisor::exit::Exit;
use crate::supervisor::roster::event::{Command, State};
use crate::supervisor::roster::life::{Ending, Life, Origin};
use crate::supervisor::roster::snapshot::{Role, SecondProcess};

/// A process beside the one that is the node.
#[derive(Debug)]
pub(super) struct Beside {
    role: Role,
    pub(super) life: Life,
    /// When it is killed.
    pub(super) deadline: Option<Instant>,
}

impl Beside {
    /// Whether it may still take the node's place.
    fn may_succeed(&self) -> bool {
        self.role == Role::Successor && self.life.ending.is_none()
    }

    pub(super) fn snapshot(&self, now: Instant) -> SecondProcess {
        SecondProcess {
            role: self.role,
            pid: self.life.pid,
            uptime: now.saturating_duration_since(self.life.since).as_secs_f64(),
        }
    }
}

/// A restart that an operator has asked for and that is under way.
#[derive(Debug)]
pub(super) struct Renewal {
    /// The process that is to go; `None` if any that is ready will do.
    old: Option<u32>,
    /// Why it has failed.
    failed: Option<String>,
}

impl Renewal {
    pub(super) fn of(life: Option<&Life>) -> Self {
        Self {
            old: life.and_then(|life| life.pid),
            failed: None,
        }
    }
}

impl Node {
    /// The life that a successor would take the place of, if one may.
    pub(super) fn can_be_swapped(&self) -> Option<Incarnation> {
        let life = self.life.as_ref().filter(|life| life.own_pid().is_some())?;
        let fits = self.spec.swap && self.spec.start && self.state.is_up();
        life.incarnation.filter(|_| fits)
    }

    fn begin_swap(&mut self, now: Instant, of: Incarnation, out: &mut Vec<Command>) {
        self.beside = Some(Beside {
            role: Role::Successor,
            life: Life::successor(now),
            deadline: now.checked_add(self.spec.start_timeout),
        });
        let name = self.spec.name.clone();
        out.push(Command::SpawnSuccessor { name, of });
    }

    /// Whether a successor is being spawned: until that is known, nothing else is.
    pub(super) fn is_spawning_beside(&self) -> bool {
        self.beside
            .as_ref()
            .is_some_and(|beside| beside.life.pid.is_none())
    }

    /// A process that an earlier master has left beside the node: it has been replaced, or was to replace it.
    pub(in crate::supervisor::roster) fn adopted_leaving(
        &mut self,
        now: Instant,
        pid: u32,
        out: &mut Vec<Command>,
    ) {
        if self.beside.is_none() {
            self.leave(now, Life::new(Origin::Adopted, Some(pid), now), out);
        }
    }

    /// Asks a life, which is not the node any more, to end when its calls are done.
    fn leave(&mut self, now: Instant, mut life: Life, out: &mut Vec<Command>) {
        if life.ending.is_none() {
            life.ending = Some(Ending::Asked);
            let (name, pid) = (self.spec.name.clone(), life.pid);
            out.push(Command::Terminate { name, pid });
        }
        let patience = self.spec.drain_timeout.saturating_add(self.spec.stop_timeout);
        self.beside = Some(Beside {
            role: Role::Leaving,
            life,
            deadline: now.checked_add(patience),
        });
    }

    /// A node that is to stop needs no successor.
    pub(super) fn end_successor(&mut self, now: Instant, out: &mut Vec<Command>) {
        let Some(beside) = self.beside.as_mut().filter(|beside| beside.may_succeed()) else {
            return;
        };
        beside.life.ending = Some(Ending::Asked);
        beside.deadline = now.checked_add(self.spec.stop_timeout);
        if let Some(pid) = beside.life.pid {
            let name = self.spec.name.clone();
            out.push(Command::Terminate { name, pid: Some(pid) });
        }
    }

    /// Kills all processes of the node now.
    pub(in crate::supervisor::roster) fn kill_both(
        &mut self,
        now: Instant,
        why: &str,
        out: &mut Vec<Command>,
    ) {
        self.kill_beside(Ending::Asked, out);
        self.kill(now, why, out);
    }

    fn kill_beside(&mut self, why: Ending, out: &mut Vec<Command>) {
        let Some(beside) = self.beside.as_mut() else {
            return;
        };
        beside.deadline = None;
        beside.life.ending.get_or_insert(why);
        let first = !std::mem::replace(&mut beside.life.killed, true);
        if let Some(pid) = beside.life.pid.filter(|_| first) {
            let name = self.spec.name.clone();
            out.push(Command::Kill { name, pid });
        }
    }

    /// Its time is up: the successor was not ready, or the one that leaves is not gone.
    pub(super) fn expire_beside(&mut self, now: Instant, out: &mut Vec<Command>) {
        let due = |beside: &Beside| beside.deadline.is_some_and(|at| at <= now);
        if let Some(late) = self.beside.as_ref().filter(|beside| due(beside)) {
            let linked = late.life.linked;
            self.kill_beside(Ending::NotReady { linked }, out);
        }
    }

    pub(super) fn spawn_beside_failed(&mut self, error: &str) {
        if let Some(beside) = self.beside.take_if(|beside| beside.life.pid.is_none()) {
            self.successor_ended(&beside.life, error);
        }
    }

    /// Whether the link that is up is that of the process beside.
    pub(super) fn joined_beside(&mut self, incarnation: Incarnation, pid: u32) -> bool {
        let Some(beside) = self.beside.as_mut().filter(|beside| beside.life.pid == Some(pid)) else {
            return false;
        };
        beside.life.incarnation = Some(incarnation);
        beside.life.linked = true;
        true
    }

    pub(super) fn link_lost_beside(&mut self, incarnation: Incarnation) {
        if let Some(beside) = self
            .beside
            .as_mut()
            .filter(|beside| beside.life.is_linked_as(incarnation))
        {
            beside.life.linked = false;
        }
    }

    /// The successor is ready: it is the node from now on, and the old one leaves.
    pub(super) fn ready_beside(&mut self, now: Instant, incarnation: Incarnation, out: &mut Vec<Command>) {
        let is_ready = |beside: &mut Beside| beside.may_succeed() && beside.life.is_linked_as(incarnation);
        let Some(successor) = self.beside.take_if(is_ready) else {
            return;
        };
        let mut life = successor.life;
        life.ready_since = Some(now);
        let reason = format!(
            "ready after {} ms, in place of the process before",
            now.saturating_duration_since(life.since).as_millis()
        );
        let name = self.spec.name.clone();
        out.push(Command::TakeOver { name, incarnation });
        if let Some(old) = self.life.replace(life) {
            self.leave(now, old, out);
        }
        self.deadline = None;
        self.since = now;
        if self.state == State::Degraded {
            self.reason = reason; // still without a parent
        } else {
            self.enter(now, State::Ready, reason, out);
        }
    }

    /// The node's process has ended, as `reason` says: a successor that is on its way takes its place early.
    pub(super) fn promote_successor(&mut self, now: Instant, reason: &str, out: &mut Vec<Command>) -> bool {
        let Some(successor) = self.beside.take_if(|beside| self.wanted && beside.may_succeed()) else {
            return false;
        };
        self.restarts += 1;
        self.life = Some(successor.life);
        self.enter(
            now,
            State::Starting,
            format!("its successor goes on after: {reason}"),
            out,
        );
        self.deadline = successor.deadline;
        true
    }

    pub(super) fn exited_beside(&mut self, now: Instant, pid: u32, exit: Exit) {
        let Some(beside) = self.beside.take_if(|beside| beside.life.pid == Some(pid)) else {
            return;
        };
        self.ended_pids = [Some(pid), self.ended_pids[0]];
        let end = beside.life.end_text(&exit, &self.spec);
        let reason = match beside.role {
            Role::Successor => {
                self.successor_ended(&beside.life, &end);
                format!("as a successor: {end}")
            }
            Role::Leaving => format!("replaced: {end}"),
        };
        self.history.remember(now, &beside.life, reason, exit);
    }

    /// A successor has ended without having taken over. One that was asked to was so because the node itself is to
    /// end, and how that goes its state will say.
    fn successor_ended(&mut self, life: &Life, why: &str) {
        if life.ending == Some(Ending::Asked) {
            return;
        }
        if self.state.is_up() {
            self.reason = format!("not replaced, as its successor failed: {why}");
        }
        if let Some(renewal) = &mut self.renewal {
            renewal.failed = Some(format!("the successor failed: {why}; the old process stays"));
        }
    }

    /// Whether a restart that an operator asked for is under way.
    pub(in crate::supervisor::roster) const fn is_renewed(&self) -> bool {
        self.renewal.is_some()
    }

    /// Goes on with the restart that was asked for: begins a swap as soon as nobody is beside the node, and says
    /// how it went once that is known.
    pub(in crate::supervisor::roster) fn renew(&mut self, now: Instant, out: &mut Vec<Command>) {
        let Some(renewal) = &self.renewal else { return };
        let pid = self.life.as_ref().and_then(|life| life.pid);
        let is_new = renewal.old.is_none() || pid != renewal.old;
        let error = match self.state {
            _ if renewal.failed.is_some() => renewal.failed.clone(),
            _ if self.beside.is_some() => return,
            State::Ready | State::Degraded if is_new => None,
            State::Failed | State::Backoff => Some(self.reason.clone()),
            State::Stopped if !self.wanted => Some(self.reason.clone()),
            _ => {
                if let Some(of) = self.can_be_swapped() {
                    self.begin_swap(now, of, out);
                }
                return;
            }
        };
        self.renewal = None;
        let name = self.spec.name.clone();
        out.push(Command::RestartEnded { name, error });
    }
}
