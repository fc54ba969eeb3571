//! Where the answer to a call goes, whoever asked: a peer over a link, a game client, or a task of this process.
//!
//! Invariant: a [`ReplyTo`] delivers exactly once. One that is dropped undelivered, because the handler was
//! dropped with its actor, delivers [`ErrorKind::Cancelled`], so no caller waits for nothing.

mod desk;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::error::{ErrorKind, Fault, panic_text};
use crate::trace::Traced;
use desk::Stay;
pub use desk::{Desk, Permit, Visit};

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

/// A [`Write`] of a body that stands already.
pub fn as_it_is(body: &[u8]) -> impl FnMut(&mut BytesMut) -> Result<Wrote, Fault> {
    move |out| {
        out.extend_from_slice(body);
        Ok(Wrote::Reply)
    }
}

/// Turns the body of a reply, as it came over a link, into what the next one in the chain is sent.
pub type Relay = fn(&[u8], &mut BytesMut) -> Result<Wrote, Fault>;

/// Takes the answers of calls, each by the number that the sink gave out for it.
pub trait ReplySink: Send + Sync {
    /// A reply, written straight into the sink's buffer. Gives what the caller is told in its place, if it could not be
    /// written.
    fn reply(&self, id: u64, write: Write<'_>) -> Option<ErrorKind>;

    /// The same with a reply whose body stands already.
    fn reply_bytes(&self, id: u64, body: Bytes) -> Option<ErrorKind> {
        self.reply(id, &mut as_it_is(&body))
    }

    /// Several replies of other calls that came together over a link, in their order. Notes of each what the caller is
    /// told in its place.
    fn pass(&self, replies: &mut [Passing<'_>]) {
        for reply in replies {
            let lost = self.reply(reply.id(), &mut |out| reply.write(out));
            reply.lost = lost;
        }
    }

    /// The call ended without a reply.
    fn fault(&self, id: u64, fault: Fault);

    /// Where its calls are counted while a service has them.
    fn desk(&self) -> Option<&Desk> {
        None
    }

    /// Who asks, in the terms of the layer that made the sink.
    fn origin(&self) -> Option<&dyn Any> {
        None
    }
}

/// A reply as it came over a link, on its way to whoever asked.
#[derive(Debug)]
pub struct Passing<'a> {
    to: ReplyTo,
    body: &'a [u8],
    /// What the caller is told in its place, once that is known.
    pub lost: Option<ErrorKind>,
}

impl Passing<'_> {
    /// The number of the call at whoever waits for it.
    pub const fn id(&self) -> u64 {
        self.to.id()
    }

    /// Appends it as its caller wants it.
    ///
    /// # Errors
    /// The bytes are not what they should be, or what they say cannot be written.
    pub fn write(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        let Some(relay) = self.to.relay else {
            out.extend_from_slice(self.body);
            return Ok(Wrote::Reply);
        };
        // It reads and writes types of the user's; a panic here would strike the link and the sink, which others share.
        catch_unwind(AssertUnwindSafe(|| relay(self.body, out)))
            .unwrap_or_else(|panic| Err(panicked(panic.as_ref(), self.id())))
            .map_err(Fault::of_a_reply)
    }
}

/// The fault of a panic; the panic's text stays in the node's log.
fn panicked(panic: &(dyn Any + Send), call: u64) -> Fault {
    tracing::error!(call, panic = panic_text(panic), "a type of a reply panicked");
    Fault::new(ErrorKind::HandlerPanic, "a type of the reply panicked")
}

/// The one-time right and duty to answer a call. It is small, as it moves about with each call.
pub struct ReplyTo {
    sink: Option<Arc<dyn ReplySink>>,
    id: u64,
    /// What an answer that comes as bytes becomes on its way.
    relay: Option<Relay>,
    /// In a box, as few calls have one and all are moved about.
    traced: Option<Box<Traced>>,
    stay: Stay,
    /// It has a place at its sink's desk.
    entered: bool,
    /// Somebody waits for the answer.
    awaited: bool,
}

impl ReplyTo {
    /// An answer to call `id` of `sink`.
    #[inline]
    pub fn new(sink: Arc<dyn ReplySink>, id: u64) -> Self {
        Self::to(Some(sink), id, true)
    }

    /// Nobody waits: the message was a notification.
    #[inline]
    pub const fn nobody() -> Self {
        Self::to(None, 0, false)
    }

    /// The same, of a caller who is known and counted.
    #[inline]
    pub fn unawaited(sink: Arc<dyn ReplySink>) -> Self {
        Self::to(Some(sink), 0, false)
    }

    #[inline]
    const fn to(sink: Option<Arc<dyn ReplySink>>, id: u64, awaited: bool) -> Self {
        Self {
            sink,
            id,
            relay: None,
            traced: None,
            stay: Stay::new(),
            entered: false,
            awaited,
        }
    }

    /// Takes one of the places that the sink's desk has given, and keeps it until it is delivered.
    #[inline]
    pub const fn enter(&mut self) {
        self.entered = true;
    }

    /// Its handler starts now: notes of which kind the call is and, if it is to be measured, when that was.
    #[inline]
    pub fn start(&mut self, kind: u16, since: Option<Instant>) {
        if !self.entered {
            return;
        }
        self.stay.kind = kind;
        if let Some(since) = since
            && let Some(desk) = self.sink.as_deref().and_then(ReplySink::desk)
        {
            self.stay.since = desk.clock(since);
        }
    }

    /// Makes the call part of a trace.
    #[must_use]
    #[inline]
    pub fn traced(mut self, traced: Option<Traced>) -> Self {
        self.traced = traced.map(Box::new);
        self
    }

    /// Whether the call is part of a trace.
    #[inline]
    pub const fn is_traced(&self) -> bool {
        self.traced.is_some()
    }

    /// The trace that the call is part of.
    #[inline]
    pub fn trace(&self) -> Option<Traced> {
        self.traced.as_deref().copied()
    }

    /// Whoever asked is to get the reply of another call, changed by `relay` on its way, if that is anything.
    #[must_use]
    #[inline]
    pub fn relayed(mut self, relay: Option<Relay>) -> Self {
        self.relay = relay;
        self
    }

    /// The number of the call at whoever waits for it; 0 for a notification.
    #[inline]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Whether somebody waits for the answer.
    #[inline]
    pub const fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Who asks, in the terms of the layer that made the sink.
    #[inline]
    pub fn origin(&self) -> Option<&dyn Any> {
        self.sink.as_deref().and_then(ReplySink::origin)
    }

    /// Delivers a reply that `write` appends to the sink's buffer. Gives what the caller is told in its place, if it
    /// could not be written.
    pub fn reply(mut self, write: Write<'_>) -> Option<ErrorKind> {
        self.deliver(|sink, id| sink.reply(id, write))
    }

    /// The same with a reply whose body stands already.
    pub fn reply_bytes(mut self, body: Bytes) -> Option<ErrorKind> {
        if self.relay.is_none() {
            return self.deliver(|sink, id| sink.reply_bytes(id, body));
        }
        let mut reply = Replies::default();
        reply.push(self, &body);
        reply.deliver();
        None
    }

    /// Delivers a fault.
    pub fn fault(mut self, fault: Fault) {
        let kind = fault.kind;
        self.stay.fault = Some(kind);
        self.deliver(|sink, id| {
            sink.fault(id, fault);
            Some(kind)
        });
    }

    /// Does it, the first time, and leaves the desk, also by a panic.
    fn deliver(&mut self, to: impl FnOnce(&dyn ReplySink, u64) -> Option<ErrorKind>) -> Option<ErrorKind> {
        let sink = self.sink.take()?;
        let mut leaving = Leaving {
            desk: sink.desk().filter(|_| self.entered),
            stay: self.stay,
        };
        let lost = if self.awaited { to(&*sink, self.id) } else { None };
        leaving.stay.fault = leaving.stay.fault.or(lost);
        lost
    }

    /// It has been delivered with others; gives its place at the desk, if it had one.
    fn delivered(&mut self, lost: Option<ErrorKind>) -> Option<Stay> {
        self.sink = None;
        self.stay.fault = lost;
        self.entered.then_some(self.stay)
    }
}

/// Leaves a desk when it is dropped.
struct Leaving<'a> {
    desk: Option<&'a Desk>,
    stay: Stay,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Some(desk) = self.desk {
            desk.leave(self.stay);
        }
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        self.deliver(|sink, id| {
            sink.fault(
                id,
                Fault::new(ErrorKind::Cancelled, "the handler was dropped before it answered"),
            );
            Some(ErrorKind::Cancelled)
        });
    }
}

/// Replies that came together over a link, in order. They are delivered by [`Replies::deliver`], those of one caller in
/// one go.
#[derive(Debug, Default)]
pub struct Replies<'a>(Vec<Passing<'a>>);

impl<'a> Replies<'a> {
    /// None yet, with room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// A reply for `to`, with this body.
    #[inline]
    pub fn push(&mut self, to: ReplyTo, body: &'a [u8]) {
        self.0.push(Passing { to, body, lost: None });
    }

    /// Hands all of them on.
    pub fn deliver(mut self) {
        let mut rest = &mut self.0[..];
        while let Some(first) = rest.first() {
            let Some(sink) = first.to.sink.clone().filter(|_| first.to.awaited) else {
                rest = &mut rest[1..];
                continue;
            };
            let goes_there = |reply: &&Passing<'_>| {
                let to = &reply.to;
                to.awaited && to.sink.as_ref().is_some_and(|other| Arc::ptr_eq(other, &sink))
            };
            let count = rest.iter().take_while(goes_there).count();
            let (run, others) = rest.split_at_mut(count);
            rest = others;
            sink.pass(run);
            let stays = run.iter_mut().filter_map(|reply| reply.to.delivered(reply.lost));
            match sink.desk() {
                Some(desk) => desk.leave_all(stays),
                None => stays.for_each(drop),
            }
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
