//! The world: what is due when, to whom it happens, and the story so far. Everything random comes from one seed.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::checker::Checker;
use super::ends::{End, Wakes};
use super::faults::Weather;
use super::master::Master;
use super::process::{Clock, Ears, MASTER, Node, Pid, Process};
use crate::backoff::Random;
use crate::link::LinkSettings;

/// One end of a connection.
pub(super) type EndId = u64;

/// A millisecond of the world's time, which counts microseconds.
pub(super) const MS: u64 = 1000;

/// What is due.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Something random: work, or a fault.
    Act,
    /// Bytes may have come to this end.
    Read(Pid, EndId),
    /// This end may have bytes to write, and room for them.
    Write(Pid, EndId),
    /// The end's time is up.
    Time(Pid, EndId),
    /// Calls to the peer may have waited long enough.
    GiveUp(Pid, Node),
    Dial(Pid, Node),
    Booted(Pid),
    /// A kept request goes on.
    Handle(Pid, u64),
    Terminate(Pid),
    /// The stopping process looks whether it is drained.
    Drained(Pid),
    /// The process ends with this exit code, or signal below 0.
    Die(Pid, i32),
    /// The master carries out a spawn.
    Spawn(Pid, Node),
    /// The master hears of a process's end.
    Reap(Pid, Pid, i32),
    RosterTime(Pid),
    NewMaster,
    Thaw(Pid),
    /// A fault is over, by its number.
    Heal(u64),
}

impl What {
    /// The process that it happens to.
    const fn pid(&self) -> Option<Pid> {
        match self {
            Self::Act | Self::NewMaster | Self::Thaw(_) | Self::Heal(_) | Self::Die(..) => None,
            Self::Read(pid, _)
            | Self::Write(pid, _)
            | Self::Time(pid, _)
            | Self::GiveUp(pid, _)
            | Self::Dial(pid, _)
            | Self::Booted(pid)
            | Self::Handle(pid, _)
            | Self::Terminate(pid)
            | Self::Drained(pid)
            | Self::Spawn(pid, _)
            | Self::Reap(pid, ..)
            | Self::RosterTime(pid) => Some(*pid),
        }
    }
}

/// An error that is built in on purpose, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plant {
    Nothing,
    /// The network delivers some bytes twice.
    Duplicate,
    /// Nobody looks after the calls that wait for a link.
    Lost,
    /// Answers of an earlier connection come on the next.
    Stale,
    /// A fault says that the handler did not run although it did.
    Liar,
}

pub(super) struct World {
    pub(super) seed: u64,
    random: Random,
    pub(super) plant: Plant,
    pub(super) now: u64,
    pub(super) began: Instant,
    due: BTreeMap<(u64, u64), What>,
    order: u64,
    pub(super) settings: Arc<LinkSettings>,
    pub(super) processes: Vec<Process>,
    pub(super) ends: BTreeMap<EndId, End>,
    pub(super) wakes: Arc<Wakes>,
    pub(super) ears: Arc<Ears>,
    pub(super) master: Option<Master>,
    pub(super) weather: Weather,
    pub(super) checker: Checker,
    /// For [`Plant::Stale`]: an answer that went from one node to another, and on which connection.
    pub(super) old_answers: BTreeMap<(Node, Node), (EndId, bytes::Bytes)>,
    story: DefaultHasher,
    told: bool,
}

impl World {
    pub(super) fn new(seed: u64, plant: Plant, told: bool) -> Self {
        let began = Instant::now();
        let mut random = Random::new(seed);
        let settings = settings(random.next());
        let mut world = Self {
            seed,
            random,
            plant,
            now: 0,
            began,
            due: BTreeMap::new(),
            order: 0,
            settings: Arc::new(settings),
            processes: Vec::new(),
            ends: BTreeMap::new(),
            wakes: Arc::default(),
            ears: Arc::default(),
            master: None,
            weather: Weather::default(),
            checker: Checker::default(),
            old_answers: BTreeMap::new(),
            story: DefaultHasher::new(),
            told,
        };
        world.later(0, What::NewMaster);
        world.later(0, What::Act);
        world
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.random.next() % limit.max(1)
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let at = self.below(from.len() as u64);
        from.get(usize::try_from(at).ok()?).copied()
    }

    pub(super) fn random(&mut self) -> u64 {
        self.random.next()
    }

    /// What is due in so many microseconds.
    pub(super) fn later(&mut self, after: u64, what: What) {
        self.at(self.now + after, what);
    }

    pub(super) fn at(&mut self, when: u64, what: What) {
        self.order += 1;
        self.due.insert((when.max(self.now), self.order), what);
    }

    /// The process's own time.
    pub(super) fn clock(&self, pid: Pid) -> Instant {
        self.processes[pid].clock.read(self.now)
    }

    pub(super) fn is_running(&self, pid: Pid) -> bool {
        self.processes[pid].alive && self.processes[pid].frozen.is_none()
    }

    /// The living process of a node.
    pub(super) fn life(&self, node: Node) -> Option<Pid> {
        let is_it = |process: &Process| process.alive && process.node == node;
        self.processes.iter().rposition(is_it)
    }

    pub(super) fn living(&self) -> Vec<Pid> {
        (0..self.processes.len())
            .filter(|pid| self.processes[*pid].alive)
            .collect()
    }

    /// A new process of a node, with a clock of its own.
    pub(super) fn begin(&mut self, node: Node) -> Pid {
        let pid = self.processes.len();
        let local = self.began + Duration::from_secs(self.below(100_000));
        let pace = 995 + self.below(11);
        let clock = Clock::new(self.now, local, pace);
        let process = Process::new(pid, node, clock, self.now, &self.settings, &self.ears);
        let parents: Vec<Node> = process.dialling.keys().copied().collect();
        self.processes.push(process);
        self.tell(format_args!(
            "process {pid} is a {}",
            super::process::NODES[node].0
        ));
        for parent in parents {
            let after = self.below(5 * MS);
            self.later(after, What::Dial(pid, parent));
        }
        if node != MASTER {
            let after = 5 * MS + self.below(40 * MS);
            self.later(after, What::Booted(pid));
        }
        pid
    }

    /// One thing happens. Whether it was one that counts as a step: time that passes alone does not.
    pub(super) fn step(&mut self) -> bool {
        let Some(((now, _), what)) = self.due.pop_first() else {
            self.fail("nothing is due any more");
        };
        self.now = now;
        let counts = !matches!(what, What::Time(..) | What::GiveUp(..) | What::RosterTime(..));
        match what.pid() {
            Some(pid) if !self.processes[pid].alive => return false,
            Some(pid) if self.processes[pid].frozen.is_some() => {
                self.processes[pid].missed.push(what);
                return false;
            }
            _ => {}
        }
        self.mix(&what);
        self.happen(what);
        self.pump();
        counts
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Act => self.act(),
            What::Read(_, end) => self.read(end),
            What::Write(_, end) => self.write(end),
            What::Time(_, end) => self.end_time(end),
            What::GiveUp(pid, node) => self.give_up(pid, node),
            What::Dial(pid, parent) => self.dial(pid, parent),
            What::Booted(pid) => self.booted(pid),
            What::Handle(pid, key) => self.handle(pid, key),
            What::Terminate(pid) => self.leave(pid),
            What::Drained(pid) => self.look_whether_drained(pid),
            What::Die(pid, code) => self.die(pid, code),
            What::Spawn(pid, node) => self.spawn(pid, node),
            What::Reap(_, dead, code) => self.reap(dead, code),
            What::RosterTime(_) => self.roster_time(),
            What::NewMaster => self.new_master(),
            What::Thaw(pid) => self.thaw(pid),
            What::Heal(fault) => self.heal(fault),
        }
    }

    /// Carries on with what the event set off, until nothing is left.
    fn pump(&mut self) {
        loop {
            let heard = self.ears.take();
            let woken = self.wakes.take();
            if heard.is_empty() && woken.is_empty() {
                return;
            }
            for (pid, heard) in heard {
                self.hear(pid, heard);
            }
            for end in woken {
                self.serve(end);
            }
        }
    }

    /// What is not told in words still belongs to the story.
    fn mix(&mut self, what: &What) {
        self.now.hash(&mut self.story);
        std::mem::discriminant(what).hash(&mut self.story);
        what.pid().hash(&mut self.story);
    }

    pub(super) fn tell(&mut self, words: fmt::Arguments<'_>) {
        let line = words.to_string();
        self.now.hash(&mut self.story);
        line.hash(&mut self.story);
        if self.told {
            println!("{:>12.3} ms  {line}", self.now as f64 / 1000.0);
        }
    }

    /// The story in a number: equal for equal stories.
    pub(super) fn hash(&self) -> u64 {
        self.story.finish()
    }

    /// A promise is broken.
    pub(super) fn fail(&self, what: &str) -> ! {
        panic!("seed {}, at {} us: {what}", self.seed, self.now);
    }
}

/// Small limits, so that they are reached; times of every size.
fn settings(random: u64) -> LinkSettings {
    let heartbeat = Duration::from_millis([100, 200, 500][(random % 3) as usize]);
    LinkSettings {
        heartbeat,
        suspect_after: heartbeat * 3,
        down_after: heartbeat * 6,
        wait: Duration::from_millis([100, 500, 2000][(random / 3 % 3) as usize]),
        held_calls: 8,
        held_bytes: 16 * 1024,
        max_message: 128 * 1024,
        max_queue: 64 * 1024,
        max_calls: 24,
        handshake: Duration::from_millis(500),
    }
}
