//! Where the answer to a call goes, whoever asked: a peer over a link, a game client, or a task of this process.
//!
//! Invariant: a [`ReplyTo`] delivers exactly once. One that is dropped undelivered, because the handler was
//! dropped with its actor, delivers [`ErrorKind::Cancelled`], so no caller waits for nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};

use crate::error::{ErrorKind, Fault};

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

/// One place in a bounded number of calls; given back on drop.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl Permit {
    /// Takes a place, or `None` when `limit` are taken.
    pub fn acquire(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                (n < limit).then_some(n + 1)
            })
            .ok()
            .map(|_| Self(Arc::clone(taken)))
    }

    /// Takes up to `wanted` places at once, fewer when `limit` would be exceeded, and gives how many.
    pub fn acquire_many(
        taken: &Arc<AtomicUsize>,
        wanted: usize,
        limit: usize,
        mut give: impl FnMut(Self),
    ) -> usize {
        let free = |n: usize| wanted.min(limit.saturating_sub(n));
        let before = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n + free(n)));
        let granted = before.map_or(0, free);
        (0..granted).for_each(|_| give(Self(Arc::clone(taken))));
        granted
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The one-time right and duty to answer a call.
pub struct ReplyTo {
    sink: Option<Arc<dyn ReplySink>>,
    id: u64,
    permit: Option<Permit>,
}

impl ReplyTo {
    /// An answer to call `id` of `sink`.
    pub fn new(sink: Arc<dyn ReplySink>, id: u64) -> Self {
        Self {
            sink: Some(sink),
            id,
            permit: None,
        }
    }

    /// Nobody waits: the message was a notification.
    pub const fn nobody() -> Self {
        Self {
            sink: None,
            id: 0,
            permit: None,
        }
    }

    /// Keeps a permit until the answer is delivered.
    pub fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
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
        if let Some(sink) = self.sink.take() {
            sink.fault(self.id, fault);
        }
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if let Some(sink) = self.sink.take() {
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
