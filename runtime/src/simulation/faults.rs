//! What goes wrong in the world: networks, processes, clocks. Each fault ends by itself, or when all faults end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::process::{GAMES, GATE, MASTER, NET, NODES, Node, Pid, are_linked, name};
use super::world::{EndId, MS, What, World};
use crate::supervisor::roster::{Event, State};

/// What is wrong at the moment.
pub(super) struct Weather {
    /// Whether anything may go wrong, and anybody works.
    pub(super) faults: bool,
    /// Bytes are under way for up to so many microseconds.
    pub(super) delay: u64,
    walls: BTreeSet<(Node, Node)>,
    ills: BTreeMap<u64, Ill>,
    numbers: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            faults: true,
            delay: MS,
            walls: BTreeSet::new(),
            ills: BTreeMap::new(),
            numbers: 0,
        }
    }
}

impl Weather {
    pub(super) fn is_walled(&self, one: Node, other: Node) -> bool {
        self.walls.contains(&(one.min(other), one.max(other)))
    }

    pub(super) fn next_end(&mut self) -> EndId {
        self.numbers += 1;
        self.numbers
    }
}

/// A fault that lasts.
#[derive(Debug, Clone, Copy)]
enum Ill {
    /// Nothing comes to this end.
    Silent(EndId),
    /// This end reads little.
    Slow(EndId),
    /// Nothing passes between two nodes.
    Wall(Node, Node),
    /// Everything takes longer.
    Delay,
    /// A clock at the wrong pace.
    Pace(Pid),
}

impl World {
    /// Something random happens, and something will again.
    pub(super) fn act(&mut self) {
        if self.weather.faults {
            self.work();
            if self.one_in(25) {
                self.fault();
            }
        }
        self.check();
        let after = self.below(20 * MS);
        self.later(after, What::Act);
    }

    /// What must hold at any time.
    pub(super) fn check(&self) {
        self.check_bounds();
        let clock = |pid: Pid| {
            self.is_running(pid)
                .then(|| (self.clock(pid), self.processes[pid].held_up))
        };
        if let Some(uid) = self.checker.overdue(clock) {
            self.fail(&format!("S2: call {uid} has not ended"));
        }
    }

    fn fault(&mut self) {
        let ends: Vec<EndId> = self.ends.keys().copied().collect();
        let end = self.pick(&ends);
        let nodes = [MASTER, GATE, NET, GAMES[0], GAMES[1]];
        let node = self.pick(&nodes).expect("because there are nodes");
        let life = self.life(node);
        match (self.below(12), end, life) {
            (0 | 1, Some(end), _) => self.tear(end),
            (2, Some(end), _) => self.fall_ill(Ill::Silent(end), 5000),
            (3, Some(end), _) => self.fall_ill(Ill::Slow(end), 3000),
            (4, ..) => {
                let other = self.pick(&nodes).expect("because there are nodes");
                if are_linked(node, other) {
                    self.fall_ill(Ill::Wall(node.min(other), node.max(other)), 5000);
                }
            }
            (5, ..) => self.fall_ill(Ill::Delay, 2000),
            (6 | 7, _, Some(pid)) => self.die(pid, -9),
            (8, _, Some(pid)) => self.freeze(pid),
            (9, _, Some(pid)) => self.fall_ill(Ill::Pace(pid), 3000),
            (10, _, Some(pid)) => {
                let jump = Duration::from_micros(self.below(5000 * MS));
                let pace = 995 + self.below(11);
                self.set_clock(pid, jump, pace);
            }
            (11, ..)
                if node != MASTER
                    && self
                        .master
                        .as_ref()
                        .is_some_and(|master| self.is_running(master.pid)) =>
            {
                self.roster(Event::Restart(name(node)));
            }
            _ => {}
        }
    }

    /// A connection breaks; of what was under way, some arrives.
    fn tear(&mut self, end: EndId) {
        let other = self.ends[&end].other;
        self.tell(format_args!("fault: the connection of {end} and {other} breaks"));
        for id in [end, other] {
            let random = self.random();
            let now = self.now;
            if let Some(end) = self.ends.get_mut(&id) {
                let keep = random % (end.incoming.unread() as u64 + 1);
                end.incoming.cut(keep as usize);
                let (pid, at) = (end.pid, end.incoming.next().unwrap_or(now));
                self.at(at, What::Read(pid, id));
            }
        }
    }

    fn fall_ill(&mut self, ill: Ill, most: u64) {
        self.tell(format_args!("fault: {ill:?}"));
        match ill {
            Ill::Silent(end) => self.set_silent(end, true),
            Ill::Slow(end) => {
                if let Some(end) = self.ends.get_mut(&end) {
                    end.slow = true;
                }
            }
            Ill::Wall(one, other) => {
                self.weather.walls.insert((one, other));
                self.set_wall(one, other, true);
            }
            Ill::Delay => self.weather.delay = [10, 100, 400][self.below(3) as usize] * MS,
            Ill::Pace(pid) => {
                let pace = [500, 900, 1100, 2000][self.below(4) as usize];
                self.set_clock(pid, Duration::ZERO, pace);
            }
        }
        self.weather.numbers += 1;
        let number = self.weather.numbers;
        self.weather.ills.insert(number, ill);
        let after = MS + self.below(most * MS);
        self.later(after, What::Heal(number));
    }

    pub(super) fn heal(&mut self, number: u64) {
        let Some(ill) = self.weather.ills.remove(&number) else {
            return;
        };
        self.tell(format_args!("healed: {ill:?}"));
        match ill {
            Ill::Silent(end) => self.set_silent(end, false),
            Ill::Slow(end) => {
                if let Some(end) = self.ends.get_mut(&end) {
                    end.slow = false;
                }
            }
            Ill::Wall(one, other) => {
                self.weather.walls.remove(&(one, other));
                self.set_wall(one, other, false);
            }
            Ill::Delay => self.weather.delay = MS,
            Ill::Pace(pid) => self.set_clock(pid, Duration::ZERO, 1000),
        }
    }

    fn set_silent(&mut self, id: EndId, silent: bool) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        end.incoming.silent = silent;
        let pid = end.pid;
        if let Some(at) = end.incoming.next() {
            self.at(at, What::Read(pid, id));
        }
    }

    fn set_wall(&mut self, one: Node, other: Node, stands: bool) {
        let node = |pid: Pid| self.processes[pid].node;
        let behind: Vec<EndId> = self
            .ends
            .iter()
            .filter(|(_, end)| {
                let pair = (node(end.pid), node(end.far));
                pair == (one, other) || pair == (other, one)
            })
            .map(|(id, _)| *id)
            .collect();
        behind.into_iter().for_each(|end| self.set_silent(end, stands));
    }

    /// The clock of a process jumps, or goes at another pace; what it waits for may be due now.
    fn set_clock(&mut self, pid: Pid, jump: Duration, pace: u64) {
        if !self.processes[pid].alive || self.processes[pid].frozen.is_some() {
            return;
        }
        let now = self.now;
        self.processes[pid].clock.change(now, jump, pace);
        self.tell(format_args!(
            "the clock of process {pid} goes {jump:?} ahead, at a pace of {pace}"
        ));
        self.look_around(pid);
    }

    /// The process looks at everything it waits for, as its clock is not what it was.
    fn look_around(&mut self, pid: Pid) {
        self.processes[pid].held_up = self.clock(pid);
        let ends: Vec<EndId> = self
            .ends
            .iter()
            .filter(|(_, end)| end.pid == pid)
            .map(|(id, _)| *id)
            .collect();
        for end in ends {
            self.later(0, What::Time(pid, end));
        }
        for peer in 0..NODES.len() {
            if self.processes[pid].peers.contains_key(&peer) {
                self.later(0, What::GiveUp(pid, peer));
            }
        }
        if self.master.as_ref().is_some_and(|master| master.pid == pid) {
            self.later(0, What::RosterTime(pid));
        }
    }

    /// The process is stopped for a while; with the whole machine asleep its clock stands still too.
    fn freeze(&mut self, pid: Pid) {
        if self.processes[pid].frozen.is_some() {
            return;
        }
        let asleep = self.one_in(2);
        self.tell(format_args!(
            "fault: process {pid} is frozen, its clock too: {asleep}"
        ));
        self.processes[pid].frozen = Some((self.now, asleep));
        let after = MS + self.below(6000 * MS);
        self.later(after, What::Thaw(pid));
    }

    pub(super) fn thaw(&mut self, pid: Pid) {
        let Some((since, asleep)) = self.processes[pid].frozen.take() else {
            return;
        };
        if !self.processes[pid].alive {
            return;
        }
        if asleep {
            self.processes[pid].clock.forget(since, self.now);
        }
        self.tell(format_args!("process {pid} goes on"));
        for what in std::mem::take(&mut self.processes[pid].missed) {
            self.later(0, what);
        }
        self.look_around(pid);
    }

    /// No fault is left, and none will come; nobody works.
    pub(super) fn calm_down(&mut self) {
        self.tell(format_args!("all faults end"));
        self.weather.faults = false;
        let ills: Vec<u64> = self.weather.ills.keys().copied().collect();
        ills.into_iter().for_each(|ill| self.heal(ill));
        for pid in self.living() {
            self.thaw(pid);
            self.set_clock(pid, Duration::ZERO, 1000);
        }
    }

    /// What is missing for the cluster to be whole.
    pub(super) fn missing(&self) -> Option<String> {
        if self.master.is_none() {
            return Some("a master".to_owned());
        }
        for (node, (name, parents)) in NODES.iter().enumerate() {
            let state = (node != MASTER).then(|| self.state(node));
            if let Some(state) = state.filter(|state| *state != State::Ready) {
                return Some(format!("{name} is {state}"));
            }
            for parent in *parents {
                if !self.are_joined(node, *parent) || !self.are_joined(*parent, node) {
                    return Some(format!("a link of {name} and {}", NODES[*parent].0));
                }
            }
        }
        (self.checker.open() > 0).then(|| format!("{} calls have not ended", self.checker.open()))
    }

    fn are_joined(&self, one: Node, other: Node) -> bool {
        let (Some(one), Some(far)) = (self.life(one), self.life(other)) else {
            return false;
        };
        let conn = self.processes[one].peers[&other].conn();
        conn.is_some_and(|conn| conn.id().peer.pid == super::process::number(far))
    }
}
