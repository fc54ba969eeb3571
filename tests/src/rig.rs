//! The rig of most experiments: a cluster of test applications under load, and the checker's word in the end.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::checker::{Call, End, Event, check, read_ledger};
use crate::cluster::Cluster;
use crate::experiments::Strength;
use crate::load::Load;
use crate::spread::Spread;
use crate::tell::measured;

/// No call may take longer than its deadline and some time to be scheduled on a busy machine.
const LONGEST: Duration = Duration::from_millis(5500);

/// How long after a node was killed the last of its peers knows, on a busy machine.
const DYING: Duration = Duration::from_millis(50);

/// For how long nothing is done when a node has been ready for a second, so that there is something to compare.
pub const CALM: Duration = Duration::from_millis(200);

/// The kill of a node.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    /// When.
    pub at: Instant,
    /// How soon the next life was ready.
    pub ready: Duration,
}

/// A cluster under load.
pub struct Rig {
    /// The cluster.
    pub cluster: Cluster,
    /// Its load.
    pub load: Load,
    /// For how long nobody could do anything.
    asleep: Duration,
}

impl Rig {
    /// Starts the cluster of test applications, and puts the usual load on it.
    #[track_caller]
    pub fn start(strength: Strength) -> Self {
        let cluster = Cluster::of_test_apps();
        cluster.start();
        Self::on(cluster, strength)
    }

    /// Puts the usual load on a cluster that has been started.
    #[track_caller]
    pub fn on(cluster: Cluster, strength: Strength) -> Self {
        let clients = cluster.netport();
        Self::by_way_of(clients, cluster, strength)
    }

    /// The same, with clients that connect to another address than the net node's.
    #[track_caller]
    pub fn by_way_of(clients: SocketAddr, cluster: Cluster, strength: Strength) -> Self {
        Self::under(Load::usual(clients, strength), cluster)
    }

    /// A cluster that has been started, and a load of one's own.
    #[track_caller]
    pub fn under(load: Load, cluster: Cluster) -> Self {
        load.until_served();
        Self {
            cluster,
            load,
            asleep: Duration::ZERO,
        }
    }

    /// Kills a node once every node has proved itself and some load has gone by; gives the moment and how long it
    /// took until its next life was ready.
    #[track_caller]
    pub fn kill(&self, name: &str) -> Kill {
        self.until_proven();
        self.load.go_on_for(CALM);
        let (admin, at) = (self.cluster.admin(), Instant::now());
        let ready = admin.kill_and_await(name);
        self.load.until_served();
        Kill { at, ready }
    }

    /// Everything stood still for so long: calls may have taken that much longer.
    pub fn was_asleep(&mut self, time: Duration) {
        self.asleep += time;
    }

    /// Waits until every node has been ready for a second: its next end is then no failed start.
    #[track_caller]
    pub fn until_proven(&self) {
        self.cluster.admin().until_proven();
    }

    /// Ends the load, joins what its clients saw with the ledger, and tells what was measured.
    ///
    /// # Panics
    /// When a promise about calls was broken.
    #[track_caller]
    pub fn conclude(self, name: &str) -> (Cluster, Outcome) {
        let histories = self.load.finish();
        let refused = histories
            .iter()
            .flatten()
            .filter(|entry| entry.event == Event::Refused);
        let refused = refused.count();
        let ledger = std::fs::read_to_string(self.cluster.run_dir().join("ledger")).expect("a ledger");
        let rows = read_ledger(&ledger).expect("a ledger of whole lines");
        let calls = check(&histories, &rows).unwrap_or_else(|broken| {
            let some: Vec<String> = broken.iter().take(10).map(|one| format!("{one:?}")).collect();
            panic!("{name}: {} promises broken:\n{}", broken.len(), some.join("\n"))
        });
        let outcome = Outcome {
            calls,
            rows: rows.len(),
            refused,
        };
        measured(format_args!("{name}: {outcome}"));
        assert!(
            outcome.longest() < LONGEST + self.asleep,
            "{name}: a call took too long: {outcome}"
        );
        (self.cluster, outcome)
    }
}

/// What became of all calls.
pub struct Outcome {
    calls: Vec<Call>,
    rows: usize,
    refused: usize,
}

impl Outcome {
    /// How many connections were refused.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// How many calls ended so: `ok`, `closed` or an error.
    pub fn count(&self, end: &str) -> usize {
        self.calls.iter().filter(|call| name_of(&call.end) == end).count()
    }

    /// How many calls did not end with their answer.
    pub fn failed(&self) -> usize {
        self.calls.len() - self.count("ok")
    }

    /// How many calls that were under way at a moment, or a little later, ended otherwise than with their answer.
    pub fn failed_under_way_at(&self, moment: Instant) -> usize {
        let under_way =
            |call: &&Call| call.sent <= moment + DYING && call.ended >= moment && call.end != End::Ok;
        self.calls.iter().filter(under_way).count()
    }

    /// From a moment to the first answer to a request that was sent later.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn served_after(&self, moment: Instant) -> Duration {
        let later = self
            .calls
            .iter()
            .filter(|call| call.sent >= moment && call.end == End::Ok);
        let first = later.map(|call| call.ended).min().expect("an answer");
        first - moment
    }

    /// From a moment to the first error of this kind.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn first_after(&self, end: &str, moment: Instant) -> Duration {
        let later = self
            .calls
            .iter()
            .filter(|call| call.ended >= moment && name_of(&call.end) == end);
        let first = later.map(|call| call.ended).min();
        first.unwrap_or_else(|| panic!("no {end}: {self}")) - moment
    }

    /// How long the answers to requests took that were sent between two moments.
    pub fn times_between(&self, from: Instant, to: Instant) -> impl Iterator<Item = Duration> {
        let answered = self.calls.iter().filter(|call| call.end == End::Ok);
        answered
            .filter(move |call| call.sent >= from && call.sent < to)
            .map(Call::took)
    }

    /// The same, in order.
    ///
    /// # Panics
    /// When there was none.
    #[track_caller]
    pub fn answers_between(&self, from: Instant, to: Instant) -> Spread {
        Spread::of(self.times_between(from, to))
    }

    /// The longest that a call took.
    pub fn longest(&self) -> Duration {
        self.calls.iter().map(Call::took).max().unwrap_or_default()
    }
}

fn name_of(end: &End) -> &str {
    match end {
        End::Ok => "ok",
        End::Failed { error, .. } => error,
        End::Closed => "closed",
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        for call in &self.calls {
            *ends.entry(name_of(&call.end)).or_default() += 1;
        }
        let [half, most] = [50.0, 99.0].map(|part| {
            Spread::of(self.calls.iter().map(Call::took))
                .part(part)
                .as_millis()
        });
        let longest = self.longest().as_millis();
        write!(
            f,
            "{} calls {ends:?}, {} rows, p50 {half} ms, p99 {most} ms, longest {longest} ms",
            self.calls.len(),
            self.rows
        )?;
        if self.refused > 0 {
            write!(f, ", {} connections refused", self.refused)?;
        }
        Ok(())
    }
}
