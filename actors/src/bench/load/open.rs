//! The open loop: requests are due at an even pace, and their latency counts from then, so that a server that falls
//! behind is charged for all that waits, not only for what a slower client would still have asked.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;

use super::super::requests::Turn;
use super::alarm::Alarm;
use super::{Answers, Shared};

/// One task sends for all connections, and one for each receives.
///
/// # Errors
/// There is no timer.
pub(super) fn start(
    streams: Vec<TcpStream>,
    rate: u32,
    start: Instant,
    shared: &Rc<Shared>,
    tasks: &mut JoinSet<()>,
) -> io::Result<()> {
    let alarm = Alarm::new()?;
    let mut clients = Vec::with_capacity(streams.len());
    let size = shared.load.requests.size();
    let requests = shared.load.requests.round(1);
    let connections = streams.len();
    for (at, stream) in streams.into_iter().enumerate() {
        let (read, write) = stream.into_split();
        let client = Rc::new(Client {
            requests: RefCell::new(requests.turn(at, connections)),
            size,
            answers: RefCell::new(Answers::new(shared)),
            owed: Cell::new(0),
            write,
        });
        clients.push(Rc::clone(&client));
        let shared = Rc::clone(shared);
        tasks.spawn_local(async move {
            shared.watch(client.receive(read, shared.end)).await;
        });
    }
    let pace = Pace {
        start,
        end: shared.end,
        gap: Duration::from_secs(1) / rate,
    };
    let shared = Rc::clone(shared);
    tasks.spawn_local(async move { shared.watch(pace.run(&clients, alarm)).await });
    Ok(())
}

/// When requests are due.
struct Pace {
    start: Instant,
    end: Instant,
    gap: Duration,
}

impl Pace {
    /// Sends every request when it is due, the connections taking turns.
    async fn run(&self, clients: &[Rc<Client>], mut alarm: Alarm) -> io::Result<()> {
        let mut due = self.start;
        let mut turns = clients.iter().cycle();
        while due < self.end {
            alarm.ring_at(due).await?;
            let now = Instant::now();
            while due <= now && due < self.end {
                if let Some(client) = turns.next() {
                    client.send(due)?;
                }
                due += self.gap;
            }
        }
        for client in clients {
            client.write_rest().await?;
        }
        Ok(())
    }
}

/// One connection.
struct Client {
    requests: RefCell<Turn>,
    /// Length of one in bytes.
    size: usize,
    answers: RefCell<Answers>,
    write: OwnedWriteHalf,
    /// Bytes of requests that the socket has not taken yet.
    owed: Cell<usize>,
}

impl Client {
    /// A request is due.
    fn send(&self, due: Instant) -> io::Result<()> {
        self.answers.borrow_mut().sent(due);
        self.owed.set(self.owed.get() + self.size);
        self.write()
    }

    /// Writes what the socket takes; the rest waits for the next request, as it would behind a slow network.
    fn write(&self) -> io::Result<()> {
        let mut requests = self.requests.borrow_mut();
        while self.owed.get() > 0 {
            match self.write.try_write(requests.next(self.owed.get())) {
                Ok(written) => {
                    self.owed.set(self.owed.get() - written);
                    requests.advance(written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all that is left.
    async fn write_rest(&self) -> io::Result<()> {
        while self.owed.get() > 0 {
            self.write.writable().await?;
            self.write()?;
        }
        Ok(())
    }

    /// Receives until the time is over and every request answered.
    async fn receive(&self, mut read: OwnedReadHalf, end: Instant) -> io::Result<()> {
        let mut over = pin!(tokio::time::sleep_until(end.into()));
        let mut is_over = false;
        let mut input = bytes::BytesMut::new();
        while !is_over || self.answers.borrow().in_flight() > 0 {
            let bytes = tokio::select! {
                bytes = read.read_buf(&mut input) => bytes?,
                () = &mut over, if !is_over => {
                    is_over = true;
                    continue;
                }
            };
            if bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut answers = self.answers.borrow_mut();
            answers.room().extend_from_slice(&input);
            input.clear();
            answers.take(Instant::now())?;
        }
        Ok(())
    }
}
