//! The supervised address of a service on another node, and a call to it.
//!
//! An address is a name, valid across restarts of the node behind it: while the link is down calls wait for it,
//! bounded in number and time. Every call ends exactly once, in a reply or a [`CallError`].

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix::ResponseFuture;
use bytes::{Bytes, BytesMut};
use lampyris_runtime::codec;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::link::{Peer, Term};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::reply::{ReplySink, ReplyTo, Write, Wrote, as_it_is};
use lampyris_runtime::trace::Traced;

use crate::clock;
use crate::error::CallError;
use crate::message::Remote;
use crate::scope;
use crate::service::{Forward, Outcome, Serves, outgoing};

/// The address of service `S` on another node.
pub struct RemoteAddr<S> {
    peer: Peer,
    timeout: Duration,
    service: PhantomData<fn() -> S>,
}

impl<S> Clone for RemoteAddr<S> {
    fn clone(&self) -> Self {
        Self {
            peer: self.peer.clone(),
            timeout: self.timeout,
            service: PhantomData,
        }
    }
}

impl<S> RemoteAddr<S> {
    pub(crate) fn new(peer: Peer, timeout: Duration) -> Self {
        Self {
            peer,
            timeout,
            service: PhantomData,
        }
    }

    /// The node behind the address.
    pub fn node(&self) -> &NodeName {
        self.peer.name()
    }

    /// Whether the link to it is up right now.
    pub fn is_up(&self) -> bool {
        self.peer.is_up()
    }

    /// The same address with another time for its calls.
    ///
    /// A call from inside a handler never has more time than the handler's own caller still waits.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks, and gives the future of the answer. The message is on its way when this returns: calls reach the
    /// other side in the order in which they were made, whether or not anybody awaits them.
    pub fn call<M: Remote>(&self, message: M) -> Call<M>
    where
        S: Serves<M>,
    {
        let now = clock::now();
        let (deadline, traced) = scope::of_a_call(now);
        // Never more than what the caller of the running handler has left.
        let mut term = Term::new(now, self.timeout);
        if let Some(callers) = deadline {
            term.until = term.until.min(callers);
        }
        let (call, reply) = Call::open();
        let reply = reply.traced(traced);
        outgoing::call(&self.peer, M::ID, term, &mut |out| encode(&message, out), reply);
        call
    }

    /// The result of a handler that hands its message on: whoever asked it gets the answer, as it comes.
    pub fn forward<M: Remote>(&self, message: M) -> Forward<M>
    where
        S: Serves<M>,
    {
        Forward::new(self.peer.clone(), self.timeout, message)
    }

    /// Tells without waiting for an answer.
    ///
    /// # Errors
    /// The [`CallError::Runtime`] of a message that could not be put on its way.
    pub fn notify<M: Remote>(&self, message: M) -> Result<(), CallError>
    where
        S: Serves<M>,
    {
        outgoing::flush();
        self.peer
            .notify(M::ID, clock::now(), &mut |out| encode(&message, out))
            .map_err(CallError::Runtime)
    }
}

pub(crate) fn encode<M: Remote>(message: &M, out: &mut BytesMut) -> Result<Wrote, Fault> {
    codec::encode(message, out).map(|()| Wrote::Reply)
}

/// A call on its way: a future of its reply. Dropping it gives up waiting; the handler may still run.
#[must_use = "an answer that nobody awaits is lost; use notify to tell without waiting"]
pub struct Call<M: Remote> {
    slot: Arc<Slot>,
    message: PhantomData<fn(M)>,
}

impl<M: Remote> Call<M> {
    /// A call, and where its answer is to go.
    pub(crate) fn open() -> (Self, ReplyTo) {
        let slot = Arc::new(Slot::default());
        let reply = ReplyTo::new(slot.clone(), 0);
        let message = PhantomData;
        (Self { slot, message }, reply)
    }

    /// The same call without the type of its message, to be handed on.
    pub(crate) fn into_relayed(self) -> Relayed<Outcome<M>> {
        Relayed {
            slot: self.slot,
            wait: |slot| {
                Box::pin(Self {
                    slot,
                    message: PhantomData,
                })
            },
        }
    }
}

/// A call whose outcome somebody else is to have.
pub(crate) struct Relayed<T> {
    slot: Arc<Slot>,
    wait: fn(Arc<Slot>) -> ResponseFuture<T>,
}

impl<T> Relayed<T> {
    /// Sends the answer on to `reply` when it comes.
    pub(crate) fn relay(self, reply: ReplyTo) {
        let mut state = self.slot.lock();
        match std::mem::take(&mut *state) {
            State::Done(outcome) => {
                drop(state);
                forward(reply, outcome);
            }
            _ => *state = State::Forward(reply),
        }
    }

    /// The value, for a caller in this process.
    pub(crate) fn wait(self) -> ResponseFuture<T> {
        (self.wait)(self.slot)
    }
}

impl<M: Remote> Future for Call<M> {
    type Output = Outcome<M>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome<M>> {
        let mut state = self.slot.lock();
        match std::mem::take(&mut *state) {
            State::Done(outcome) => Poll::Ready(match outcome {
                Ok(body) => codec::decode(&body).map_err(|fault| CallError::Runtime(fault.of_a_reply())),
                Err(fault) => Err(CallError::from_fault(fault)),
            }),
            _ => {
                *state = State::Waiting(Some(task.waker().clone()));
                Poll::Pending
            }
        }
    }
}

fn forward(reply: ReplyTo, outcome: Result<Bytes, Fault>) {
    match outcome {
        Ok(body) => drop(reply.reply_bytes(body)),
        Err(fault) => reply.fault(fault),
    }
}

/// Where the answer of one call meets the one who waits for it.
#[derive(Default)]
struct Slot(Mutex<State>);

enum State {
    Waiting(Option<Waker>),
    Done(Result<Bytes, Fault>),
    Forward(ReplyTo),
}

impl Default for State {
    fn default() -> Self {
        Self::Waiting(None)
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, outcome: Result<Bytes, Fault>) {
        let mut state = self.lock();
        match std::mem::take(&mut *state) {
            State::Forward(reply) => {
                drop(state);
                forward(reply, outcome);
            }
            State::Waiting(waker) => {
                *state = State::Done(outcome);
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            State::Done(first) => *state = State::Done(first),
        }
    }
}

impl ReplySink for Slot {
    fn reply(&self, _id: u64, write: Write<'_>) -> Option<ErrorKind> {
        let mut out = BytesMut::new();
        let outcome = write(&mut out).map(|_| out.freeze());
        let lost = outcome.as_ref().err().map(|fault| fault.kind);
        self.finish(outcome);
        lost
    }

    fn reply_bytes(&self, _id: u64, body: Bytes) -> Option<ErrorKind> {
        self.finish(Ok(body));
        None
    }

    fn fault(&self, _id: u64, fault: Fault) {
        self.finish(Err(fault));
    }
}

/// An untyped call by a handler's name, with MessagePack both ways; for tools.
///
/// # Errors
/// The body is no MessagePack, or the call ended without a reply.
pub async fn call_by_name(
    peer: &Peer,
    handler: &str,
    body: Bytes,
    timeout: Duration,
) -> Result<Bytes, Fault> {
    call_traced(peer, handler, body, timeout, None).await
}

/// The same, as part of a trace.
pub(crate) async fn call_traced(
    peer: &Peer,
    handler: &str,
    body: Bytes,
    timeout: Duration,
    trace: Option<Traced>,
) -> Result<Bytes, Fault> {
    codec::scan(&body).map_err(|why| Fault::new(ErrorKind::BadPayload, format!("no MessagePack: {why}")))?;
    let slot = Arc::new(Slot::default());
    let id = lampyris_runtime::name::HandlerId::of(handler);
    let reply = ReplyTo::new(slot.clone(), 0).traced(trace);
    let term = Term::new(clock::now(), timeout);
    outgoing::call(peer, id, term, &mut as_it_is(&body), reply);
    std::future::poll_fn(move |task| {
        let mut state = slot.lock();
        match std::mem::take(&mut *state) {
            State::Done(outcome) => Poll::Ready(outcome),
            _ => {
                *state = State::Waiting(Some(task.waker().clone()));
                Poll::Pending
            }
        }
    })
    .await
}
