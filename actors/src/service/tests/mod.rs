//! The service machinery in one process, without links: invocations into the inbox of a hosted actor, and what
//! their callers are told.

mod ends;
mod outgoing;
mod results;
mod turns;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use lampyris_runtime::codec;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::reply::{ReplySink, ReplyTo, Write, Wrote};
use tokio::sync::oneshot;

use super::{Entry, Hosted, Inbox, Invocation, Taking, Visitor, host};
use crate::message::Origin;
use crate::prelude::*;

/// Longer than any test waits for an answer that comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The number that makes each handler of a [`Counter`] panic.
const POISON: u64 = 0;

/// How one call ended, and how many actors had been made by then.
struct Told {
    outcome: Result<(Wrote, Bytes), Fault>,
    lives: usize,
}

/// Who asked. Being told twice is a failed test.
struct Caller {
    tell: Mutex<Option<oneshot::Sender<Told>>>,
    lives: Arc<AtomicUsize>,
}

impl Caller {
    fn tell(&self, outcome: Result<(Wrote, Bytes), Fault>) {
        let tell = self.tell.lock().unwrap().take().expect("a caller was told twice");
        let lives = self.lives.load(Ordering::Relaxed);
        // A test that no longer listens is no fault.
        drop(tell.send(Told { outcome, lives }));
    }
}

impl ReplySink for Caller {
    fn reply(&self, _id: u64, write: Write<'_>) -> Option<ErrorKind> {
        let mut out = BytesMut::new();
        let outcome = write(&mut out).map(|wrote| (wrote, out.freeze()));
        let lost = outcome.as_ref().err().map(|fault| fault.kind);
        self.tell(outcome);
        lost
    }

    fn fault(&self, _id: u64, fault: Fault) {
        self.tell(Err(fault));
    }
}

/// A call on its way.
struct Asked<M> {
    told: oneshot::Receiver<Told>,
    message: PhantomData<M>,
}

impl<M: Remote> Asked<M> {
    async fn told(self) -> Told {
        let told = tokio::time::timeout(PATIENCE, self.told)
            .await
            .expect("a caller waits for nothing");
        told.expect("every call is answered")
    }

    async fn reply(self) -> M::Reply {
        let (wrote, body) = self.told().await.outcome.expect("a reply");
        assert_eq!(wrote, Wrote::Reply);
        codec::decode(&body).unwrap()
    }

    async fn fault(self) -> Fault {
        self.told().await.outcome.expect_err("a fault")
    }

    async fn fails_with(self, kind: ErrorKind) {
        assert_eq!(self.fault().await.kind, kind);
    }

    fn is_open(&mut self) -> bool {
        self.told
            .try_recv()
            .is_err_and(|why| why == oneshot::error::TryRecvError::Empty)
    }
}

/// A hosted service and its callers.
struct Bench<A: Service> {
    inbox: Arc<Inbox>,
    hosted: Hosted,
    lives: Arc<AtomicUsize>,
    actor: PhantomData<A>,
}

impl Bench<Counter> {
    fn new(limit: usize) -> Self {
        let lives = Arc::new(AtomicUsize::new(0));
        let inbox = Inbox::new(Counter::NAME, limit, Taking::Batch);
        let made = Arc::clone(&lives);
        let hosted = host(Arc::clone(&inbox), move || {
            made.fetch_add(1, Ordering::Relaxed);
            Counter::default()
        });
        Self {
            inbox,
            hosted,
            lives,
            actor: PhantomData,
        }
    }
}

impl<A: Service> Bench<A> {
    fn ask<M: Remote>(&self, message: M) -> Asked<M> {
        self.ask_until(message, Instant::now() + PATIENCE)
    }

    fn ask_until<M: Remote>(&self, message: M, deadline: Instant) -> Asked<M> {
        self.push(codec::to_bytes(&message).unwrap(), deadline)
    }

    fn push<M: Remote>(&self, body: Bytes, deadline: Instant) -> Asked<M> {
        let at = A::TABLE
            .iter()
            .position(|entry: &Entry<A>| entry.name == M::NAME)
            .expect("it is served");
        let (tell, told) = oneshot::channel();
        let caller = Caller {
            tell: Mutex::new(Some(tell)),
            lives: Arc::clone(&self.lives),
        };
        let origin = Origin::Node(NodeName::new("gate").unwrap());
        let visitor = Visitor::new(origin, self.inbox.desk(), Arc::new(caller));
        self.inbox.push_all(&mut VecDeque::from([Invocation {
            entry: u16::try_from(at).unwrap(),
            body,
            deadline,
            reply: ReplyTo::new(visitor, 0),
        }]));
        Asked {
            told,
            message: PhantomData,
        }
    }
}

/// Adds, and answers with the total, in each way in which a handler can answer.
#[derive(Default, Service)]
#[service(
    name = "counter",
    serves(Add, Soon, Inside, Alone, Either, Scoped, Spin, Unspeakable, Never, Stop)
)]
struct Counter {
    total: u64,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Counter {
    fn add(&mut self, n: u64) -> Result<u64, CallError> {
        assert_ne!(n, POISON, "poison");
        self.total += n;
        Ok(self.total)
    }
}

/// Adds at once.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.add", reply = u64)]
struct Add {
    n: u64,
}

impl Handler<Add> for Counter {
    type Result = Result<u64, CallError>;

    fn handle(&mut self, Add { n }: Add, _: &mut Context<Self>) -> Self::Result {
        self.add(n)
    }
}

/// Answers with the number itself, a little later.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.soon", reply = u64)]
struct Soon(u64);

impl Handler<Soon> for Counter {
    type Result = ResponseFuture<Result<u64, CallError>>;

    fn handle(&mut self, Soon(n): Soon, _: &mut Context<Self>) -> Self::Result {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Counter::default().add(n)
        })
    }
}

/// Adds a little later.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.inside", reply = u64)]
struct Inside(u64);

impl Handler<Inside> for Counter {
    type Result = ResponseActFuture<Self, Result<u64, CallError>>;

    fn handle(&mut self, Inside(n): Inside, _: &mut Context<Self>) -> Self::Result {
        Box::pin(
            tokio::task::yield_now()
                .into_actor(self)
                .map(move |(), counter, _| counter.add(n)),
        )
    }
}

/// Adds a little later to what the total is now, so that anything added between is lost.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.alone", reply = u64)]
struct Alone(u64);

impl Handler<Alone> for Counter {
    type Result = AtomicResponse<Self, Result<u64, CallError>>;

    fn handle(&mut self, Alone(n): Alone, _: &mut Context<Self>) -> Self::Result {
        let before = self.total;
        let later = tokio::task::yield_now()
            .into_actor(self)
            .map(move |(), counter, _| {
                counter.total = before;
                counter.add(n)
            });
        AtomicResponse::new(Box::pin(later))
    }
}

/// Adds an even number at once, and answers with an odd one later.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.either", reply = u64)]
struct Either(u64);

impl Handler<Either> for Counter {
    type Result = Answer<Either>;

    fn handle(&mut self, Either(n): Either, _: &mut Context<Self>) -> Self::Result {
        if n.is_multiple_of(2) {
            self.add(n).into()
        } else {
            Answer::later(async move { Ok(n) })
        }
    }
}

/// Whether the handler, and the future that it returns, know whose call they work on.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.scoped", reply = (bool, bool))]
struct Scoped;

impl Handler<Scoped> for Counter {
    type Result = ResponseFuture<Result<(bool, bool), CallError>>;

    fn handle(&mut self, _: Scoped, _: &mut Context<Self>) -> Self::Result {
        let now = crate::scope::current().is_some();
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok((now, crate::scope::current().is_some()))
        })
    }
}

/// Holds the thread for so many microseconds, then counts.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.spin", reply = u64)]
struct Spin(u64);

impl Handler<Spin> for Counter {
    type Result = Result<u64, CallError>;

    fn handle(&mut self, Spin(micros): Spin, _: &mut Context<Self>) -> Self::Result {
        let until = Instant::now() + Duration::from_micros(micros);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        self.add(1)
    }
}

/// Has a reply that cannot be written.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.unspeakable", reply = Secret)]
struct Unspeakable;

#[derive(Deserialize)]
struct Secret;

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it is a secret"))
    }
}

impl Handler<Unspeakable> for Counter {
    type Result = Result<Secret, CallError>;

    fn handle(&mut self, _: Unspeakable, _: &mut Context<Self>) -> Self::Result {
        Ok(Secret)
    }
}

/// Is not answered for as long as the actor lives.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.never")]
struct Never;

impl Handler<Never> for Counter {
    type Result = ResponseActFuture<Self, Result<(), CallError>>;

    fn handle(&mut self, _: Never, _: &mut Context<Self>) -> Self::Result {
        Box::pin(std::future::pending().into_actor(self))
    }
}

/// Ends the actor.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "counter.stop")]
struct Stop;

impl Handler<Stop> for Counter {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) -> Self::Result {
        actix::ActorContext::stop(ctx);
        Ok(())
    }
}
