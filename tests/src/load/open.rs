//! Open load: requests are sent when they are due, whether those before them have been answered or not, and their
//! time counts from the moment at which they were due. A cluster that stands still delays no request that way.
//!
//! One thread has all connections; its clock has a resolution of a millisecond.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::task::LocalSet;
use tokio::time::{sleep, sleep_until};

use crate::checker::History;
use crate::client::{self, Frame, HEADER};

use super::recorder::Recorder;
use super::{AGAIN, KEPT_BACK, SILENCE, Shared};

/// How long a request is under way beside what its handler keeps it, while the cluster is well.
const ON_THE_WAY: Duration = Duration::from_millis(5);

/// How much load.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Requests a second, of all connections together.
    pub per_second: u32,
    /// Over how many connections.
    pub connections: u32,
    /// A connection's client stops after so many requests.
    pub requests: u32,
    /// All stop after this time.
    pub time: Duration,
}

impl Default for Rate {
    /// 5,000 requests a second over 200 connections, for at most a quarter of an hour.
    fn default() -> Self {
        Self {
            per_second: 5000,
            connections: 200,
            requests: u32::MAX,
            time: Duration::from_secs(900),
        }
    }
}

impl Rate {
    /// How many requests are under way at one time while the cluster is well.
    pub(super) fn in_flight(&self) -> usize {
        (f64::from(self.per_second) * (ON_THE_WAY + KEPT_BACK).as_secs_f64()).ceil() as usize
    }

    /// From one request of a connection to its next.
    fn every(&self) -> Duration {
        Duration::from_secs(1) * self.connections / self.per_second
    }
}

/// One thread for all clients.
pub(super) fn start(to: SocketAddr, rate: Rate, shared: &Shared) -> JoinHandle<Vec<History>> {
    let shared = shared.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("because a runtime needs no more than a thread");
        LocalSet::new().block_on(&runtime, async move {
            let player = |client| {
                let player = Player::new(to, rate, client, shared.clone());
                tokio::task::spawn_local(player.play())
            };
            let players: Vec<_> = (0..rate.connections).map(player).collect();
            let mut histories = Vec::with_capacity(players.len());
            for player in players {
                histories.push(player.await.expect("because a client panics at nonsense only"));
            }
            histories
        })
    })
}

/// One client.
struct Player {
    to: SocketAddr,
    rate: Rate,
    shared: Shared,
    due: Cell<Instant>,
    notes: RefCell<Recorder>,
    /// When the requests that are under way were due, in the order in which their command's answers come.
    under_way: RefCell<HashMap<u32, VecDeque<Instant>>>,
}

impl Player {
    fn new(to: SocketAddr, rate: Rate, client: u32, shared: Shared) -> Rc<Self> {
        Rc::new(Self {
            to,
            rate,
            due: Cell::new(shared.begin + rate.every() * client / rate.connections),
            shared,
            notes: RefCell::new(Recorder::new(client)),
            under_way: RefCell::default(),
        })
    }

    async fn play(self: Rc<Self>) -> History {
        while self.goes_on() {
            match TcpStream::connect(self.to).await {
                Ok(stream) => match self.converse(stream).await {
                    Ok(()) => break,
                    Err(_) => self.notes.borrow_mut().closed(),
                },
                Err(_) => {
                    self.notes.borrow_mut().refused();
                    sleep(AGAIN).await;
                }
            }
            self.under_way.borrow_mut().clear();
        }
        let client = Rc::into_inner(self).expect("because nobody else has this client");
        client.notes.into_inner().finish()
    }

    /// Sends and receives over one connection until there is no more to send, and all is answered.
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.split();
        let received = self.receive(BufReader::new(reader));
        tokio::select! {
            received = received => received,
            sent = self.send(writer) => sent,
        }
    }

    async fn send(&self, mut to: WriteHalf<'_>) -> io::Result<()> {
        loop {
            let due = self.due.get();
            sleep_until(due.into()).await;
            if self.shared.is_paused() {
                self.due.set(due.max(Instant::now()) + AGAIN);
                continue;
            }
            if !self.goes_on() {
                break;
            }
            let (command, payload) = self.notes.borrow_mut().next(due);
            self.is_under_way(command, due);
            self.due.set(due + self.rate.every());
            to.write_all(&client::encode(command, &payload)).await?;
        }
        let given_up = Instant::now() + SILENCE;
        while self.is_waiting() && Instant::now() < given_up {
            sleep(AGAIN).await;
        }
        Ok(())
    }

    async fn receive(&self, mut from: BufReader<ReadHalf<'_>>) -> io::Result<()> {
        loop {
            let mut header = [0; HEADER];
            from.read_exact(&mut header).await?;
            let (command, length) = client::decode(&header)?;
            let mut payload = vec![0; length];
            from.read_exact(&mut payload).await?;
            self.take(Frame::new(command, String::from_utf8_lossy(&payload)));
        }
    }

    fn take(&self, frame: Frame) {
        let command = match frame.command {
            0 => u32::try_from(frame.error_of().0).unwrap_or_default(),
            command => command,
        };
        let mut under_way = self.under_way.borrow_mut();
        let due = under_way.get_mut(&command).and_then(VecDeque::pop_front);
        if let (true, Some(due)) = (self.notes.borrow_mut().frame(frame), due) {
            self.shared.was_served(due);
        }
    }

    fn is_under_way(&self, command: u32, due: Instant) {
        let mut under_way = self.under_way.borrow_mut();
        under_way.entry(command).or_default().push_back(due);
    }

    fn is_waiting(&self) -> bool {
        self.under_way
            .borrow()
            .values()
            .any(|waiting| !waiting.is_empty())
    }

    fn goes_on(&self) -> bool {
        self.shared.goes_on() && self.notes.borrow().requests() < self.rate.requests
    }
}
