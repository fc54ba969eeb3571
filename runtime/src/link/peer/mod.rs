//! The node at the other end of a link, by its name: one handle for all its lives and connections.
//!
//! ```text
//!           attach                     detach
//!   down ────────────> up ────────────────────────> down
//!    │ new calls wait, up to `wait`      calls in flight end at once
//! ```
//!
//! Here are the calls; `seats` has the connections, and which of them takes the new calls.
//!
//! Invariants: at most one connection is current; calls that waited go out before any later one; a call that
//! waits ends after `wait` or at its deadline, whichever is first.

#[cfg(test)]
mod asked;
mod forget;
mod seats;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::error::{ErrorKind, Fault};
use crate::link::LinkSettings;
use crate::link::batch::Batch;
use crate::link::conn::{Conn, LinkId, Refused};
use crate::link::held::{Held, HeldCall};
use crate::link::task::clock;
use crate::link::term::Term;
use crate::name::{HandlerId, NodeName};
use crate::reply::{ReplyTo, Write, Wrote, as_it_is};
use crate::trace::Traced;
#[cfg(test)]
pub(crate) use asked::Asked;
use forget::no_such_node;
pub(crate) use seats::Seated;
use seats::Seats;

/// A message that arrived and is to be handled.
#[derive(Debug)]
pub struct Request {
    /// The number of the call, under which its connection takes the answer; `None` of a notification.
    pub call: Option<u64>,
    /// Which handler.
    pub handler: HandlerId,
    /// The message.
    pub body: Bytes,
    /// When its caller stops waiting.
    pub deadline: Instant,
    /// The trace that it is part of.
    pub traced: Option<Traced>,
}

/// Takes in the messages of one connection. Called on the link's task: must not block.
pub trait Intake: Send {
    /// A message is to be handled. Its answer may be given now or later, from any thread.
    fn request(&mut self, request: Request);

    /// All has been told that one read of the socket brought.
    fn settle(&mut self) {}

    /// Comes about once a second: memory that is not needed now may be given back.
    fn rest(&mut self) {}
}

/// What a node does with what comes over a link. Called on the link's task: must not block.
pub trait Inbound: Send + Sync {
    /// A connection begins: gives what takes its messages in.
    fn intake(&self, conn: &Arc<Conn>) -> Box<dyn Intake>;
    /// The link is up.
    fn up(&self, link: &LinkId);
    /// The link is down.
    fn down(&self, link: &LinkId, why: &str);
    /// An announced successor has a link, which will be up when the present one goes.
    fn stands_by(&self, _link: &LinkId) {}
    /// The link of a successor has ended before it was up.
    fn stood_in_vain(&self, _link: &LinkId) {}
}

/// The node at the other end of a link. Cheap to clone.
#[derive(Clone)]
pub struct Peer(Arc<Shared>);

struct Shared {
    name: NodeName,
    settings: Arc<LinkSettings>,
    inbound: Arc<dyn Inbound>,
    /// Where the task runs that looks after the times of calls that wait; `None` when the owner does.
    watcher: Option<Handle>,
    current: ArcSwapOption<Conn>,
    epochs: AtomicU64,
    down: Mutex<Down>,
    /// A call waits that ends before the watching task would look again.
    sooner: Notify,
}

/// What is kept while the link is down.
#[derive(Default)]
struct Down {
    held: Held,
    /// Until when the task sleeps that looks after the times of the calls that wait; `None` without one.
    watched: Option<Instant>,
    /// Why the link is down.
    why: Option<String>,
    /// Set for a name that no link will ever have.
    unknown: bool,
    seats: Seats,
}

impl Peer {
    /// A peer whose link is down. Must be called inside a tokio runtime, which its timers use.
    pub fn new(name: NodeName, settings: Arc<LinkSettings>, inbound: Arc<dyn Inbound>) -> Self {
        Self::with(name, settings, inbound, Some(Handle::current()))
    }

    /// A peer without a timer: its owner calls [`Peer::give_up`] when [`Peer::next_give_up`] says so.
    #[cfg(test)]
    pub(crate) fn without_timer(
        name: NodeName,
        settings: Arc<LinkSettings>,
        inbound: Arc<dyn Inbound>,
    ) -> Self {
        Self::with(name, settings, inbound, None)
    }

    fn with(
        name: NodeName,
        settings: Arc<LinkSettings>,
        inbound: Arc<dyn Inbound>,
        watcher: Option<Handle>,
    ) -> Self {
        Self(Arc::new(Shared {
            name,
            settings,
            inbound,
            watcher,
            current: ArcSwapOption::empty(),
            epochs: AtomicU64::new(0),
            down: Mutex::default(),
            sooner: Notify::new(),
        }))
    }

    /// A peer that no configuration knows: its calls end with `no_such_node`.
    pub fn unknown(name: NodeName, settings: Arc<LinkSettings>, inbound: Arc<dyn Inbound>) -> Self {
        let peer = Self::new(name, settings, inbound);
        peer.lock().unknown = true;
        peer
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.0.name
    }

    /// Whether both are the same handle.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether its link is up.
    pub fn is_up(&self) -> bool {
        self.0.current.load().is_some()
    }

    /// The connection, while the link is up.
    pub fn conn(&self) -> Option<Arc<Conn>> {
        self.0.current.load_full()
    }

    /// How many connections there have been.
    pub fn epoch(&self) -> u64 {
        self.0.epochs.load(Ordering::Relaxed)
    }

    /// How many calls and notifications wait for the link, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        self.lock().held.waiting()
    }

    /// Why the link is down, as far as it is known.
    pub fn why_down(&self) -> Option<String> {
        self.lock().why.clone().filter(|_| !self.is_up())
    }

    pub(super) fn settings(&self) -> &Arc<LinkSettings> {
        &self.0.settings
    }

    pub(super) fn inbound(&self) -> &Arc<dyn Inbound> {
        &self.0.inbound
    }

    pub(crate) fn next_epoch(&self) -> u64 {
        self.0.epochs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Calls a handler. The answer, or one fault, goes to `reply` within the term.
    pub fn call(&self, handler: HandlerId, term: Term, write: Write<'_>, reply: ReplyTo) {
        let mut reply = reply;
        if term.is_over() {
            return reply.fault(no_time());
        }
        if let Some(conn) = &*self.0.current.load() {
            match conn.call(handler, term, write, reply) {
                Ok(()) | Err(Refused::Answered) => return,
                Err(Refused::Ended(back)) => reply = back,
            }
        }
        if let Err(refused) = self.hold(handler, term, write, Some(reply))
            && let (fault, Some(reply)) = *refused
        {
            reply.fault(fault);
        }
    }

    /// Makes several calls, in order, and leaves `batch` empty. Of each the answer, or one fault, goes to its
    /// [`ReplyTo`] within its term.
    pub fn call_all(&self, batch: &mut Batch) {
        if batch.is_empty() {
            return;
        }
        if let Some(conn) = &*self.0.current.load()
            && conn.call_all(batch)
        {
            return;
        }
        for (call, body) in batch.take() {
            self.call(call.handler, call.term, &mut as_it_is(&body), call.reply);
        }
    }

    /// The longest message that the link carries, in bytes.
    pub fn longest(&self) -> usize {
        self.0.settings.max_message
    }

    /// Tells a handler. While the link is down the message waits like a call, and is dropped after `wait`.
    ///
    /// # Errors
    /// The message cannot be written, is too large, or the queue is full.
    pub fn notify(&self, handler: HandlerId, now: Instant, write: Write<'_>) -> Result<(), Fault> {
        if let Some(conn) = &*self.0.current.load()
            && conn.notify(handler, write)?
        {
            return Ok(());
        }
        self.hold(handler, Term::new(now, self.0.settings.wait), write, None)
            .map_err(|refused| refused.0)
    }

    /// Lets a call wait for the link; gives it back with the fault of one that may not.
    fn hold(
        &self,
        handler: HandlerId,
        term: Term,
        write: Write<'_>,
        reply: Option<ReplyTo>,
    ) -> Result<(), Box<(Fault, Option<ReplyTo>)>> {
        let mut body = BytesMut::new();
        let written = write(&mut body);
        let mut down = self.lock();
        if let Err(fault) = written.and_then(|_: Wrote| self.check_room(&down, body.len())) {
            return Err(Box::new((fault, reply)));
        }
        let call = HeldCall::new(handler, body.freeze(), term, self.0.settings.wait, reply);
        // The link may have come up in the meantime; attach() took all that waited then.
        if let Some(conn) = self.0.current.load_full() {
            drop(down);
            call.send(&conn, term.now);
            return Ok(());
        }
        let gives_up = call.gives_up;
        down.held.push(call);
        match (down.watched, &self.0.watcher) {
            (None, Some(watcher)) => {
                down.watched = Some(gives_up);
                drop(down);
                let peer = self.clone();
                watcher.spawn(async move { peer.watch_held().await });
            }
            (Some(until), _) if gives_up < until => self.0.sooner.notify_one(),
            _ => {}
        }
        Ok(())
    }

    fn check_room(&self, down: &Down, bytes: usize) -> Result<(), Fault> {
        let name = &self.0.name;
        if down.unknown {
            return Err(no_such_node(name));
        }
        down.held.check_room(bytes, &self.0.settings, name)
    }

    /// When the next of the calls that wait has waited long enough.
    #[cfg(test)]
    pub(crate) fn next_give_up(&self) -> Option<Instant> {
        self.lock().held.next()
    }

    /// Ends the calls that have waited long enough, until none waits.
    async fn watch_held(self) {
        loop {
            let next = {
                let mut down = self.lock();
                down.watched = down.held.next();
                let Some(next) = down.watched else { return };
                next
            };
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => self.give_up(clock()),
                () = self.0.sooner.notified() => {}
            }
        }
    }

    /// Ends the calls that have waited long enough.
    pub(crate) fn give_up(&self, now: Instant) {
        let mut down = self.lock();
        let over = down.held.take_overdue(now);
        let why = down
            .why
            .clone()
            .unwrap_or_else(|| "it has not been up yet".into());
        drop(down);
        for call in over {
            match call.reply {
                Some(reply) => {
                    let text = format!("the link to {} is down: {why}", self.0.name);
                    reply.fault(Fault::new(ErrorKind::NotSent, text));
                }
                None => tracing::warn!(peer = %self.0.name, "a notification was dropped: the link is down"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Down> {
        self.0.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fault of a call whose term is over before it has begun.
pub(super) fn no_time() -> Fault {
    Fault::new(ErrorKind::Expired, "no time was left for the call")
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("name", &self.0.name)
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}
