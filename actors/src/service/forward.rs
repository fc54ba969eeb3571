//! A handler that hands its message on: the answer of another node goes to whoever asked here.
//!
//! There is no task, no channel and no future in between: the duty to answer goes along with the message, and the
//! reply's bytes are handed on as they come.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, AsyncContext};
use bytes::BytesMut;
use lampyris_runtime::link::{Peer, Term};
use lampyris_runtime::reply::ReplyTo;

use super::drain::panicked;
use super::outgoing;
use super::respond::{Outcome, Respond, Responder, local};
use crate::clock;
use crate::message::{Callable, Remote};
use crate::remote::{Call, encode};
use crate::scope::Working;

/// The result of a handler that does nothing but pass its message on, made by
/// [`RemoteAddr::forward`](crate::remote::RemoteAddr::forward).
///
/// The message leaves when the handler returns, behind all calls that it made.
///
/// ```
/// use lampyris::prelude::*;
/// # #[derive(Serialize, Deserialize, Remote)]
/// # #[remote(name = "game.move", reply = Payload)]
/// # pub struct GameMove(Payload);
/// # lampyris::service! { pub Game { GameMove } }
///
/// #[derive(Command)]
/// #[command(300, reply = Payload)]
/// struct Move(Payload);
///
/// #[derive(Service)]
/// #[service(name = "net", commands(Move))]
/// struct Net {
///     game: RemoteAddr<Game>,
/// }
///
/// impl Actor for Net {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Move> for Net {
///     type Result = Forward<GameMove>;
///
///     fn handle(&mut self, Move(data): Move, _: &mut Context<Self>) -> Self::Result {
///         self.game.forward(GameMove(data))
///     }
/// }
/// ```
#[must_use = "a message is handed on by returning it from a handler"]
pub struct Forward<N: Remote> {
    peer: Peer,
    timeout: Duration,
    message: N,
}

impl<N: Remote> Forward<N> {
    pub(crate) const fn new(peer: Peer, timeout: Duration, message: N) -> Self {
        Self {
            peer,
            timeout,
            message,
        }
    }

    /// Sends the message; the answer goes to `reply`.
    fn send(self, term: Term, reply: ReplyTo) {
        let message = AssertUnwindSafe(&self.message);
        // A panic of the message's own type would strike all calls of the slice.
        let mut write = |out: &mut BytesMut| {
            catch_unwind(AssertUnwindSafe(|| encode(*message, out)))
                .unwrap_or_else(|panic| Err(panicked(N::NAME, panic.as_ref())))
        };
        outgoing::call(&self.peer, N::ID, term, &mut write, reply);
    }
}

impl<A, M, N> Respond<A, M> for Forward<N>
where
    A: Actor,
    M: Callable,
    N: Remote<Reply = M::Reply, Error = M::Error>,
{
    fn respond(self, _ctx: &mut A::Context, responder: Responder<M>) {
        let Working {
            deadline,
            started,
            reply,
        } = responder.into_working();
        // Never more than what the caller still waits. If that decides, the time is not read anew, which would take as
        // long as all else that is done here.
        let mut term = Term::new(started, self.timeout);
        if term.until < deadline {
            term = Term::new(clock::now(), self.timeout);
        }
        term.until = term.until.min(deadline);
        self.send(term, reply.relayed(M::RELAY));
    }
}

impl<A, M, N> MessageResponse<A, M> for Forward<N>
where
    A: Actor<Context: AsyncContext<A>>,
    M: Callable,
    N: Remote<Reply = M::Reply, Error = M::Error>,
{
    /// The way of actix's own `addr.send`, inside one node.
    fn handle(self, _ctx: &mut A::Context, sender: Option<OneshotSender<Outcome<M>>>) {
        let (call, reply) = Call::<N>::open();
        let term = Term::new(clock::now(), self.timeout);
        self.send(term, reply);
        if let Some(sender) = sender {
            drop(actix::spawn(async move { local(sender, call.await) }));
        }
    }
}
