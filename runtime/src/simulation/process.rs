//! A simulated process: its clock, its peers, and what its handlers have not answered yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::world::{EndId, What};
use crate::error::{ErrorKind, Fault};
use crate::link::conn::Conn;
use crate::link::dial::Pace;
use crate::link::peer::Asked;
use crate::link::{Inbound, Intake, LinkId, LinkSettings, Peer};
use crate::name::{Incarnation, NodeName};
use crate::reply::{ReplySink, Write};

/// A node of the simulated cluster, by its place in [`NODES`].
pub(super) type Node = usize;
pub(super) const MASTER: Node = 0;
pub(super) const GATE: Node = 1;
pub(super) const NET: Node = 2;
pub(super) const GAMES: [Node; 2] = [3, 4];
/// The nodes, and whom each dials.
pub(super) const NODES: [(&str, &[Node]); 5] = [
    ("master", &[]),
    ("gate", &[MASTER]),
    ("net", &[MASTER, GATE]),
    ("game1", &[MASTER, GATE]),
    ("game2", &[MASTER, GATE]),
];

pub(super) fn name(node: Node) -> NodeName {
    NodeName::on_the_wire(NODES[node].0).expect("because the names of the simulation are names")
}

pub(super) fn node(name: &NodeName) -> Node {
    NODES
        .iter()
        .position(|(text, _)| *text == name.as_str())
        .expect("because only nodes of the simulation are spoken of")
}

/// Whether one of the two dials the other.
pub(super) fn are_linked(one: Node, other: Node) -> bool {
    NODES[one].1.contains(&other) || NODES[other].1.contains(&one)
}

/// A process by its number; also its place in the world's list.
pub(super) type Pid = usize;

/// A process's number to the roster; 0 is nobody's.
pub(super) fn number(pid: Pid) -> u32 {
    u32::try_from(pid).expect("because a world has few processes") + 1
}

pub(super) fn incarnation(pid: Pid) -> Incarnation {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number(pid).to_be_bytes());
    Incarnation::from_bytes(bytes)
}

/// The clock of one process: its own beginning, and its own pace, in thousandths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    at: u64,
    local: Instant,
    pace: u64,
}

impl Clock {
    pub(super) const fn new(at: u64, local: Instant, pace: u64) -> Self {
        Self { at, local, pace }
    }

    /// The process's time at the world's time `at`.
    pub(super) fn read(&self, at: u64) -> Instant {
        self.local + Duration::from_micros(at.saturating_sub(self.at) * self.pace / 1000)
    }

    /// The world's time when the process's is `local`.
    pub(super) fn when(&self, local: Instant) -> u64 {
        let ahead = local.saturating_duration_since(self.local).as_micros();
        let ahead = u64::try_from(ahead).expect("because nothing lies that far ahead");
        self.at + (ahead * 1000).div_ceil(self.pace)
    }

    /// From now on at another pace, after a jump ahead.
    pub(super) fn change(&mut self, now: u64, jump: Duration, pace: u64) {
        *self = Self::new(now, self.read(now) + jump, pace);
    }

    /// The time since `since` did not pass here.
    pub(super) fn forget(&mut self, since: u64, now: u64) {
        *self = Self::new(now, self.read(since), self.pace);
    }
}

/// What the runtime tells a process.
pub(super) enum Heard {
    Request {
        from: Node,
        request: Asked,
    },
    Up {
        from: Node,
        link: LinkId,
    },
    Down {
        from: Node,
        link: LinkId,
    },
    Answer {
        call: u64,
        outcome: Result<Bytes, Fault>,
    },
}

/// All that was told and not taken in yet, in order.
#[derive(Default)]
pub(super) struct Ears(Mutex<Vec<(Pid, Heard)>>);

impl Ears {
    fn tell(&self, pid: Pid, heard: Heard) {
        self.0.lock().unwrap().push((pid, heard));
    }

    pub(super) fn take(&self) -> Vec<(Pid, Heard)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Ear {
    pid: Pid,
    from: Node,
    ears: Arc<Ears>,
}

impl Inbound for Ear {
    fn intake(&self, conn: &Arc<Conn>) -> Box<dyn Intake> {
        let (pid, from, ears) = (self.pid, self.from, Arc::clone(&self.ears));
        Asked::intake(conn, move |request| {
            ears.tell(pid, Heard::Request { from, request })
        })
    }

    fn up(&self, link: &LinkId) {
        let (from, link) = (self.from, link.clone());
        self.ears.tell(self.pid, Heard::Up { from, link });
    }

    fn down(&self, link: &LinkId, _: &str) {
        let (from, link) = (self.from, link.clone());
        self.ears.tell(self.pid, Heard::Down { from, link });
    }
}

/// Where the answers to a process's own calls go.
pub(super) struct Answers {
    pid: Pid,
    ears: Arc<Ears>,
}

impl ReplySink for Answers {
    fn reply(&self, call: u64, write: Write<'_>) -> Option<ErrorKind> {
        let mut out = BytesMut::new();
        let outcome = write(&mut out).map(|_| out.freeze());
        let lost = outcome.as_ref().err().map(|fault| fault.kind);
        self.ears.tell(self.pid, Heard::Answer { call, outcome });
        lost
    }

    fn fault(&self, call: u64, fault: Fault) {
        let outcome = Err(fault);
        self.ears.tell(self.pid, Heard::Answer { call, outcome });
    }
}

/// The dialling of one parent.
pub(super) struct Dialling {
    pub(super) pace: Pace,
    pub(super) end: Option<EndId>,
}

/// One process.
pub(super) struct Process {
    pub(super) node: Node,
    pub(super) alive: bool,
    /// Stopped since then, and whether its clock stands still too.
    pub(super) frozen: Option<(u64, bool)>,
    /// What would have happened to it meanwhile.
    pub(super) missed: Vec<What>,
    pub(super) clock: Clock,
    /// When the process was last held up, by its own clock: nothing is late that was due before.
    pub(super) held_up: Instant,
    pub(super) booted: bool,
    /// Since when it has been asked to stop.
    pub(super) leaving: Option<u64>,
    pub(super) peers: BTreeMap<Node, Peer>,
    pub(super) dialling: BTreeMap<Node, Dialling>,
    /// For each peer the number of its last message.
    pub(super) sent: BTreeMap<Node, u64>,
    /// When the calls that wait for a link are looked at, for each peer.
    pub(super) give_ups: BTreeMap<Node, u64>,
    /// Requests that wait for their handler or for its answer; whether the handler has run.
    pub(super) kept: BTreeMap<u64, (Asked, bool)>,
    pub(super) answers: Arc<Answers>,
}

impl Process {
    pub(super) fn new(
        pid: Pid,
        node: Node,
        clock: Clock,
        now: u64,
        settings: &Arc<LinkSettings>,
        ears: &Arc<Ears>,
    ) -> Self {
        let peer = |from: Node| {
            let ears = Arc::clone(ears);
            let ear = Arc::new(Ear { pid, from, ears });
            (from, Peer::without_timer(name(from), Arc::clone(settings), ear))
        };
        let dial = |to: &Node| {
            let pace = Pace::new();
            (*to, Dialling { pace, end: None })
        };
        Self {
            node,
            alive: true,
            frozen: None,
            missed: Vec::new(),
            clock,
            held_up: clock.read(now),
            booted: node == MASTER,
            leaving: None,
            peers: (0..NODES.len())
                .filter(|other| are_linked(node, *other))
                .map(peer)
                .collect(),
            dialling: NODES[node].1.iter().map(dial).collect(),
            sent: BTreeMap::new(),
            give_ups: BTreeMap::new(),
            kept: BTreeMap::new(),
            answers: Arc::new(Answers {
                pid,
                ears: Arc::clone(ears),
            }),
        }
    }
}
