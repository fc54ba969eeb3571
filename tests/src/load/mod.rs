//! Load: clients that ask for rows in the game's ledger, each with a history for the checker.
//!
//! | load | its clients |
//! | --- | --- |
//! | [`Plan`], closed | wait for the answers to a burst before they send the next |
//! | [`Rate`], open | send when a request is due, whatever has become of those before it |
//!
//! It must not judge what it sees.

mod closed;
mod open;
mod recorder;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::checker::History;
use crate::experiments::Strength;
use crate::wait::{until, within};

pub use closed::Plan;
pub use open::Rate;

/// How long the game keeps the answer of every other request back, so that some are always under way.
pub const KEPT_BACK: Duration = Duration::from_millis(10);

/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(5);

/// A connection that is silent for so long has lost an answer: longer than any deadline.
const SILENCE: Duration = Duration::from_secs(8);

/// What all clients of a load have in common.
#[derive(Clone)]
struct Shared {
    begin: Instant,
    end: Instant,
    stop: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
    /// When the latest request that has been answered was sent, in microseconds after the beginning.
    served: Arc<AtomicU64>,
}

impl Shared {
    fn for_at_most(time: Duration) -> Self {
        let begin = Instant::now();
        Self {
            begin,
            end: begin + time,
            stop: Arc::default(),
            paused: Arc::default(),
            served: Arc::default(),
        }
    }

    fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed) && self.goes_on()
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && Instant::now() < self.end
    }

    /// A request that was sent at this moment has been answered.
    fn was_served(&self, sent: Instant) {
        self.served.fetch_max(self.micros(sent), Ordering::Relaxed);
    }

    fn micros(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.begin);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Load that goes on until it is told to finish, or its plan is fulfilled.
pub struct Load {
    shared: Shared,
    most_in_flight: usize,
    clients: Vec<JoinHandle<Vec<History>>>,
}

impl Load {
    /// The usual load of an experiment: some 600 requests a second from clients that wait for their answers in
    /// the short form, 5,000 a second over 200 connections in the full form.
    pub fn usual(to: SocketAddr, strength: Strength) -> Self {
        match strength {
            Strength::Short => Self::closed(to, Plan::default()),
            Strength::Full => Self::open(to, Rate::default()),
        }
    }

    /// Starts clients that wait for their answers.
    pub fn closed(to: SocketAddr, plan: Plan) -> Self {
        let shared = Shared::for_at_most(plan.time);
        Self {
            most_in_flight: plan.most_in_flight(),
            clients: closed::start(to, plan, &shared),
            shared,
        }
    }

    /// Starts clients that do not wait.
    pub fn open(to: SocketAddr, rate: Rate) -> Self {
        let shared = Shared::for_at_most(rate.time);
        Self {
            most_in_flight: rate.in_flight(),
            clients: vec![open::start(to, rate, &shared)],
            shared,
        }
    }

    /// How many requests are under way at one time at most, while the cluster is well.
    pub fn most_in_flight(&self) -> usize {
        self.most_in_flight
    }

    /// Waits until a request that was sent after this call has been answered.
    ///
    /// # Panics
    /// When none is in time.
    #[track_caller]
    pub fn until_served(&self) {
        let now = self.shared.micros(Instant::now());
        let served = || self.shared.served.load(Ordering::Relaxed) > now;
        until("answers", || served().then_some(()));
    }

    /// Nothing is sent from now on, and nothing becomes due, until it is resumed.
    pub fn pause(&self) {
        self.shared.paused.store(true, Ordering::Relaxed);
    }

    /// The end of a pause.
    pub fn resume(&self) {
        self.shared.paused.store(false, Ordering::Relaxed);
    }

    /// Whether all requests of its plan have been sent and have ended.
    pub fn has_ended(&self) -> bool {
        self.clients.iter().all(JoinHandle::is_finished)
    }

    /// Lets it go on for a while.
    ///
    /// # Panics
    /// When it has ended by itself.
    #[track_caller]
    pub fn go_on_for(&self, time: Duration) {
        let ended = || self.clients.iter().any(JoinHandle::is_finished).then_some(());
        assert!(within(time, ended).is_none(), "the load has ended");
    }

    /// Ends it: no more requests, and the ends of those under way are awaited.
    ///
    /// # Panics
    /// When a client saw what is no frame.
    pub fn finish(self) -> Vec<History> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let join = |client: JoinHandle<Vec<History>>| {
            client.join().expect("because a client panics at nonsense only")
        };
        self.clients.into_iter().flat_map(join).collect()
    }
}
