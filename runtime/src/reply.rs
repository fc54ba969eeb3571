//! Where the answer to a call goes, whoever asked: a peer over a link, a game client, or a task of this process.
//!
//! Invariant: a [`ReplyTo`] delivers exactly once. One that is dropped undelivered, because the handler was
//! dropped with its actor, delivers [`ErrorKind::Cancelled`], so no caller waits for nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::error::{ErrorKind, Fault};
use crate::trace::Traced;

/// Whether a reply is there to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// It stands in the buffer.
    Reply,
    /// The handler ran and has nothing to say: a game client gets no frame.
    Nothing,
}

/// Writes a body behind whatever the buffer holds already; on an error the sink cuts the buffer back.
pub type Write<'a> = &'a mut dyn FnMut(&mut BytesMut) -> Result<Wrote, Fault>;

/// Takes the answers of calls, each by the number that the sink gave out for it.
pub trait ReplySink: Send + Sync {
    /// A reply, written straight into the sink's buffer.
    fn reply(&self, id: u64, write: Write<'_>);

    /// A reply whose body stands already.
    fn reply_bytes(&self, id: u64, body: Bytes) {
        self.reply(id, &mut |out| {
            out.extend_from_slice(&body);
            Ok(Wrote::Reply)
        });
    }

    /// The call ended without a reply.
    fn fault(&self, id: u64, fault: Fault);
}

/// Where calls are counted from the moment they are taken in until they are answered.
pub trait Desk: Send + Sync {
    /// A call has ended, or what held a place has gone.
    fn leave(&self, visit: &Visit);
}

/// What is known of a call that leaves a [`Desk`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Visit {
    /// Which of the desk's kinds of calls; only when its handler was started.
    pub kind: Option<u16>,
    /// When its handler was started; only of calls that are measured.
    pub since: Option<Instant>,
    /// How it ended, if not in a reply.
    pub fault: Option<ErrorKind>,
}

impl Desk for AtomicUsize {
    fn leave(&self, _: &Visit) {
        self.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One place in a bounded number of calls; given back on drop.
pub struct Permit {
    desk: Arc<dyn Desk>,
    visit: Visit,
}

impl Permit {
    /// Takes a place, or `None` when `limit` are taken.
    pub fn acquire(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        take(taken, limit).then(|| Self::of(Arc::clone(taken) as _))
    }

    /// A place at a desk that has counted it.
    pub fn of(desk: Arc<dyn Desk>) -> Self {
        Self {
            desk,
            visit: Visit::default(),
        }
    }
}

/// Counts one more, unless there are `limit` already. Whether it did.
pub fn take(taken: &AtomicUsize, limit: usize) -> bool {
    let more = |n| (n < limit).then_some(n + 1);
    taken
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        .is_ok()
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.desk.leave(&self.visit);
    }
}

/// The one-time right and duty to answer a call.
pub struct ReplyTo {
    sink: Option<Arc<dyn ReplySink>>,
    id: u64,
    permit: Option<Permit>,
    /// In a box, as few calls have one and all are moved about.
    traced: Option<Box<Traced>>,
}

impl ReplyTo {
    /// An answer to call `id` of `sink`.
    pub fn new(sink: Arc<dyn ReplySink>, id: u64) -> Self {
        Self {
            sink: Some(sink),
            id,
            permit: None,
            traced: None,
        }
    }

    /// Nobody waits: the message was a notification.
    pub const fn nobody() -> Self {
        Self {
            sink: None,
            id: 0,
            permit: None,
            traced: None,
        }
    }

    /// Keeps a permit until the answer is delivered.
    pub fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Its handler starts now: notes of which kind the call is and, if it is to be measured, when that was.
    pub fn start(&mut self, kind: u16, since: Option<Instant>) {
        if let Some(permit) = &mut self.permit {
            (permit.visit.kind, permit.visit.since) = (Some(kind), since);
        }
    }

    /// Makes the call part of a trace.
    #[must_use]
    pub fn traced(mut self, traced: Option<Traced>) -> Self {
        self.traced = traced.map(Box::new);
        self
    }

    /// The trace that the call is part of.
    pub fn trace(&self) -> Option<Traced> {
        self.traced.as_deref().copied()
    }

    /// The number of the call at whoever waits for it; 0 for a notification.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Whether somebody waits for the answer.
    pub const fn is_awaited(&self) -> bool {
        self.sink.is_some()
    }

    /// Delivers a reply that `write` appends to the sink's buffer.
    pub fn reply(mut self, write: Write<'_>) {
        if let Some(sink) = self.sink.take() {
            sink.reply(self.id, write);
        }
    }

    /// Delivers a reply whose body stands already.
    pub fn reply_bytes(mut self, body: Bytes) {
        if let Some(sink) = self.sink.take() {
            sink.reply_bytes(self.id, body);
        }
    }

    /// Delivers a fault.
    pub fn fault(mut self, fault: Fault) {
        self.note(fault.kind);
        if let Some(sink) = self.sink.take() {
            sink.fault(self.id, fault);
        }
    }
}

impl ReplyTo {
    fn note(&mut self, fault: ErrorKind) {
        if let Some(permit) = &mut self.permit {
            permit.visit.fault = Some(fault);
        }
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if let Some(sink) = self.sink.take() {
            self.note(ErrorKind::Cancelled);
            sink.fault(
                self.id,
                Fault::new(ErrorKind::Cancelled, "the handler was dropped before it answered"),
            );
        }
    }
}

impl fmt::Debug for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyTo")
            .field("id", &self.id)
            .field("awaited", &self.is_awaited())
            .finish()
    }
}
