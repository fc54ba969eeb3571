//! The simulated master: the real roster, whose commands spawn, stop and kill simulated processes. Its invariants.

use std::collections::BTreeMap;
use std::time::Duration;

use super::process::{GATE, MASTER, NODES, Node, Pid, incarnation, name, node, number};
use super::world::{MS, What, World};
use crate::link::LinkId;
use crate::supervisor::exit::Exit;
use crate::supervisor::roster::{Command, Event, NodeSpec, Roster, State};
use crate::wire::Goodbye;

/// What dies with the master's process.
pub(super) struct Master {
    pub(super) pid: Pid,
    pub(super) roster: Roster,
    /// The link of each node that has one.
    linked: BTreeMap<Node, LinkId>,
    /// When the roster wants to be asked next.
    timer: Option<u64>,
}

fn specs() -> Vec<NodeSpec> {
    (1..NODES.len())
        .map(|node| NodeSpec {
            parents: if node == GATE {
                Vec::new()
            } else {
                vec![name(GATE)]
            },
            start_timeout: Duration::from_secs(3),
            drain_timeout: Duration::from_millis(500),
            stop_timeout: Duration::from_millis(500),
            hang_kill: Some(Duration::from_secs(4)),
            // Successors are simulated by the roster's own simulation.
            swap: false,
            ..NodeSpec::new(name(node))
        })
        .collect()
}

impl World {
    /// A master begins: it adopts whoever lives, and starts the others.
    pub(super) fn new_master(&mut self) {
        if self.master.is_some() {
            return;
        }
        let pid = self.begin(MASTER);
        let (now, seed) = (self.clock(pid), self.random());
        let roster = Roster::new(now, specs(), seed).expect("a tree");
        self.master = Some(Master {
            pid,
            roster,
            linked: BTreeMap::new(),
            timer: None,
        });
        for living in self.living() {
            let node = self.processes[living].node;
            if node != MASTER {
                self.roster(Event::Adopted {
                    name: name(node),
                    pid: number(living),
                    restarts: 0,
                    leaving: false,
                });
            }
        }
        self.roster(Event::StartAll);
    }

    /// Tells the roster, and does what it says.
    pub(super) fn roster(&mut self, event: Event) {
        let Some(master) = &mut self.master else { return };
        let pid = master.pid;
        let now = self.processes[pid].clock.read(self.now);
        let commands = master.roster.on_event(now, event);
        if master.roster.next_deadline().is_some_and(|at| at <= now) {
            self.fail("the roster has a deadline in the past");
        }
        for command in commands {
            self.obey(command);
        }
        let Some(master) = &mut self.master else { return };
        let next = master
            .roster
            .next_deadline()
            .map(|at| self.processes[pid].clock.when(at));
        if let Some(next) = next.filter(|next| master.timer.is_none_or(|timer| *next < timer)) {
            master.timer = Some(next);
            let late = self.below(5 * MS);
            self.at(next + late, What::RosterTime(pid));
        }
    }

    pub(super) fn roster_time(&mut self) {
        if let Some(master) = &mut self.master {
            master.timer = None;
        }
        self.roster(Event::Tick);
    }

    fn obey(&mut self, command: Command) {
        let Some(master) = self.master.as_ref().map(|master| master.pid) else {
            return;
        };
        match command {
            Command::Spawn(who) => {
                let parent_is_up = |parent: &Node| *parent == MASTER || self.state(*parent).is_up();
                if !NODES[node(&who)].1.iter().all(parent_is_up) {
                    self.fail("the roster spawns a node before its parents are up");
                }
                let after = 1 + self.below(10 * MS);
                self.later(after, What::Spawn(master, node(&who)));
            }
            Command::Terminate { name, pid } => {
                let pid = self.own(&name, pid.expect("because no node runs elsewhere"));
                self.later(MS, What::Terminate(pid));
            }
            Command::Abort { name, pid } => {
                let pid = self.own(&name, pid);
                // A process that is stopped gets no SIGABRT before it goes on.
                if self.is_running(pid) {
                    self.later(MS, What::Die(pid, -6));
                }
            }
            Command::Kill { name, pid } => {
                let pid = self.own(&name, pid);
                self.later(MS, What::Die(pid, -9));
            }
            Command::Announce(change) => {
                let (name, from, to, why) = (&change.name, change.from, change.to, &change.reason);
                self.tell(format_args!("roster: {name} {from} -> {to}: {why}"));
            }
            Command::SpawnSuccessor { .. } => self.fail("the roster swaps a node that cannot be swapped"),
            // Said to an adopted node, which may have been a successor.
            Command::TakeOver { name, .. } => self.tell(format_args!("roster: {name} takes over")),
            Command::RestartEnded { name, error } => {
                self.tell(format_args!("roster: the restart of {name} is over: {error:?}"));
            }
            Command::AllReady { .. } => self.tell(format_args!("roster: all are ready")),
            Command::Forget(_) => self.fail("the roster forgets a node though nobody took it away"),
            Command::AllStopped => self.fail("the roster says that all have stopped"),
        }
    }

    /// The process that a signal is meant for; a stranger's must not be.
    fn own(&self, who: &crate::name::NodeName, number: u32) -> Pid {
        let pid = number as usize - 1;
        if self
            .processes
            .get(pid)
            .is_none_or(|process| process.node != node(who))
        {
            self.fail("the roster signals a stranger");
        }
        pid
    }

    pub(super) fn state(&self, of: Node) -> State {
        let master = self.master.as_ref().expect("a master");
        master.roster.state(&name(of)).expect("a node of the roster")
    }

    pub(super) fn spawn(&mut self, _master: Pid, node: Node) {
        if self.life(node).is_some() {
            self.fail("the roster spawns a node that lives");
        }
        let name = name(node);
        if self.weather.faults && self.one_in(10) {
            let error = "no more processes".to_owned();
            return self.roster(Event::SpawnFailed {
                name,
                error,
                retry: true,
            });
        }
        let pid = number(self.begin(node));
        self.roster(Event::Spawned { name, pid });
    }

    /// A process ends; its connections break, with what was under way.
    pub(super) fn die(&mut self, pid: Pid, code: i32) {
        if !std::mem::replace(&mut self.processes[pid].alive, false) {
            return;
        }
        let node = self.processes[pid].node;
        self.tell(format_args!(
            "process {pid}, a {}, ends with {code}",
            NODES[node].0
        ));
        let ends: Vec<_> = self
            .ends
            .iter()
            .filter(|(_, end)| end.pid == pid)
            .map(|(id, _)| *id)
            .collect();
        for end in ends {
            let other = self.ends[&end].other;
            if self.one_in(2)
                && let Some(other) = self.ends.get_mut(&other)
            {
                let under_way = other.incoming.unread() as u64;
                let keep = self.random() % (under_way + 1);
                let other = self
                    .ends
                    .get_mut(&self.ends[&end].other.clone())
                    .expect("the other end");
                other.incoming.cut(keep as usize);
            }
            self.over(end, &crate::link::Ended::Eof);
        }
        self.processes[pid].kept.clear();
        self.processes[pid].missed.clear();
        self.checker.process_ended(pid);
        if node == MASTER {
            self.master = None;
            let after = 100 * MS + self.below(3000 * MS);
            self.later(after, What::NewMaster);
        } else if let Some(master) = self.master.as_ref().map(|master| master.pid) {
            let after = 1 + self.below(5 * MS);
            self.later(after, What::Reap(master, pid, code));
        }
    }

    pub(super) fn reap(&mut self, dead: Pid, code: i32) {
        let exit = match code {
            0.. => Exit::with_code(code),
            signal => Exit::by_signal(-signal),
        };
        let (name, pid) = (name(self.processes[dead].node), number(dead));
        self.roster(Event::Exited { name, pid, exit });
    }

    /// News of a node's link at the master.
    pub(super) fn node_up(&mut self, from: Node, link: LinkId) {
        let (name, incarnation, pid) = (link.peer.name.clone(), link.peer.incarnation, link.peer.pid);
        let master = self.master.as_mut().expect("the master hears");
        if let Some(before) = master.linked.insert(from, link) {
            let incarnation = before.peer.incarnation;
            let name = name.clone();
            self.roster(Event::LinkLost { name, incarnation });
        }
        self.roster(Event::Joined {
            name,
            incarnation,
            pid,
        });
    }

    pub(super) fn node_down(&mut self, from: Node, link: &LinkId) {
        let master = self.master.as_mut().expect("the master hears");
        if master
            .linked
            .get(&from)
            .is_some_and(|current| current.epoch == link.epoch)
        {
            master.linked.remove(&from);
            let (name, incarnation) = (link.peer.name.clone(), link.peer.incarnation);
            self.roster(Event::LinkLost { name, incarnation });
        }
    }

    pub(super) fn node_ready(&mut self, from: Node, pid: Pid) {
        let (name, incarnation) = (name(from), incarnation(pid));
        self.roster(Event::Ready { name, incarnation });
    }

    /// The process was asked to stop: it drains its links, and then leaves.
    pub(super) fn leave(&mut self, pid: Pid) {
        if self.processes[pid].leaving.is_some() {
            return;
        }
        self.tell(format_args!("process {pid} drains"));
        self.processes[pid].leaving = Some(self.now);
        for (of, peer) in &self.processes[pid].peers {
            if let Some(conn) = peer.conn().filter(|_| *of != MASTER) {
                conn.drain();
            }
        }
        self.later(5 * MS, What::Drained(pid));
    }

    pub(super) fn look_whether_drained(&mut self, pid: Pid) {
        let process = &self.processes[pid];
        let since = process.leaving.expect("because it was asked to stop");
        let mut conns = process
            .peers
            .iter()
            .filter_map(|(of, peer)| Some((*of, peer.conn()?)));
        let done = process.kept.is_empty() && conns.all(|(of, conn)| of == MASTER || conn.is_drained());
        if !done && self.now < since + 400 * MS {
            return self.later(5 * MS, What::Drained(pid));
        }
        for peer in process.peers.values() {
            if let Some(conn) = peer.conn() {
                conn.close(Goodbye::Stopping);
            }
        }
        let after = 10 * MS + self.below(20 * MS);
        self.later(after, What::Die(pid, 0));
    }
}
