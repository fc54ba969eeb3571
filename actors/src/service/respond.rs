//! From what a handler returns to the answer that its caller gets.
//!
//! Every result that actix knows is taken as it is: a `Result`, a [`ResponseFuture`], a [`ResponseActFuture`],
//! an [`AtomicResponse`]. A plain result is written into the caller's buffer at once, without a task or a channel. [`Answer`] adds
//! one thing: the reply of another call, handed on without being decoded.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use actix::dev::{MessageResponse, OneshotSender};
use actix::{
    Actor, ActorContext, ActorFuture, AsyncContext, AtomicResponse, MessageResult, ResponseActFuture,
    ResponseFuture,
};

use super::drain::{Ended, panicked};
use super::outgoing;
use crate::error::CallError;
use crate::message::{Callable, Remote};
use crate::remote::{Call, Relayed};
use crate::scope::{self, Working};
use crate::store::Unsaved;

/// The result of a handler for `M`.
pub type Outcome<M> = Result<<M as Callable>::Reply, CallError<<M as Callable>::Error>>;

/// The duty to answer one message, with its type.
pub struct Responder<M: Callable> {
    working: Working,
    message: PhantomData<fn(M)>,
}

impl<M: Callable> Responder<M> {
    pub(crate) const fn new(working: Working) -> Self {
        Self {
            working,
            message: PhantomData,
        }
    }

    /// The call without the type of its message.
    pub(super) fn into_working(self) -> Working {
        self.working
    }

    /// Sends the answer.
    pub fn send(self, outcome: Outcome<M>) {
        // What the handler has sent before is there before its answer.
        outgoing::flush();
        match outcome {
            Err(error) => self.working.reply.fault(error.into_fault()),
            Ok(reply) => {
                self.working.reply.reply(&mut |out| {
                    // A panic here would strike the sink, which others share.
                    catch_unwind(AssertUnwindSafe(|| M::write(&reply, out)))
                        .unwrap_or_else(|panic| Err(panicked(M::NAME, panic.as_ref())))
                });
            }
        }
    }

    /// Ends the call because the handler panicked.
    pub(super) fn panicked(self, panic: &(dyn std::any::Any + Send)) {
        self.working.reply.fault(panicked(M::NAME, panic));
    }
}

/// What a handler may return. Implemented for what actix knows, for [`Answer`] and for [`Forward`](super::Forward).
///
/// An [`AtomicResponse`] hides its future: a panic in it ends the actor as everywhere, but the caller is told
/// `cancelled`, and calls made in it have their full time.
#[diagnostic::on_unimplemented(
    message = "a handler of `{M}` cannot return `{Self}`",
    note = "return Result<Reply, CallError>, a ResponseFuture, ResponseActFuture or AtomicResponse of it, Answer<{M}>, or Forward of a message with the same reply"
)]
pub trait Respond<A: Actor, M: Callable> {
    /// Answers now, or sees to it that the answer comes.
    fn respond(self, ctx: &mut A::Context, responder: Responder<M>);
}

impl<A: Actor, M: Callable> Respond<A, M> for Result<M::Reply, CallError<M::Error>> {
    fn respond(self, _ctx: &mut A::Context, responder: Responder<M>) {
        responder.send(self);
    }
}

impl<A: Actor, M: Callable> Respond<A, M> for MessageResult<M> {
    fn respond(self, _ctx: &mut A::Context, responder: Responder<M>) {
        responder.send(self.0);
    }
}

impl<A, M> Respond<A, M> for ResponseFuture<Outcome<M>>
where
    A: Actor<Context: AsyncContext<A>>,
    M: Callable,
{
    fn respond(self, _ctx: &mut A::Context, responder: Responder<M>) {
        tokio::task::spawn_local(Later {
            future: self,
            duty: Duty(Some(responder)),
        });
    }
}

impl<A, M> Respond<A, M> for ResponseActFuture<A, Outcome<M>>
where
    A: Actor<Context: AsyncContext<A>>,
    M: Callable,
{
    fn respond(self, ctx: &mut A::Context, responder: Responder<M>) {
        ctx.spawn(Answering {
            future: self,
            duty: Duty(Some(responder)),
        });
    }
}

impl<A, M> Respond<A, M> for AtomicResponse<A, Outcome<M>>
where
    A: Actor<Context: AsyncContext<A>>,
    M: Callable,
{
    fn respond(self, ctx: &mut A::Context, responder: Responder<M>) {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        MessageResponse::<A, M>::handle(self, ctx, Some(sender));
        tokio::task::spawn_local(async move {
            // A closed channel means that the actor is gone; dropping the responder says so.
            if let Ok(outcome) = receiver.await {
                responder.send(outcome);
            }
        });
    }
}

/// The result of a handler that decides as it goes: a value, an error, a future, or the reply of another call.
///
/// `Answer::from(call)` hands the reply of that call on to the caller of this handler without decoding it and
/// without a task; this is what a gate does.
pub struct Answer<M: Callable>(Kind<M>);

enum Kind<M: Callable> {
    Ready(Outcome<M>),
    Later(ResponseFuture<Outcome<M>>),
    Unsaved(Unsaved<M::Reply>),
    Relay(Relayed<Outcome<M>>),
}

impl<M: Callable> Answer<M> {
    /// An answer that stands.
    pub fn ready(outcome: Outcome<M>) -> Self {
        Self(Kind::Ready(outcome))
    }

    /// An answer that a future will give.
    pub fn later(future: impl Future<Output = Outcome<M>> + 'static) -> Self {
        Self(Kind::Later(Box::pin(future)))
    }

    /// The answer that a change of an entity has left, once that is safe. The future is begun at once; if it has nothing
    /// to wait for, as the entity is in memory, this takes no task: all changes of one sync are answered in one go.
    ///
    /// ```
    /// use lampyris::prelude::*;
    ///
    /// #[derive(Clone, Entity)]
    /// #[entity(table = "players", mode = "behind")]
    /// pub struct Player {
    ///     #[entity(key)]
    ///     id: i64,
    ///     gold: i64,
    /// }
    ///
    /// /// Gold for a player; answers how much he has.
    /// #[derive(Serialize, Deserialize, Remote)]
    /// #[remote(name = "players.earn", reply = i64)]
    /// pub struct Earn(i64, i64);
    ///
    /// #[derive(Service)]
    /// #[service(name = "players", serves(Earn))]
    /// pub struct Players(Entities<Player>);
    ///
    /// impl Actor for Players {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<Earn> for Players {
    ///     type Result = Answer<Earn>;
    ///
    ///     fn handle(&mut self, Earn(id, amount): Earn, _: &mut Context<Self>) -> Self::Result {
    ///         let players = self.0.clone();
    ///         Answer::once_saved(async move {
    ///             let player = players.load(id).await?.ok_or("no such player")?;
    ///             let more = |player: &mut Player| {
    ///                 player.gold = player.gold.checked_add(amount).ok_or("more gold than fits")?;
    ///                 Ok::<_, &str>(())
    ///             };
    ///             Ok(player.begin_update(more, |player| player.gold).await??)
    ///         })
    ///     }
    /// }
    /// ```
    pub fn once_saved(
        future: impl Future<Output = Result<Unsaved<M::Reply>, CallError<M::Error>>> + 'static,
    ) -> Self {
        let mut future = Box::pin(future);
        // Whoever is to be woken is told when the future is polled again, by its task.
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(unsaved)) => Self(Kind::Unsaved(unsaved)),
            Poll::Ready(Err(why)) => Self::ready(Err(why)),
            Poll::Pending => Self::later(async move { Ok(future.await?.saved().await?) }),
        }
    }
}

impl<M: Callable> From<Outcome<M>> for Answer<M> {
    fn from(outcome: Outcome<M>) -> Self {
        Self::ready(outcome)
    }
}

impl<M: Callable, N: Remote<Reply = M::Reply, Error = M::Error>> From<Call<N>> for Answer<M> {
    fn from(call: Call<N>) -> Self {
        Self(Kind::Relay(call.into_relayed()))
    }
}

impl<A, M> Respond<A, M> for Answer<M>
where
    A: Actor<Context: AsyncContext<A>>,
    M: Callable,
{
    fn respond(self, ctx: &mut A::Context, responder: Responder<M>) {
        match self.0 {
            Kind::Ready(outcome) => responder.send(outcome),
            Kind::Later(future) => Respond::<A, M>::respond(future, ctx, responder),
            Kind::Unsaved(unsaved) => unsaved.then(|saved| responder.send(saved.map_err(Into::into))),
            Kind::Relay(call) => call.relay(responder.working.reply.relayed(M::RELAY)),
        }
    }
}

impl<A: Actor, M: Callable> MessageResponse<A, M> for Answer<M> {
    /// The way of actix's own `addr.send`, inside one node.
    fn handle(self, _ctx: &mut A::Context, sender: Option<OneshotSender<M::Result>>) {
        let Some(sender) = sender else { return };
        match self.0 {
            Kind::Ready(outcome) => local(sender, outcome),
            Kind::Later(future) => drop(actix::spawn(async move { local(sender, future.await) })),
            Kind::Unsaved(unsaved) => unsaved.then(|saved| local(sender, saved.map_err(Into::into))),
            Kind::Relay(call) => drop(actix::spawn(async move { local(sender, call.wait().await) })),
        }
    }
}

/// Sends to a local caller, who may have gone.
pub(super) fn local<M>(sender: OneshotSender<M>, value: M) {
    if sender.send(value).is_err() {
        tracing::trace!("nobody waits for a local answer any more");
    }
}

/// The duty to answer when a handler's future ends, also by a panic. Empty once that is done.
struct Duty<M: Callable>(Option<Responder<M>>);

impl<M: Callable> Duty<M> {
    /// Polls the future inside the scope of its call, and answers if that was the end of it.
    fn poll(&mut self, poll: impl FnOnce() -> Poll<Outcome<M>>) -> Poll<Ended> {
        let Some(Responder { working, .. }) = self.0.take() else {
            return Poll::Ready(Ended::Returned);
        };
        let entered = scope::enter(working);
        let polled = catch_unwind(AssertUnwindSafe(poll));
        let responder = Responder::new(entered.leave());
        Poll::Ready(match polled {
            Ok(Poll::Pending) => {
                self.0 = Some(responder);
                return Poll::Pending;
            }
            Ok(Poll::Ready(outcome)) => {
                responder.send(outcome);
                Ended::Returned
            }
            Err(panic) => {
                responder.panicked(panic.as_ref());
                Ended::Panicked
            }
        })
    }
}

/// An actor's future. If it panics, the actor's state may be broken.
struct Answering<A: Actor, M: Callable> {
    future: ResponseActFuture<A, Outcome<M>>,
    duty: Duty<M>,
}

impl<A, M> ActorFuture<A> for Answering<A, M>
where
    A: Actor<Context: AsyncContext<A>>,
    M: Callable,
{
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut A,
        ctx: &mut A::Context,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        let Self { future, duty } = &mut *self;
        duty.poll(|| future.as_mut().poll(actor, ctx, task)).map(|ended| {
            if ended == Ended::Panicked {
                ctx.terminate();
            }
        })
    }
}

/// A future of its own. A type instead of an `async` block, which has room for all that it moves twice: there is one of
/// these for every call that waits.
struct Later<M: Callable> {
    future: ResponseFuture<Outcome<M>>,
    duty: Duty<M>,
}

impl<M: Callable> Future for Later<M> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let Self { future, duty } = &mut *self;
        duty.poll(|| future.as_mut().poll(task)).map(drop)
    }
}
