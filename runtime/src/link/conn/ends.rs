//! How the calls on a connection end: by their answers, when their time is up, or with the connection.

use std::time::Instant;

use super::{Conn, count};
use crate::error::{ErrorKind, Fault};
use crate::link::calls::Pending;
use crate::reply::{Replies, ReplyTo};

impl Conn {
    /// Takes the call that an answer is for. A late one is counted.
    pub(in crate::link) fn take_answered(&self, call: u64) -> Option<ReplyTo> {
        let pending = self.lock().calls.take(call);
        if pending.is_none() {
            count(&self.counters.late_replies, 1);
        }
        pending.map(|pending| pending.reply)
    }

    /// Delivers replies that came together: of each the call, and its body. Late ones are counted.
    pub(in crate::link) fn answered<'a>(&self, replies: impl Iterator<Item = (u64, &'a [u8])>) {
        let (mut answers, mut late) = (
            Replies::with_capacity(replies.size_hint().1.unwrap_or_default()),
            0,
        );
        let mut inner = self.lock();
        for (call, body) in replies {
            match inner.calls.take(call) {
                Some(Pending { reply, .. }) => answers.push(reply, body),
                None => late += 1,
            }
        }
        drop(inner);
        if late > 0 {
            count(&self.counters.late_replies, late);
        }
        answers.deliver();
    }

    /// Ends the calls whose time is up.
    pub(in crate::link) fn expire(&self, now: Instant) {
        let expired = self.lock().calls.expire(now);
        for pending in expired {
            pending.reply.fault(Fault::new(
                ErrorKind::Timeout,
                format!("{} did not answer in time", self.id.peer.name),
            ));
        }
    }

    /// The connection is over: every call on it ends now.
    pub(in crate::link) fn end(&self, why: &str) {
        let mut inner = self.lock();
        if std::mem::replace(&mut inner.ended, true) {
            return;
        }
        let calls = inner.calls.take_all();
        let outbox = std::mem::take(&mut inner.outbox);
        (inner.waker, inner.at_ease) = (None, None);
        drop(inner);
        let name = &self.id.peer.name;
        for Pending { reply, mark } in calls {
            let kind = if outbox.was_taken(mark) {
                ErrorKind::LinkLost
            } else {
                ErrorKind::NotSent
            };
            reply.fault(Fault::new(kind, format!("the link to {name} was lost: {why}")));
        }
    }
}
