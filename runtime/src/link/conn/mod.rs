//! One connection of a link: what callers share with the task that owns the socket.
//!
//! Calls and answers are written straight into the outbox under a short lock; the task is woken for the first of
//! them and takes all that has gathered since. When the connection ends, each call on it ends: `not_sent` if its
//! frame had not been handed to the socket, else `link_lost`.

mod answer;
mod begin;
mod counters;
mod ends;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::Notify;

use super::LinkSettings;
use super::calls::Calls;
use super::handshake::Identity;
use super::outbox::{Outbox, Stage};
use crate::reply::ReplyTo;
use crate::wire::{Frame, Goodbye};
pub use counters::Counters;
pub(super) use counters::count;

/// Bytes of heartbeats that may wait; a ping beyond them gets no echo.
const MOST_URGENT: usize = 4 * 1024;

/// Who is on the other end of a connection, and which connection to it this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkId {
    /// The other end.
    pub peer: Identity,
    /// Counts the connections to this name, from 1.
    pub epoch: u64,
    /// Where the other end's socket is.
    pub addr: SocketAddr,
}

/// One connection of a link.
pub struct Conn {
    id: LinkId,
    settings: Arc<LinkSettings>,
    /// What it has done.
    pub counters: Counters,
    /// Wakes whoever waits until this end has promised to send no more calls.
    retirement: Notify,
    inner: Mutex<Inner>,
}

struct Inner {
    outbox: Outbox,
    calls: Calls,
    /// The task, when it waits for something to write.
    waker: Option<Waker>,
    /// The task, when it has no deadline to look after.
    at_ease: Option<Waker>,
    ending: Option<Goodbye>,
    ended: bool,
    /// This end has promised to send no more calls.
    retired: bool,
    /// The other end has promised to send no more calls.
    drained: bool,
    /// The other end asks and does not read the answers: the connection is to end.
    flooded: bool,
    heard: Instant,
}

impl Inner {
    /// Whether a new call would still go out before the end.
    const fn takes_calls(&self) -> bool {
        !(self.ended || self.retired || self.ending.is_some())
    }
}

/// Why a call could not be put on a connection.
pub(super) enum Refused {
    /// The connection has ended; the call may wait for the next.
    Ended(ReplyTo),
    /// The call itself is at fault, and has been answered.
    Answered,
}

impl Conn {
    pub(crate) fn new(id: LinkId, settings: Arc<LinkSettings>, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            id,
            settings,
            counters: Counters::default(),
            retirement: Notify::new(),
            inner: Mutex::new(Inner {
                outbox: Outbox::default(),
                calls: Calls::new(now),
                waker: None,
                at_ease: None,
                ending: None,
                ended: false,
                retired: false,
                drained: false,
                flooded: false,
                heard: now,
            }),
        })
    }

    /// Who is on the other end.
    pub fn id(&self) -> &LinkId {
        &self.id
    }

    /// How many calls wait for their answers.
    pub fn calls(&self) -> usize {
        self.lock().calls.len()
    }

    /// Bytes that wait to be written.
    pub fn queued(&self) -> usize {
        self.lock().outbox.waiting()
    }

    /// Messages that were put on their way, heartbeats not among them.
    pub fn frames_out(&self) -> u64 {
        self.lock().outbox.messages()
    }

    /// When the last byte came.
    pub fn heard(&self) -> Instant {
        self.lock().heard
    }

    /// Closes the connection once everything before has been written.
    pub fn close(&self, why: Goodbye) {
        let mut inner = self.lock();
        inner.ending.get_or_insert(why);
        wake(inner);
    }

    /// Asks the other end to send no more calls, as this one is about to stop. It then holds them back for the
    /// next connection.
    pub fn drain(&self) {
        self.put_urgent(&Frame::Drain);
    }

    /// Whether no call can come any more, and none of this end waits for its answer.
    pub fn is_drained(&self) -> bool {
        let inner = self.lock();
        inner.ended || inner.drained && inner.calls.is_empty()
    }

    /// Whether it is over.
    pub fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// The other end asks for no more calls: says that none comes behind this.
    pub(super) fn confirm_drained(&self) {
        let mut inner = self.lock();
        // Once is enough: who asks again and again must not fill the outbox.
        if !std::mem::replace(&mut inner.retired, true) {
            inner.outbox.put_ordered(&Frame::Drained);
            wake(inner);
            self.retirement.notify_one();
        }
    }

    /// Waits until the other end has asked for no more calls. For one waiter.
    pub(super) fn retired(&self) -> impl Future<Output = ()> {
        self.retirement.notified()
    }

    /// The other end sends no more calls.
    pub(super) fn note_drained(&self) {
        self.lock().drained = true;
    }

    /// Asks the other end for a sign of life now.
    pub fn ping(&self, token: u64) {
        self.put_urgent(&Frame::Ping(token));
    }

    pub(super) fn put_urgent(&self, frame: &Frame) {
        let mut inner = self.lock();
        inner.outbox.put_urgent(frame);
        wake(inner);
    }

    /// Echoes a ping, unless the other end asks without ever reading the echoes.
    pub(super) fn pong(&self, token: u64) {
        let mut inner = self.lock();
        if inner.outbox.urgent() < MOST_URGENT {
            inner.outbox.put_urgent(&Frame::Pong(token));
            wake(inner);
        }
    }

    /// Waits for the first call whose deadline has to be looked after, also while the socket takes nothing.
    pub(super) fn first_call(&self) -> impl Future<Output = ()> {
        std::future::poll_fn(|task| self.poll_first_call(task))
    }

    pub(crate) fn poll_first_call(&self, task: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if !inner.calls.is_empty() {
            return Poll::Ready(());
        }
        inner.at_ease = Some(task.waker().clone());
        Poll::Pending
    }

    /// Whether the other end does not read its answers.
    pub(super) fn is_flooded(&self) -> bool {
        self.lock().flooded
    }

    /// Bytes came.
    pub(super) fn note_heard(&self, now: Instant) {
        self.lock().heard = now;
    }

    /// Sees to it that the stage holds bytes to write; or says that the connection is to end, when there are no more.
    pub(crate) fn poll_staging(&self, stage: &mut Stage, task: &mut Context<'_>) -> Poll<Option<Goodbye>> {
        if !stage.is_empty() {
            return Poll::Ready(None);
        }
        let mut inner = self.lock();
        if inner.outbox.is_empty() {
            if inner.ending.is_some() {
                return Poll::Ready(inner.ending);
            }
            inner.waker = Some(task.waker().clone());
            return Poll::Pending;
        }
        inner.outbox.stage(stage);
        Poll::Ready(None)
    }

    /// Stages the last frame.
    pub(super) fn stage_goodbye(&self, goodbye: Goodbye, stage: &mut Stage) {
        let mut inner = self.lock();
        inner.outbox.put_urgent(&Frame::Goodbye(goodbye));
        inner.outbox.stage(stage);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing of ours panics under the lock; a user's Serialize may, and leaves the outbox as it was.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the task after the lock is released.
fn wake(mut inner: MutexGuard<'_, Inner>) {
    let waker = inner.waker.take();
    drop(inner);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
