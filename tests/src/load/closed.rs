//! Closed load: a client sends a burst, waits for its answers, and sends the next when its time has come.

use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::checker::History;
use crate::client::Client;

use super::recorder::Recorder;
use super::{AGAIN, SILENCE, Shared};

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
    /// Some 600 requests a second, for at most two minutes.
    fn default() -> Self {
        Self {
            clients: 16,
            every: Duration::from_millis(65),
            requests: 20_000,
            time: Duration::from_secs(120),
        }
    }
}

impl Plan {
    /// How many requests may be under way at one time.
    pub(super) fn most_in_flight(&self) -> usize {
        (0..self.clients).map(|client| burst(client) as usize).sum()
    }
}

fn burst(client: u32) -> u32 {
    1 + client % BURST
}

/// A thread for each client.
pub(super) fn start(to: SocketAddr, plan: Plan, shared: &Shared) -> Vec<JoinHandle<Vec<History>>> {
    let start = |client| {
        let player = Player {
            to,
            plan,
            client,
            shared: shared.clone(),
            notes: Recorder::new(client),
        };
        std::thread::spawn(|| vec![player.play()])
    };
    (0..plan.clients).map(start).collect()
}

/// One client.
struct Player {
    to: SocketAddr,
    plan: Plan,
    client: u32,
    shared: Shared,
    notes: Recorder,
}

impl Player {
    fn play(mut self) -> History {
        // Not all at the same moment.
        std::thread::park_timeout(self.plan.every * self.client / self.plan.clients);
        while self.goes_on() {
            match Client::connect(self.to) {
                Ok(client) => match self.converse(client) {
                    Ok(()) => break,
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => self.notes.silent(),
                    Err(_) => self.notes.closed(),
                },
                Err(_) => {
                    self.notes.refused();
                    std::thread::park_timeout(AGAIN);
                }
            }
        }
        self.notes.finish()
    }

    /// Sends burst after burst over one connection.
    fn converse(&mut self, mut client: Client) -> io::Result<()> {
        client.set_patience(SILENCE);
        while self.goes_on() {
            let sent = Instant::now();
            for _ in 0..burst(self.client) {
                let (command, payload) = self.notes.next(Instant::now());
                client.send(command, &payload)?;
            }
            for _ in 0..burst(self.client) {
                if self.notes.frame(client.receive()?) {
                    self.shared.was_served(sent);
                }
            }
            while let Some(left) = (sent + self.plan.every)
                .checked_duration_since(Instant::now())
                .filter(|_| self.goes_on())
            {
                std::thread::park_timeout(left);
            }
            while self.shared.is_paused() {
                std::thread::park_timeout(AGAIN);
            }
        }
        Ok(())
    }

    fn goes_on(&self) -> bool {
        self.shared.goes_on() && self.notes.requests() < self.plan.requests
    }
}
