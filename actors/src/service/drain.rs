//! The actor's side of the inbox: take a slice, read each message, call its handler.
//!
//! A slice is bounded in number and time, because an actix mailbox has no budget: between two slices the
//! thread's other tasks, above all the links' heartbeats, get their turn.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Handler, SyncContext};
use lampyris_runtime::error::{ErrorKind, Fault, panic_text};
use lampyris_runtime::reply::ReplyTo;

use super::outgoing;
use super::stride::Stride;
use super::{Inbox, Invocation, Measured, Respond, Responder, Service, Wake, origin_of};
use crate::clock;
use crate::message::Callable;
use crate::scope::{self, Working};

/// Most invocations of one slice.
pub(super) const SLICE: usize = 256;

/// Longest time of one slice; the handler that is running when it ends is not interrupted.
const SLICE_TIME: Duration = Duration::from_millis(2);

/// How a handler came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It returned.
    Returned,
    /// It panicked: the actor's state may be broken, so the actor starts anew.
    Panicked,
}

/// The contexts that a service's actor can have: `Context<Self>`, or `SyncContext<Self>` in a pool.
pub trait ServiceContext: ActorContext {
    /// Whether the actor may have a message now: it is not stopping, and no future has it for itself, as those
    /// of `AtomicResponse` and `ctx.wait` have.
    fn is_free(&self) -> bool;
}

impl<A: Actor<Context = Self>> ServiceContext for actix::Context<A> {
    fn is_free(&self) -> bool {
        !self.waiting()
    }
}

impl<A: Actor<Context = Self>> ServiceContext for SyncContext<A> {
    fn is_free(&self) -> bool {
        self.state().alive()
    }
}

/// Works on what waits in the inbox; what `#[derive(Service)]` puts into `impl Handler<Wake>`.
pub fn drain<A: Service<Context: ServiceContext>>(actor: &mut A, wake: &Wake, ctx: &mut A::Context) {
    let inbox = &wake.0;
    let mut slice = VecDeque::new();
    inbox.take(&mut slice);
    let started = clock::now();
    let mut stride = Stride::new(started, inbox.stride());
    let gathering = (slice.len() > 1).then(outgoing::gather);
    // It has noted itself.
    clock::last_read();
    let handlers = inbox.handlers();
    // The first call of a slice is timed, and stands for those behind it: a clock costs as much as a small handler.
    let mut timed = Some(started);
    for _ in 0..SLICE {
        let Some(mut invocation) = slice.pop_front() else {
            break;
        };
        let entry = &A::TABLE[usize::from(invocation.entry)];
        let expired = invocation.deadline <= stride.now();
        // One that does not come to its handler takes no time, and leaves the clock to the next.
        let timer = if expired { None } else { timed.take() };
        if let Some(handler) = handlers
            .get(usize::from(invocation.entry))
            .filter(|handler| handler.counts)
        {
            begin(inbox, handler, &mut invocation, timer, stride.now());
        }
        if expired {
            invocation.reply.fault(Fault::new(
                ErrorKind::Expired,
                "its time had run out while it waited",
            ));
            continue;
        }
        if (entry.run)(actor, invocation, stride.now(), ctx) == Ended::Panicked {
            // Not `stop`, which the actor could refuse.
            ctx.terminate();
        }
        let looked = stride.step(clock::last_read(), clock::now);
        if !ctx.is_free() || looked && stride.now().duration_since(started) > SLICE_TIME {
            break;
        }
    }
    drop(gathering);
    inbox.set_stride(stride.length());
    if inbox.put_back(slice) {
        // Reaches this actor when it is free again, or its successor.
        wake_later(inbox);
    }
}

/// Counts a call whose turn it is, and follows one that is traced.
#[inline]
fn begin(
    inbox: &Inbox,
    handler: &Measured,
    invocation: &mut Invocation,
    timed: Option<Instant>,
    now: Instant,
) {
    handler.meter.start();
    invocation.reply.start(invocation.entry, timed);
    if let Some(traced) = invocation.reply.trace()
        && let Some(spans) = inbox.spans()
    {
        let reply = std::mem::replace(&mut invocation.reply, ReplyTo::nobody());
        invocation.reply = spans.follow(
            reply,
            traced,
            (inbox.service(), handler.name, handler.command),
            now,
        );
    }
}

/// Wakes the actor again after every other task that is ready has had its turn.
fn wake_later(inbox: &Arc<Inbox>) {
    let inbox = Arc::clone(inbox);
    actix::spawn(async move {
        tokio::task::yield_now().await;
        inbox.wake_again();
    });
}

/// Reads one message and calls its handler.
pub(super) fn run<A, M>(
    actor: &mut A,
    invocation: Invocation,
    started: Instant,
    ctx: &mut A::Context,
) -> Ended
where
    A: Actor + Handler<M, Result: Respond<A, M>>,
    M: Callable,
{
    let Invocation {
        body,
        deadline,
        reply,
        ..
    } = invocation;
    let origin = origin_of(&reply);
    tracing::trace!(
        handler = M::NAME,
        call = reply.id(),
        ?origin,
        bytes = body.len(),
        "called"
    );
    let message = match catch_unwind(AssertUnwindSafe(|| M::read(body, origin))) {
        Ok(Ok(message)) => message,
        Ok(Err(fault)) => {
            tracing::debug!(handler = M::NAME, call = reply.id(), ?origin, %fault, "a message could not be read");
            reply.fault(fault);
            return Ended::Returned;
        }
        Err(panic) => {
            reply.fault(panicked(M::NAME, panic.as_ref()));
            return Ended::Returned;
        }
    };
    let entered = scope::enter(Working {
        deadline,
        started,
        reply,
    });
    let handled = catch_unwind(AssertUnwindSafe(|| actor.handle(message, ctx)));
    let responder = Responder::new(entered.leave());
    match handled {
        Ok(result) => {
            result.respond(ctx, responder);
            Ended::Returned
        }
        Err(panic) => {
            responder.panicked(panic.as_ref());
            Ended::Panicked
        }
    }
}

/// The fault of a panic; the panic's text stays in the node's log.
pub(super) fn panicked(handler: &str, panic: &(dyn std::any::Any + Send)) -> Fault {
    tracing::error!(handler, panic = panic_text(panic), "a handler panicked");
    Fault::new(ErrorKind::HandlerPanic, format!("handler {handler} panicked"))
}
