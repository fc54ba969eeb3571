//! Where the answer to a call goes, whoever asked: a peer over a link, a game client, or a task of this process.
//!
//! Invariant: a [`ReplyTo`] delivers exactly once. One that is dropped undelivered, because the handler was
//! dropped with its actor, delivers [`ErrorKind::Cancelled`], so no caller waits for nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
    /// A reply, written straight into the sink's buffer. Gives what the caller is told in its place, if it could not be
    /// written.
    fn reply(&self, id: u64, write: Write<'_>) -> Option<ErrorKind>;

    /// The same with a reply whose body stands already.
    fn reply_bytes(&self, id: u64, body: Bytes) -> Option<ErrorKind> {
        self.reply(id, &mut |out| {
            out.extend_from_slice(&body);
            Ok(Wrote::Reply)
        })
    }

    /// The call ended without a reply.
    fn fault(&self, id: u64, fault: Fault);
}

/// What is done when a call that is worth telling leaves a [`Desk`].
type OnLeave = Box<dyn Fn(Visit) + Send + Sync>;

/// Where calls are counted from the moment they are taken in until they are answered.
pub struct Desk {
    taken: AtomicUsize,
    opened: Instant,
    on_leave: Option<OnLeave>,
}

/// What is known of a call that leaves a [`Desk`], if its handler was started.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// Which of the desk's kinds of calls.
    pub kind: u16,
    /// How long it took, up to half an hour; only of calls that are measured.
    pub took: Option<Duration>,
    /// How it ended, if not in a reply.
    pub fault: Option<ErrorKind>,
}

impl Desk {
    /// One that only counts.
    pub fn new() -> Self {
        Self {
            taken: AtomicUsize::new(0),
            opened: Instant::now(),
            on_leave: None,
        }
    }

    /// One that tells of each started call that leaves and was measured, or ended in a fault.
    pub fn telling(on_leave: impl Fn(Visit) + Send + Sync + 'static) -> Self {
        Self {
            on_leave: Some(Box::new(on_leave)),
            ..Self::new()
        }
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Microseconds since it was opened; they begin anew after an hour and more.
    fn micros(&self, at: Instant) -> u32 {
        at.saturating_duration_since(self.opened).as_micros() as u32
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("taken", &self.taken()).finish()
    }
}

/// One place in a bounded number of calls; given back on drop. It is small, as it moves about with each call.
#[derive(Debug)]
pub struct Permit {
    desk: Arc<Desk>,
    /// When its handler was started, by the desk's clock; 0 of a call that is not measured.
    since: u32,
    /// Which kind of call; `u16::MAX` until its handler is started.
    kind: u16,
    fault: Option<ErrorKind>,
}

impl Permit {
    /// Takes a place, or `None` when `limit` are taken.
    pub fn acquire(desk: &Arc<Desk>, limit: usize) -> Option<Self> {
        let more = |n| (n < limit).then_some(n + 1);
        desk.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Self::at(desk))
    }

    /// Takes up to `wanted` places at once, fewer when `limit` would be exceeded, and gives how many.
    pub fn acquire_many(desk: &Arc<Desk>, wanted: usize, limit: usize, mut give: impl FnMut(Self)) -> usize {
        let free = |n: usize| wanted.min(limit.saturating_sub(n));
        let more = |n| Some(n + free(n));
        let before = desk
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        let granted = before.map_or(0, free);
        (0..granted).for_each(|_| give(Self::at(desk)));
        granted
    }

    fn at(desk: &Arc<Desk>) -> Self {
        Self {
            desk: Arc::clone(desk),
            since: 0,
            kind: u16::MAX,
            fault: None,
        }
    }

    fn visit(&self) -> Visit {
        let took = (self.since != 0).then(|| {
            let micros = self.desk.micros(Instant::now()).wrapping_sub(self.since);
            // With a paused clock the start may lie ahead.
            Duration::from_micros(i32::try_from(micros).map_or(0, |_| micros.into()))
        });
        Visit {
            kind: self.kind,
            took,
            fault: self.fault,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.desk.taken.fetch_sub(1, Ordering::Relaxed);
        let telling = (self.since != 0 || self.fault.is_some()) && self.kind != u16::MAX;
        if telling && let Some(on_leave) = &self.desk.on_leave {
            on_leave(self.visit());
        }
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
            permit.kind = kind;
            permit.since = since.map_or(0, |since| permit.desk.micros(since).max(1));
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

    /// Delivers a reply that `write` appends to the sink's buffer. Gives what the caller is told in its place, if it
    /// could not be written.
    pub fn reply(self, write: Write<'_>) -> Option<ErrorKind> {
        self.deliver(|sink, id| sink.reply(id, write))
    }

    /// The same with a reply whose body stands already.
    pub fn reply_bytes(self, body: Bytes) -> Option<ErrorKind> {
        self.deliver(|sink, id| sink.reply_bytes(id, body))
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
    fn deliver(mut self, to: impl FnOnce(&dyn ReplySink, u64) -> Option<ErrorKind>) -> Option<ErrorKind> {
        let lost = self.sink.take().and_then(|sink| to(&*sink, self.id));
        if let Some(fault) = lost {
            self.note(fault);
        }
        lost
    }

    fn note(&mut self, fault: ErrorKind) {
        if let Some(permit) = &mut self.permit {
            permit.fault = Some(fault);
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
