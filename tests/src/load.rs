//! Load: clients that ask for rows in the game's ledger, each with a history for the checker.
//!
//! It must not judge what it sees.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::checker::{Entry, Event, History, Ran, Request};
use crate::client::{Client, Frame};
use crate::cluster::random;
use crate::wait::until;

/// Commands of the test's net node.
const RECORD: u32 = 19;
const RECORD_AND_WAIT: u32 = 20;

/// How long the game keeps the answer of every other request back, so that some are always under way.
const KEPT_BACK: u64 = 10;

/// A connection that is silent for so long has lost an answer: longer than any deadline.
const SILENCE: Duration = Duration::from_secs(8);

/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(5);

/// Clients send bursts of one to so many requests.
const BURST: u32 = 4;

/// How much load.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many clients. The first sends its requests one by one, the second in bursts of two, up to four.
    pub clients: u32,
    /// From one burst of a client to its next.
    pub every: Duration,
    /// A client stops after so many requests.
    pub requests: u32,
    /// All stop after this time.
    pub time: Duration,
}

impl Default for Plan {
    /// Some 600 requests a second, for at most a minute.
    fn default() -> Self {
        Self {
            clients: 16,
            every: Duration::from_millis(65),
            requests: 20_000,
            time: Duration::from_secs(60),
        }
    }
}

impl Plan {
    /// How many requests may be under way at one time.
    pub fn most_in_flight(&self) -> usize {
        (0..self.clients).map(|client| burst(client) as usize).sum()
    }
}

fn burst(client: u32) -> u32 {
    1 + client % BURST
}

/// Load that goes on until it is told to finish, or its plan is fulfilled.
pub struct Load {
    plan: Plan,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<History>>,
}

impl Load {
    /// Starts the clients.
    pub fn start(to: SocketAddr, plan: Plan) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let until = Instant::now() + plan.time;
        let start = |client| {
            let player = Player {
                to,
                plan,
                client,
                until,
                stop: Arc::clone(&stop),
                answered: Arc::clone(&answered),
                connection: 0,
                seq: 0,
                history: History::new(),
            };
            std::thread::spawn(|| player.play())
        };
        let clients = (0..plan.clients).map(start).collect();
        Self {
            plan,
            stop,
            answered,
            clients,
        }
    }

    /// Waits until requests that were sent after this call have been answered.
    ///
    /// # Panics
    /// When they are not in time.
    #[track_caller]
    pub fn until_served(&self) {
        let answered = || self.answered.load(Ordering::Relaxed);
        let enough = answered() + self.plan.most_in_flight() as u64;
        until("answers", || (answered() > enough).then_some(()));
    }

    /// Lets it go on for a while.
    ///
    /// # Panics
    /// When it has ended by itself.
    #[track_caller]
    pub fn go_on_for(&self, time: Duration) {
        let ended = || self.clients.iter().any(JoinHandle::is_finished).then_some(());
        assert!(crate::wait::within(time, ended).is_none(), "the load has ended");
    }

    /// Ends it: no more requests, and the ends of those under way are awaited.
    ///
    /// # Panics
    /// When a client saw what is no frame.
    pub fn finish(self) -> Vec<History> {
        self.stop.store(true, Ordering::Relaxed);
        let join =
            |client: JoinHandle<History>| client.join().expect("because a client panics at nonsense only");
        self.clients.into_iter().map(join).collect()
    }
}

/// One client.
struct Player {
    to: SocketAddr,
    plan: Plan,
    client: u32,
    until: Instant,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    connection: u32,
    seq: u32,
    history: History,
}

impl Player {
    fn play(mut self) -> History {
        // Not all at the same moment.
        std::thread::park_timeout(self.plan.every * self.client / self.plan.clients);
        while self.goes_on() {
            match Client::connect(self.to) {
                Ok(client) => match self.converse(client) {
                    Ok(()) => break,
                    // A silent server is told by the missing ends of its requests.
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => self.note(Event::Closed),
                },
                Err(_) => {
                    self.note(Event::Refused);
                    std::thread::park_timeout(AGAIN);
                }
            }
            self.connection += 1;
        }
        self.history
    }

    /// Sends burst after burst over one connection.
    fn converse(&mut self, mut client: Client) -> io::Result<()> {
        client.set_patience(SILENCE);
        while self.goes_on() {
            let next = Instant::now() + self.plan.every;
            for _ in 0..burst(self.client) {
                self.send(&mut client)?;
            }
            for _ in 0..burst(self.client) {
                let frame = client.receive()?;
                self.note_frame(frame);
            }
            while let Some(left) = next
                .checked_duration_since(Instant::now())
                .filter(|_| self.goes_on())
            {
                std::thread::park_timeout(left);
            }
        }
        Ok(())
    }

    fn send(&mut self, client: &mut Client) -> io::Result<()> {
        self.seq += 1;
        let request = Request {
            client: self.client,
            seq: self.seq,
            nonce: random(),
        };
        let (command, payload) = if self.seq.is_multiple_of(2) {
            (RECORD_AND_WAIT, format!("{KEPT_BACK} {request}"))
        } else {
            (RECORD, request.to_string())
        };
        self.note(Event::Sent { command, request });
        client.send(command, &payload)
    }

    fn note_frame(&mut self, frame: Frame) {
        if frame.command != 0 {
            self.answered.fetch_add(1, Ordering::Relaxed);
            return self.note(Event::Answered {
                command: frame.command,
                text: frame.payload,
            });
        }
        let (command, error, ran) = frame.error_of();
        self.note(Event::Failed {
            command: command.try_into().expect("because commands have four bytes"),
            error,
            ran: match ran.as_str() {
                "no" => Ran::No,
                "yes" => Ran::Yes,
                "maybe" => Ran::Maybe,
                other => panic!("ran={other}"),
            },
        });
    }

    fn note(&mut self, event: Event) {
        self.history.push(Entry {
            at: Instant::now(),
            connection: self.connection,
            event,
        });
    }

    fn goes_on(&self) -> bool {
        let told = self.stop.load(Ordering::Relaxed);
        !told && self.seq < self.plan.requests && Instant::now() < self.until
    }
}
