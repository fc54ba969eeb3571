//! What became of every message: the promises S1, S2, S4, S5 and S6, checked as the story goes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::process::Pid;
use super::world::EndId;
use crate::error::Ran;

/// How late a call may end.
const SLACK: Duration = Duration::from_millis(50);

#[derive(Debug)]
struct Message {
    caller: Pid,
    /// By the caller's clock; `None` for a notification.
    deadline: Option<Instant>,
    has_run: bool,
    /// What its end said of its handler.
    said: Option<Ran>,
}

#[derive(Debug, Default)]
pub(super) struct Checker {
    messages: Vec<Message>,
    open: BTreeSet<u64>,
    /// The number of the last message that came to an end of a link.
    last: BTreeMap<EndId, u64>,
    /// Calls that were answered, for a look at whether the walk is lame.
    pub(super) replies: u64,
    pub(super) faults: u64,
}

impl Checker {
    pub(super) fn begin(&mut self, caller: Pid, deadline: Option<Instant>) -> u64 {
        let uid = self.messages.len() as u64;
        self.messages.push(Message {
            caller,
            deadline,
            has_run: false,
            said: None,
        });
        if deadline.is_some() {
            self.open.insert(uid);
        }
        uid
    }

    /// A message came over a link: in the order in which they were sent.
    pub(super) fn arrived(&mut self, end: EndId, hop: u64) -> Result<(), &'static str> {
        let last = self.last.insert(end, hop).unwrap_or_default();
        match hop.cmp(&last) {
            std::cmp::Ordering::Greater => Ok(()),
            std::cmp::Ordering::Equal => Err("S1: a message came twice"),
            std::cmp::Ordering::Less => Err("S5: a message overtook another"),
        }
    }

    pub(super) fn ran(&mut self, uid: u64) -> Result<(), &'static str> {
        let message = &mut self.messages[uid as usize];
        if std::mem::replace(&mut message.has_run, true) {
            return Err("S1: a handler ran twice for one message");
        }
        match message.said {
            Some(Ran::No) => Err("S4: a handler ran after its call had ended with `ran=no`"),
            _ => Ok(()),
        }
    }

    /// A call has ended: with the message that its answer is for, or with what its error says.
    pub(super) fn ended(
        &mut self,
        uid: u64,
        outcome: Result<u64, Ran>,
        now: Instant,
        held_up: Instant,
    ) -> Result<(), String> {
        if !self.open.remove(&uid) {
            return Err(format!("S2: call {uid} ended twice"));
        }
        let message = &mut self.messages[uid as usize];
        let said = match outcome {
            Ok(other) if other != uid => {
                return Err(format!("S6: call {uid} got the answer of message {other}"));
            }
            Ok(_) => Ran::Yes,
            Err(ran) => ran,
        };
        *(if outcome.is_ok() {
            &mut self.replies
        } else {
            &mut self.faults
        }) += 1;
        message.said = Some(said);
        if (said == Ran::No && message.has_run) || (said == Ran::Yes && !message.has_run) {
            let ran = if message.has_run { "ran" } else { "did not run" };
            return Err(format!(
                "S4: call {uid} ended with `ran={}`, but its handler {ran}",
                said.name()
            ));
        }
        if message.is_overdue(now, held_up) {
            return Err(format!("S2: call {uid} ended late"));
        }
        Ok(())
    }

    /// Nobody waits for the answers of a process's calls any more.
    pub(super) fn process_ended(&mut self, pid: Pid) {
        self.open.retain(|uid| self.messages[*uid as usize].caller != pid);
    }

    /// A call that should have ended, by the clock of its caller and the time when that was last held up.
    pub(super) fn overdue(&self, clock: impl Fn(Pid) -> Option<(Instant, Instant)>) -> Option<u64> {
        self.open.iter().copied().find(|uid| {
            let message = &self.messages[*uid as usize];
            clock(message.caller).is_some_and(|(now, held_up)| message.is_overdue(now, held_up))
        })
    }

    /// Calls that have not ended.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Whether the handler of a call ran and its answer came.
    pub(super) fn was_answered(&self, uid: u64) -> bool {
        self.messages[uid as usize].said == Some(Ran::Yes)
    }
}

impl Message {
    fn is_overdue(&self, now: Instant, held_up: Instant) -> bool {
        self.deadline
            .is_some_and(|deadline| now > deadline.max(held_up) + SLACK)
    }
}
