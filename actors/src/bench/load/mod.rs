//! The load generator: many clients on one thread of this process.
//!
//! It shares the machine with what it measures, so it must be cheap: requests are frames that are laid out
//! once, answers are compared with the bytes of the first, all that has come is read at once and answered
//! by as many new requests in one write, and the clock is read once for each of those turns.
//!
//! `answers` is pure; `closed` keeps requests in flight, `open` sends them when they are due, by `alarm`.

mod alarm;
mod answers;
mod closed;
mod open;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use self::answers::Answers;
use super::histogram::Histogram;
use super::plan::Shape;
use super::requests::Requests;

/// How long after the end answers may still come; later ones count as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest time for one connection.
const CONNECT: Duration = Duration::from_secs(5);

/// What is sent where.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) addr: SocketAddr,
    pub(super) requests: Requests,
    /// The frame that answers each; where they differ, one that has the command of all answers.
    pub(super) answer: Rc<[u8]>,
    pub(super) connections: usize,
    pub(super) shape: Shape,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Good answers in the measured time; in the open loop those to requests that were due in it.
    pub(super) answers: u64,
    /// Error frames, at any time.
    pub(super) errors: u64,
    /// What the first of them said.
    pub(super) first_error: Option<String>,
    /// Frames that are not the answer, at any time.
    pub(super) wrong: u64,
    /// Requests without any answer.
    pub(super) lost: u64,
    /// Why the first connection that broke did so.
    pub(super) broken: Option<String>,
    /// From request to answer; in the open loop from the moment when the request was due.
    pub(super) latencies: Histogram,
}

/// What all connections of a load share.
#[derive(Debug)]
struct Shared {
    load: Load,
    begin: Instant,
    end: Instant,
    tally: RefCell<Tally>,
}

/// A load that is under way. Its measured time is from `begin` to `end`.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) begin: Instant,
    pub(super) end: Instant,
    shared: Rc<Shared>,
    tasks: JoinSet<()>,
}

/// Connects, and starts to send. Must be called inside a `LocalSet`.
///
/// # Errors
/// A connection cannot be made.
pub(super) async fn start(load: Load, warm_up: Duration, duration: Duration) -> io::Result<Running> {
    let mut streams = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        streams.push(connect(load.addr).await?);
    }
    let start = Instant::now();
    let begin = start + warm_up;
    let end = begin + duration;
    let shape = load.shape;
    let shared = Rc::new(Shared {
        load,
        begin,
        end,
        tally: RefCell::default(),
    });
    let mut tasks = JoinSet::new();
    match shape {
        Shape::Closed { depth } => closed::start(streams, depth, &shared, &mut tasks),
        Shape::Open { rate } => open::start(streams, rate, start, &shared, &mut tasks)?,
    }
    Ok(Running {
        begin,
        end,
        shared,
        tasks,
    })
}

/// A connection without the delays that the system likes to add.
///
/// # Errors
/// It cannot be made, or not in time.
pub(super) async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(addr)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Running {
    /// Waits for the last answers.
    pub(super) async fn finish(mut self) -> Tally {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                self.shared.broke(&io::Error::other(error));
            }
        }
        self.shared.tally.take()
    }
}

impl Shared {
    /// Whether what happened at `at` counts.
    fn is_measured(&self, at: Instant) -> bool {
        self.begin <= at && at < self.end
    }

    /// A connection has broken.
    fn broke(&self, why: &io::Error) {
        let mut tally = self.tally.borrow_mut();
        tally.broken.get_or_insert_with(|| why.to_string());
    }

    /// Serves one connection until it is done, or its patience is over; then whatever is unanswered is lost.
    async fn watch(&self, work: impl Future<Output = io::Result<()>>) {
        let until = (self.end + PATIENCE).into();
        match tokio::time::timeout_at(until, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.broke(&error),
            Err(_) => self.broke(&io::ErrorKind::TimedOut.into()),
        }
    }
}
