//! The closed loop: each connection keeps its requests in flight, so the rate is what the servers make of it.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::super::requests::Turn;
use super::{Answers, Shared};

/// So many bytes of requests are in one piece, wherever a write begins, or those of one connection if they are fewer.
const LAID_OUT: usize = 256 * 1024;

/// Starts a task for each connection.
pub(super) fn start(streams: Vec<TcpStream>, depth: usize, shared: &Rc<Shared>, tasks: &mut JoinSet<()>) {
    let size = shared.load.requests.size();
    let requests = shared.load.requests.round((LAID_OUT / size).clamp(1, depth));
    let connections = streams.len();
    for (at, stream) in streams.into_iter().enumerate() {
        let (shared, requests) = (Rc::clone(shared), requests.turn(at, connections));
        tasks.spawn_local(async move {
            let mut connection = Connection {
                answers: Answers::new(&shared),
                shared: Rc::clone(&shared),
                stream,
                depth,
                requests,
                owed: 0,
            };
            shared.watch(poll_fn(|task| connection.poll(task))).await;
        });
    }
}

struct Connection {
    shared: Rc<Shared>,
    stream: TcpStream,
    answers: Answers,
    depth: usize,
    requests: Turn,
    /// Bytes of requests that are still to be written.
    owed: usize,
}

impl Connection {
    /// Sends and receives until the time is over and every request answered.
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut now = Instant::now();
        loop {
            self.ask(now);
            if self.answers.in_flight() == 0 {
                return Poll::Ready(Ok(()));
            }
            // Full or not, answers are read: a server may not take more before.
            if let Poll::Ready(Err(error)) = self.poll_write(task) {
                return Poll::Ready(Err(error));
            }
            ready!(self.poll_read(task))?;
            now = Instant::now();
            self.answers.take(now)?;
        }
    }

    /// As many new requests as fit, while there is time.
    fn ask(&mut self, now: Instant) {
        if now < self.shared.end {
            let new = self.depth.saturating_sub(self.answers.in_flight());
            (0..new).for_each(|_| self.answers.sent(now));
            self.owed += new * self.shared.load.requests.size();
        }
    }

    fn poll_write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.owed > 0 {
            let bytes = self.requests.next(self.owed);
            let written = ready!(Pin::new(&mut self.stream).poll_write(task, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.owed -= written;
            self.requests.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let room = self.answers.room();
        let read = pin!(self.stream.read_buf(room));
        match ready!(read.poll(task))? {
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            _ => Poll::Ready(Ok(())),
        }
    }
}
