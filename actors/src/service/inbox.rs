//! The bounded queue in front of a service's actor.
//!
//! An actix mailbox is no limit (each clone of an address has a place of its own, and `do_send` ignores it), so
//! requests wait here, and the actor gets one small [`Wake`] for as many as came since the last. The queue
//! outlives its actor: what a crashed one had not started, its successor does.
//!
//! Invariants: at most `limit` invocations are waiting or unanswered; after a push, a wake is on its way or the
//! actor is draining.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::reply::{Desk, ReplyTo, Visit};

use super::{Address, Entry};
use crate::meter::HandlerMeter;
use crate::report::SpanLog;

/// One message on its way to a handler.
#[derive(Debug)]
pub struct Invocation {
    /// Which entry of the service's table.
    pub entry: u16,
    /// The message's bytes.
    pub body: Bytes,
    /// When its caller stops waiting.
    pub deadline: Instant,
    /// Where the answer goes, and who sent it.
    pub reply: ReplyTo,
}

/// Tells a service's actor that its inbox has something; carried by an actix message.
#[derive(Clone)]
pub struct Wake(pub(crate) Arc<Inbox>);

impl actix::Message for Wake {
    type Result = ();
}

type WakeUp = Arc<dyn Fn(Wake) + Send + Sync>;

/// How many invocations one wake takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taking {
    /// As many as there are, in slices: one actor.
    Batch,
    /// One: any thread of a pool may take the next.
    Single,
}

/// The queue of one service.
pub struct Inbox {
    service: &'static str,
    limit: usize,
    pub(crate) taking: Taking,
    /// Counts the unanswered invocations.
    desk: Arc<Desk>,
    /// Most of them so far.
    high_water: AtomicUsize,
    /// Calls between two readings of the clock.
    stride: AtomicU32,
    handlers: Arc<Handlers>,
    spans: OnceLock<Arc<SpanLog>>,
    queue: Mutex<Queue>,
}

/// The handlers of a table, once there is one.
type Handlers = OnceLock<Box<[Measured]>>;

/// A handler of the service, with its numbers.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// The command that it answers to.
    pub(crate) command: Option<u32>,
    /// It is called; news of sessions are no calls.
    pub(crate) counts: bool,
    pub(crate) meter: HandlerMeter,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Invocation>,
    /// A wake is under way that nobody has followed yet.
    woken: bool,
    wake_up: Option<WakeUp>,
    closed: bool,
    /// Something was taken since this was last asked.
    worked: bool,
}

impl Inbox {
    pub(crate) fn new(service: &'static str, limit: usize, taking: Taking) -> Arc<Self> {
        let handlers = Arc::<Handlers>::default();
        let measured = Arc::clone(&handlers);
        Arc::new(Self {
            service,
            limit,
            taking,
            desk: Arc::new(Desk::telling(move |visit| measure_end(&measured, taking, visit))),
            high_water: AtomicUsize::new(0),
            stride: AtomicU32::new(0),
            handlers,
            spans: OnceLock::new(),
            queue: Mutex::default(),
        })
    }

    /// Begins to count what the handlers of a table do.
    pub(crate) fn measure<A: actix::Actor>(&self, table: &[Entry<A>]) {
        let measured = |entry: &Entry<A>| Measured {
            name: entry.name,
            command: match entry.address {
                Address::Command { number, .. } => Some(number),
                _ => None,
            },
            counts: !matches!(entry.address, Address::Opened | Address::Closed),
            meter: HandlerMeter::new(),
        };
        self.handlers.get_or_init(|| table.iter().map(measured).collect());
    }

    /// Traced calls are told there from now on.
    pub(crate) fn tell_spans(&self, spans: &Arc<SpanLog>) {
        self.spans.get_or_init(|| Arc::clone(spans));
    }

    pub(crate) fn spans(&self) -> Option<&Arc<SpanLog>> {
        self.spans.get()
    }

    /// The handlers with their numbers, in the order of the table.
    pub(crate) fn handlers(&self) -> &[Measured] {
        self.handlers.get().map_or(&[], |handlers| handlers)
    }

    /// How many invocations may wait or be worked on.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The most that have waited or been worked on at one time.
    pub(crate) fn high_water(&self) -> usize {
        self.high_water.load(Ordering::Relaxed)
    }

    /// How many calls pass between two readings of the clock.
    pub(crate) fn stride(&self) -> u32 {
        self.stride.load(Ordering::Relaxed)
    }

    /// Keeps it for the next slice.
    pub(crate) fn set_stride(&self, length: u32) {
        self.stride.store(length, Ordering::Relaxed);
    }

    /// Where its invocations are counted.
    pub(crate) const fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// The service it belongs to.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// How many invocations wait or are being worked on.
    pub fn unanswered(&self) -> usize {
        self.desk.taken()
    }

    /// Whether nothing waits and nothing is being worked on.
    pub(crate) fn is_idle(&self) -> bool {
        self.unanswered() == 0 && self.lock().waiting.is_empty()
    }

    /// Hands over what has come together from visitors, in order and under one lock, and leaves `batch` empty. Invocations
    /// above the limit are answered with `overloaded` at once.
    pub(crate) fn push_all(self: &Arc<Self>, batch: &mut VecDeque<Invocation>) {
        let admitted = self.desk.enter(batch.len(), self.limit);
        for invocation in batch.range_mut(..admitted) {
            invocation.reply.enter();
        }
        self.note_high_water();
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            return batch.drain(..).for_each(refuse_as_stopping);
        }
        let refused = (admitted < batch.len()).then(|| batch.split_off(admitted));
        // As one block, not one by one; both keep the memory that they need.
        queue.waiting.append(batch);
        self.wake_for(admitted, queue);
        let refused = refused.into_iter().flatten();
        refused.for_each(|invocation| self.refuse_as_full(invocation));
    }

    fn note_high_water(&self) {
        let unanswered = self.unanswered();
        if unanswered > self.high_water() {
            self.high_water.store(unanswered, Ordering::Relaxed);
        }
    }

    fn refuse_as_full(&self, invocation: Invocation) {
        let text = format!(
            "service {} has {} calls waiting, its limit",
            self.service, self.limit
        );
        invocation.reply.fault(Fault::new(ErrorKind::Overloaded, text));
    }

    /// Hands over news of the node's own, which no limit may swallow: who makes them takes no more sessions in
    /// while too many wait.
    pub(crate) fn push_news(self: &Arc<Self>, invocation: Invocation) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        queue.waiting.push_back(invocation);
        self.wake_for(1, queue);
    }

    /// Connects the actor that from now on is woken.
    pub(crate) fn attach(self: &Arc<Self>, wake_up: WakeUp) {
        let mut queue = self.lock();
        queue.wake_up = Some(wake_up);
        let wakes = if self.taking == Taking::Single {
            queue.waiting.len()
        } else {
            1
        };
        drop(queue);
        for _ in 0..wakes {
            self.wake(self.lock());
        }
    }

    /// Takes what waits: one invocation for a thread of a pool, all for a single actor, who gives back what it does not
    /// come to. Until then it needs no other wake.
    pub(crate) fn take(&self, into: &mut VecDeque<Invocation>) {
        let mut queue = self.lock();
        queue.worked |= !queue.waiting.is_empty();
        match self.taking {
            Taking::Batch => {
                std::mem::swap(&mut queue.waiting, into);
                queue.woken = true;
            }
            Taking::Single => into.extend(queue.waiting.pop_front()),
        }
    }

    /// Whether anything has been taken since this was last asked.
    pub(crate) fn has_worked(&self) -> bool {
        std::mem::take(&mut self.lock().worked)
    }

    /// Puts back, in front, what was taken and not started; and the memory that it was taken in. Says whether anything
    /// waits for a single actor, which then must have another wake.
    pub(crate) fn put_back(&self, mut rest: VecDeque<Invocation>) -> bool {
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            rest.into_iter().for_each(refuse_as_stopping);
            return false;
        }
        if !rest.is_empty() || queue.waiting.capacity() < rest.capacity() {
            rest.append(&mut queue.waiting);
            queue.waiting = rest;
        }
        queue.woken = !queue.waiting.is_empty();
        queue.woken && self.taking == Taking::Batch
    }

    /// Wakes the actor once more, after a slice that left something.
    pub(crate) fn wake_again(self: &Arc<Self>) {
        self.wake(self.lock());
    }

    /// Takes nothing more; what waits is answered with `draining`.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.wake_up = None;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        waiting.into_iter().for_each(refuse_as_stopping);
    }

    /// Wakes the actor for so many new invocations, where it needs that.
    fn wake_for(self: &Arc<Self>, new: usize, queue: MutexGuard<'_, Queue>) {
        match self.taking {
            Taking::Batch if queue.woken || new == 0 => {}
            Taking::Batch => self.wake(queue),
            Taking::Single => {
                drop(queue);
                (0..new).for_each(|_| self.wake(self.lock()));
            }
        }
    }

    fn wake(self: &Arc<Self>, mut queue: MutexGuard<'_, Queue>) {
        queue.woken = true;
        let wake_up = queue.wake_up.clone();
        drop(queue);
        if let Some(wake_up) = wake_up {
            wake_up(Wake(Arc::clone(self)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while the lock is held, and a queue is whole after every statement.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts the end of a call that was timed or failed.
fn measure_end(handlers: &Handlers, taking: Taking, visit: Visit) {
    let handler = handlers
        .get()
        .and_then(|handlers| handlers.get(usize::from(visit.kind)));
    if let Some(Measured { meter, .. }) = handler {
        match visit.took {
            None => {}
            Some(took) if taking == Taking::Single => meter.time_one(took),
            Some(took) => meter.time(took),
        }
        if let Some(kind) = visit.fault {
            meter.fault(kind);
        }
    }
}

fn refuse_as_stopping(invocation: Invocation) {
    let fault = Fault::new(ErrorKind::Draining, "the node is stopping");
    invocation.reply.fault(fault);
}
