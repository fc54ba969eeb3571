//! Keeps a service's actor alive: made by its factory, and made again when it ends.
//!
//! An actor ends by a panic or by its own `ctx.stop()`. Its successor starts from the factory, with fresh state, and takes what
//! still waits in the inbox. At once, unless the last life was shorter than [`SHORT_LIFE`] and took no message; then after a
//! growing delay, so that an actor that cannot start does not hold the thread. One whose handlers panic is made anew at once,
//! however often: each of its lives answers a message, and whoever sends such messages must not stop the service for others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix::{Actor, ActorFuture, AsyncContext, SyncArbiter, SyncContext};
use lampyris_runtime::backoff::Backoff;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Inbox, Service};

/// A life that ends before this, with no message taken, counts against the next start.
const SHORT_LIFE: Duration = Duration::from_millis(10);

/// The first delay before the start of an actor that cannot live; it doubles up to [`MAX_DELAY`].
const FIRST_DELAY: Duration = Duration::from_millis(5);

/// The longest delay before a start.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// A service that runs on this node.
pub(crate) struct Hosted {
    pub(crate) inbox: Arc<Inbox>,
    keeper: Option<JoinHandle<()>>,
}

impl Hosted {
    /// Takes no more calls and lets the actor go.
    pub(crate) fn stop(&self) {
        self.inbox.close();
        if let Some(keeper) = &self.keeper {
            keeper.abort();
        }
    }
}

/// Starts a service's actor on this thread and keeps it alive.
pub(crate) fn host<A, F>(inbox: Arc<Inbox>, factory: F) -> Hosted
where
    A: Service<Context = actix::Context<A>>,
    F: Fn() -> A + 'static,
{
    let first = start(&inbox, &factory);
    let keeper = tokio::task::spawn_local(keep(Arc::clone(&inbox), factory, first));
    Hosted {
        inbox,
        keeper: Some(keeper),
    }
}

/// Starts a service as a pool of `threads` threads, each with an actor of its own, for work that blocks.
pub(crate) fn host_pool<A, F>(inbox: Arc<Inbox>, threads: usize, factory: F) -> Hosted
where
    A: Service<Context = SyncContext<A>>,
    F: Fn() -> A + Send + Sync + 'static,
{
    let pool = SyncArbiter::start(threads, factory);
    inbox.attach(Arc::new(move |wake| pool.do_send(wake)));
    Hosted { inbox, keeper: None }
}

async fn keep<A, F>(inbox: Arc<Inbox>, factory: F, first: oneshot::Receiver<()>)
where
    A: Service<Context = actix::Context<A>>,
    F: Fn() -> A,
{
    let mut ended = first;
    let mut delay = Backoff::new(FIRST_DELAY, MAX_DELAY);
    let mut started = Instant::now();
    loop {
        // The sender is never used; that it is dropped is the news.
        if ended.await.is_ok() {
            return;
        }
        if !inbox.has_worked() && started.elapsed() < SHORT_LIFE {
            tokio::time::sleep(delay.next(u64::from(std::process::id()))).await;
        } else {
            delay.reset();
        }
        tracing::warn!(service = A::NAME, "the service's actor ended; it starts anew");
        started = Instant::now();
        // A factory that panics is one more short life: it is tried again, and whoever waits has his deadline.
        ended = catch_unwind(AssertUnwindSafe(|| start(&inbox, &factory))).unwrap_or_else(|panic| {
            drop(panic);
            tracing::error!(
                service = A::NAME,
                "the service's actor could not be made: its factory panicked"
            );
            oneshot::channel().1
        });
    }
}

/// Starts one life. The receiver ends when the life does.
fn start<A, F>(inbox: &Arc<Inbox>, factory: &F) -> oneshot::Receiver<()>
where
    A: Service<Context = actix::Context<A>>,
    F: Fn() -> A,
{
    let (alive, ended) = oneshot::channel();
    let addr = A::create(|ctx| {
        ctx.spawn(Alive { _alive: alive });
        factory()
    });
    inbox.attach(Arc::new(move |wake| addr.do_send(wake)));
    ended
}

/// Lives exactly as long as the actor's context.
struct Alive {
    _alive: oneshot::Sender<()>,
}

impl<A: Actor> ActorFuture<A> for Alive {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut A, _: &mut A::Context, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
