//! What a node's process and its link report, and what that does to its state.
//!
//! Must not know who reports. News of a life that is over change nothing.

use std::time::{Duration, Instant};

use super::Node;
use crate::name::Incarnation;
use crate::supervisor::exit::Exit;
use crate::supervisor::policy::Decision;
use crate::supervisor::roster::event::{Command, State};
use crate::supervisor::roster::life::{Ending, Life, Origin};

impl Node {
    pub(crate) fn spawned(&mut self, pid: u32, out: &mut Vec<Command>) {
        let name = self.spec.name.clone();
        let beside = self.beside.as_mut().map(|beside| &mut beside.life);
        let mut both = self.life.as_mut().into_iter().chain(beside);
        let Some(life) = both.find(|life| life.pid.is_none()) else {
            return;
        };
        life.pid = Some(pid);
        if life.killed {
            out.push(Command::Kill { name, pid });
        } else if life.ending.is_some() {
            out.push(Command::Terminate { name, pid: Some(pid) });
        }
    }

    pub(crate) fn spawn_failed(&mut self, now: Instant, error: String, retry: bool, out: &mut Vec<Command>) {
        if self.life.take_if(|life| life.pid.is_none()).is_none() {
            return self.spawn_beside_failed(&error);
        }
        self.deadline = None;
        if !self.wanted || !self.spec.start {
            return self.enter(now, State::Stopped, error, out);
        }
        let decision = match retry {
            true => self.policy.on_failed_start(now),
            false => Decision::GiveUp("another attempt would not help".to_owned()),
        };
        self.follow(now, decision, error, out);
    }

    /// A process of an earlier master was found.
    pub(crate) fn adopted(&mut self, now: Instant, pid: u32, restarts: u64, out: &mut Vec<Command>) {
        if self.life.is_some() {
            return;
        }
        self.restarts = restarts;
        self.life = Some(Life::new(Origin::Adopted, Some(pid), now));
        self.wanted = true;
        let reason = format!("found running as process {pid}, not linked yet");
        self.enter(now, State::Unreachable, reason, out);
        self.deadline = self.spec.hang_kill.and_then(|limit| now.checked_add(limit));
    }

    /// Its link is up. A process that this master neither spawned nor adopted was started elsewhere.
    pub(crate) fn joined(
        &mut self,
        now: Instant,
        incarnation: Incarnation,
        pid: u32,
        out: &mut Vec<Command>,
    ) {
        if self.joined_beside(incarnation, pid) || self.life.is_none() && self.ended_pids.contains(&Some(pid))
        {
            return;
        }
        let is_new = |life: &Life| life.is_elsewhere() && life.pid != Some(pid);
        if self.life.as_ref().is_none_or(is_new) {
            self.life = Some(Life::new(Origin::Elsewhere, Some(pid), now));
            self.wanted = true;
            self.again_after = None;
            self.deadline = None;
            let reason = format!("joined as process {pid}, started elsewhere");
            self.enter(now, State::Starting, reason, out);
        }
        // Any other process is one of a former life, which does not know yet that it is over.
        let Some(life) = self.life.as_mut().filter(|life| life.pid == Some(pid)) else {
            return;
        };
        let was_ready = life.ready_since.is_some() && life.incarnation == Some(incarnation);
        let limit = (!life.is_elsewhere())
            .then(|| now.checked_add(self.spec.start_timeout))
            .flatten();
        life.incarnation = Some(incarnation);
        life.linked = true;
        if self.state != State::Unreachable {
            return;
        }
        if was_ready {
            self.deadline = None;
            self.enter(now, State::Ready, "linked again", out);
        } else {
            self.deadline = limit;
            self.enter(now, State::Starting, "linked, not ready yet", out);
        }
    }

    pub(crate) fn ready(&mut self, now: Instant, incarnation: Incarnation, out: &mut Vec<Command>) {
        let Some(life) = self.life.as_mut().filter(|life| life.is_linked_as(incarnation)) else {
            return self.ready_beside(now, incarnation, out);
        };
        if life.ending.is_some() {
            return;
        }
        if life.may_stand_by {
            let name = self.spec.name.clone();
            out.push(Command::TakeOver { name, incarnation });
        }
        let since = *life.ready_since.get_or_insert(now);
        if !self.state.is_up() {
            let took = since.saturating_duration_since(life.since);
            self.deadline = None;
            let reason = format!("ready after {} ms", took.as_millis());
            self.enter(now, State::Ready, reason, out);
        }
    }

    /// What it lacks besides its parents. Weighed together with them.
    pub(crate) fn lacks(&mut self, incarnation: Incarnation, what: Option<String>) {
        if let Some(life) = self.life.as_mut().filter(|life| life.is_linked_as(incarnation)) {
            life.lacks = what;
        }
    }

    pub(crate) fn link_lost(&mut self, now: Instant, incarnation: Incarnation, out: &mut Vec<Command>) {
        let Some(life) = self.life.as_mut().filter(|life| life.is_linked_as(incarnation)) else {
            return self.link_lost_beside(incarnation);
        };
        life.linked = false;
        if life.is_elsewhere() {
            self.lost_elsewhere(now, out);
        } else if self.state.is_up() {
            self.enter(now, State::Unreachable, "link lost", out);
            self.deadline = self.spec.hang_kill.and_then(|limit| now.checked_add(limit));
        }
    }

    /// A process of another host has left; whether it lives cannot be known. If this master may start the node,
    /// it does so after a while in which the other may come back.
    fn lost_elsewhere(&mut self, now: Instant, out: &mut Vec<Command>) {
        let asked = self.life.take().is_some_and(|life| life.ending.is_some());
        self.deadline = None;
        if asked {
            self.enter(now, State::Stopped, "left as asked", out);
        } else {
            self.enter(
                now,
                State::Unreachable,
                "link lost; it was started elsewhere",
                out,
            );
            self.deadline = self
                .spec
                .start
                .then(|| now.checked_add(self.spec.start_timeout))
                .flatten();
        }
    }

    /// Its process has ended. Returns whether one of its lives was meant.
    pub(crate) fn exited(&mut self, now: Instant, pid: u32, exit: Exit, out: &mut Vec<Command>) -> bool {
        let Some(life) = self.life.take_if(|life| life.own_pid() == Some(pid)) else {
            self.exited_beside(now, pid, exit);
            return false;
        };
        self.ended_pids = [Some(pid), self.ended_pids[0]];
        self.deadline = None;
        let reason = life.end_text(&exit, &self.spec);
        if self.promote_successor(now, &reason, out) {
            self.history.remember(now, &life, reason, exit);
            return true;
        }
        let decision = match life.ending {
            _ if !self.wanted || !self.spec.start => None,
            Some(Ending::Asked) => None,
            _ => {
                // How long an adopted one had been ready is not known; that it served a former master is.
                let ready_for = match life.origin {
                    Origin::Adopted => Some(Duration::MAX),
                    _ => life.ready_since.map(|since| now.saturating_duration_since(since)),
                };
                Some(self.policy.on_exit(now, &exit, ready_for))
            }
        };
        self.history.remember(now, &life, reason.clone(), exit);
        match decision {
            Some(decision) => self.follow(now, decision, reason, out),
            // Asked to stop, or to make way for a new life, which is due at once.
            None => self.enter(now, State::Stopped, reason, out),
        }
        true
    }

    /// Does what the policy decided about an end that nobody asked for.
    fn follow(&mut self, now: Instant, decision: Decision, reason: String, out: &mut Vec<Command>) {
        match decision {
            Decision::RestartAt(at) => {
                self.again_after = Some(reason.clone());
                if at <= now {
                    return; // Due now: the roster spawns it, or has it wait for a parent.
                }
                let reason = match self.policy.in_crash_loop(now) {
                    true => format!("{reason}; {}", self.policy.crash_loop_text(now)),
                    false => reason,
                };
                self.enter(now, State::Backoff, reason, out);
                self.deadline = Some(at);
            }
            Decision::GiveUp(why) => {
                self.wanted = false;
                self.enter(now, State::Failed, format!("{reason}; {why}"), out);
            }
            Decision::Done => {
                self.wanted = false;
                let reason = format!(
                    "{reason}; not started again, as it is {}",
                    self.spec.policy.restart
                );
                self.enter(now, State::Stopped, reason, out);
            }
        }
    }
}
