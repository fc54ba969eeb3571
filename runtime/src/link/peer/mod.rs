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

mod forget;
mod seats;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::error::{ErrorKind, Fault};
use crate::link::LinkSettings;
use crate::link::conn::{Conn, LinkId, Refused};
use crate::link::held::{Held, HeldCall};
use crate::link::task::clock;
use crate::name::{HandlerId, NodeName};
use crate::reply::{ReplyTo, Write, Wrote};
use crate::trace::Traced;
use forget::no_such_node;
pub(crate) use seats::Seated;
use seats::Seats;

/// The longest time of a call: what fits the milliseconds of a frame, some 49 days.
const LONGEST: Duration = Duration::from_millis(u32::MAX as u64);

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

/// A message with the duty to answer it, for who takes messages in one by one.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) handler: HandlerId,
    pub(crate) body: Bytes,
    pub(crate) deadline: Instant,
    pub(crate) reply: ReplyTo,
}

#[cfg(test)]
impl Asked {
    /// Takes in the messages of a connection by giving them to a function.
    pub(crate) fn intake(conn: &Arc<Conn>, take: impl FnMut(Self) + Send + 'static) -> Box<dyn Intake> {
        struct Each<F>(Arc<Conn>, F);

        impl<F: FnMut(Asked) + Send> Intake for Each<F> {
            fn request(&mut self, request: Request) {
                let Request {
                    call,
                    handler,
                    body,
                    deadline,
                    traced,
                } = request;
                let reply = call.map_or_else(ReplyTo::nobody, |call| ReplyTo::new(self.0.clone(), call));
                let reply = reply.traced(traced);
                (self.1)(Asked {
                    handler,
                    body,
                    deadline,
                    reply,
                });
            }
        }

        Box::new(Each(Arc::clone(conn), take))
    }
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

    /// Calls a handler. The answer, or one fault, goes to `reply` within `timeout`, of which no more than 49 days
    /// count.
    pub fn call(
        &self,
        handler: HandlerId,
        now: Instant,
        timeout: Duration,
        write: Write<'_>,
        reply: ReplyTo,
    ) {
        let (mut reply, timeout) = (reply, timeout.min(LONGEST));
        if timeout.is_zero() {
            return reply.fault(Fault::new(ErrorKind::Expired, "no time was left for the call"));
        }
        if let Some(conn) = &*self.0.current.load() {
            match conn.call(handler, now, timeout, write, reply) {
                Ok(()) | Err(Refused::Answered) => return,
                Err(Refused::Ended(back)) => reply = back,
            }
        }
        if let Err(refused) = self.hold(handler, now, timeout, write, Some(reply))
            && let (fault, Some(reply)) = *refused
        {
            reply.fault(fault);
        }
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
        self.hold(handler, now, self.0.settings.wait, write, None)
            .map_err(|refused| refused.0)
    }

    /// Lets a call wait for the link; gives it back with the fault of one that may not.
    fn hold(
        &self,
        handler: HandlerId,
        now: Instant,
        timeout: Duration,
        write: Write<'_>,
        reply: Option<ReplyTo>,
    ) -> Result<(), Box<(Fault, Option<ReplyTo>)>> {
        let mut body = BytesMut::new();
        let written = write(&mut body);
        let mut down = self.lock();
        if let Err(fault) = written.and_then(|_: Wrote| self.check_room(&down, body.len())) {
            return Err(Box::new((fault, reply)));
        }
        let call = HeldCall::new(handler, body.freeze(), now, timeout, self.0.settings.wait, reply);
        // The link may have come up in the meantime; attach() took all that waited then.
        if let Some(conn) = self.0.current.load_full() {
            drop(down);
            call.send(&conn, now);
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

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("name", &self.0.name)
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}
