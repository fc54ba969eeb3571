//! The calls that wait for a link that is down: a bounded queue, and when each has waited long enough. Pure; time
//! comes as an argument.
//!
//! Invariants: calls leave in the order in which they came; never more of them, or of their bytes, than the
//! settings allow; each leaves exactly once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::LinkSettings;
use super::conn::{Conn, Refused};
use super::term::Term;
use crate::error::{ErrorKind, Fault};
use crate::name::{HandlerId, NodeName};
use crate::reply::{ReplyTo, as_it_is};

/// The queue of one peer.
#[derive(Default)]
pub(super) struct Held {
    calls: VecDeque<HeldCall>,
    bytes: usize,
}

/// One call, or notification, that waits.
pub(super) struct HeldCall {
    pub(super) handler: HandlerId,
    pub(super) body: Bytes,
    pub(super) deadline: Instant,
    pub(super) gives_up: Instant,
    /// Where its answer goes; `None` for a notification.
    pub(super) reply: Option<ReplyTo>,
}

impl Held {
    /// Whether a message of so many bytes may wait for the node of this name.
    ///
    /// # Errors
    /// `too_large` or `overloaded`.
    pub(super) fn check_room(
        &self,
        bytes: usize,
        settings: &LinkSettings,
        name: &NodeName,
    ) -> Result<(), Fault> {
        let limit = settings.max_message;
        if bytes > limit {
            return Err(Fault::new(
                ErrorKind::TooLarge,
                format!("{bytes} bytes are more than the link's limit of {limit}"),
            ));
        }
        if self.calls.len() >= settings.held_calls || self.bytes + bytes > settings.held_bytes {
            let text = format!(
                "the link to {name} is down and {} calls wait for it",
                self.calls.len()
            );
            return Err(Fault::new(ErrorKind::Overloaded, text));
        }
        Ok(())
    }

    /// Lets a call wait, behind all others.
    pub(super) fn push(&mut self, call: HeldCall) {
        self.bytes += call.body.len();
        self.calls.push_back(call);
    }

    /// When the next call has waited long enough.
    pub(super) fn next(&self) -> Option<Instant> {
        self.calls.iter().map(|call| call.gives_up).min()
    }

    /// Takes the calls that have waited long enough.
    pub(super) fn take_overdue(&mut self, now: Instant) -> VecDeque<HeldCall> {
        let (over, left) = self.calls.drain(..).partition(|call| call.gives_up <= now);
        self.calls = left;
        self.bytes = self.calls.iter().map(|call| call.body.len()).sum();
        over
    }

    /// Takes all calls.
    pub(super) fn take_all(&mut self) -> VecDeque<HeldCall> {
        self.bytes = 0;
        std::mem::take(&mut self.calls)
    }

    /// How many calls wait, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.calls.len(), self.bytes)
    }
}

impl HeldCall {
    /// A call that waits until `deadline`, but no longer than `wait`.
    pub(super) fn new(
        handler: HandlerId,
        body: Bytes,
        term: Term,
        wait: Duration,
        reply: Option<ReplyTo>,
    ) -> Self {
        Self {
            handler,
            body,
            deadline: term.until,
            gives_up: term.until.min(term.now + wait),
            reply,
        }
    }

    /// Puts it on its way, with the time that is left.
    pub(super) fn send(self, conn: &Arc<Conn>, now: Instant) {
        let mut write = as_it_is(&self.body);
        let Some(reply) = self.reply else {
            if let Err(fault) = conn.notify(self.handler, &mut write) {
                tracing::warn!(%fault, "a notification that waited was dropped");
            }
            return;
        };
        let term = Term {
            now,
            until: self.deadline,
        };
        if term.is_over() {
            let text = "its time ran out while it waited for the link";
            return reply.fault(Fault::new(ErrorKind::NotSent, text));
        }
        if let Err(Refused::Ended(reply)) = conn.call(self.handler, term, &mut write, reply) {
            reply.fault(Fault::new(
                ErrorKind::NotSent,
                "the link was lost before the call could be sent",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn call(now: Instant, timeout: Duration, bytes: usize) -> HeldCall {
        let body = vec![0; bytes].into();
        HeldCall::new(HandlerId(1), body, Term::new(now, timeout), 100 * MS, None)
    }

    #[test]
    fn a_call_waits_for_the_shorter_of_its_time_and_the_limit() {
        let now = Instant::now();
        let mut held = Held::default();
        held.push(call(now, 500 * MS, 1));
        held.push(call(now, 20 * MS, 2));
        held.push(call(now, 70 * MS, 3));
        assert_eq!(held.next(), Some(now + 20 * MS));
        assert!(held.take_overdue(now + 19 * MS).is_empty());
        let over: Vec<usize> = held
            .take_overdue(now + 70 * MS)
            .iter()
            .map(|call| call.body.len())
            .collect();
        assert_eq!(over, [2, 3]);
        assert_eq!(held.waiting(), (1, 1));
        assert_eq!(held.next(), Some(now + 100 * MS));
        assert_eq!(held.take_all().len(), 1);
        assert_eq!((held.waiting(), held.next()), ((0, 0), None));
    }

    #[test]
    fn the_queue_is_bounded_in_calls_and_in_bytes() {
        let (now, name) = (Instant::now(), NodeName::nobody());
        let settings = LinkSettings {
            held_calls: 3,
            held_bytes: 10,
            max_message: 8,
            ..LinkSettings::default()
        };
        let mut held = Held::default();
        let refused = |held: &Held, bytes| held.check_room(bytes, &settings, &name).unwrap_err().kind;
        assert_eq!(refused(&held, 9), ErrorKind::TooLarge);
        held.push(call(now, MS, 6));
        assert_eq!(refused(&held, 5), ErrorKind::Overloaded);
        held.check_room(4, &settings, &name).unwrap();
        held.push(call(now, MS, 0));
        held.push(call(now, MS, 0));
        assert_eq!(refused(&held, 0), ErrorKind::Overloaded);
    }
}
