//! What the simulated nodes do: calls and notifications over one or two links, and handlers of every temper.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::process::{GAMES, GATE, Heard, MASTER, NET, Node, Pid};
use super::world::{EndId, MS, Plant, What, World};
use crate::error::{ErrorKind, Fault};
use crate::link::Term;
use crate::link::peer::Asked;
use crate::name::HandlerId;
use crate::reply::{ReplyTo, Wrote};

const ASK: HandlerId = HandlerId(1);
const TELL: HandlerId = HandlerId(2);
/// A node tells the master that it is ready.
const READY: HandlerId = HandlerId(3);

/// The end of the way.
const HERE: u8 = u8::MAX;

/// All ways of a message: from, over, to; 0 is both the master and nobody in between.
pub(super) const WAYS: [(Node, Option<Node>, Node); 15] = [
    (NET, None, GATE),
    (NET, Some(GATE), GAMES[0]),
    (NET, Some(GATE), GAMES[1]),
    (GAMES[0], Some(GATE), NET),
    (GAMES[1], Some(GATE), NET),
    (GAMES[0], Some(GATE), GAMES[1]),
    (GAMES[0], None, GATE),
    (GATE, None, NET),
    (GATE, None, GAMES[0]),
    (GATE, None, GAMES[1]),
    (NET, None, MASTER),
    (GATE, None, MASTER),
    (MASTER, None, GATE),
    (MASTER, None, NET),
    (MASTER, None, GAMES[1]),
];

/// What stands in front of every message: which it is, its number among those of the sending process to this peer,
/// the sending process, and where it goes on to.
struct Label {
    uid: u64,
    hop: u64,
    sender: u32,
    onward: u8,
}

impl Label {
    fn put(&self, padding: usize, out: &mut BytesMut) {
        out.put_u64(self.uid);
        out.put_u64(self.hop);
        out.put_u32(self.sender);
        out.put_u8(self.onward);
        out.put_bytes(0x5a, padding);
    }

    fn take(mut from: Bytes) -> (Self, usize) {
        let label = Self {
            uid: from.get_u64(),
            hop: from.get_u64(),
            sender: from.get_u32(),
            onward: from.get_u8(),
        };
        (label, from.len())
    }
}

impl World {
    /// Somebody sends something somewhere.
    pub(super) fn work(&mut self) {
        let way = self.pick(&WAYS).expect("because there are ways");
        let Some(pid) = self.life(way.0).filter(|pid| self.is_running(*pid)) else {
            return;
        };
        if self.processes[pid].leaving.is_some() || !self.processes[pid].booted {
            return;
        }
        let timeout = Duration::from_millis([5, 50, 300, 1000, 3000][self.below(5) as usize]);
        let padding = match self.below(100) {
            0 => 70_000 + self.below(60_000),
            1..10 => self.below(5000),
            _ => self.below(50),
        };
        for _ in 0..1 + self.below(4) {
            let is_call = !self.one_in(4);
            self.send_out(pid, way, is_call.then_some(timeout), padding as usize);
        }
    }

    /// Sends one message; a call with a timeout, or a notification.
    pub(super) fn send_out(
        &mut self,
        pid: Pid,
        (_, over, to): (Node, Option<Node>, Node),
        timeout: Option<Duration>,
        padding: usize,
    ) -> u64 {
        let now = self.clock(pid);
        let uid = self.checker.begin(pid, timeout.map(|timeout| now + timeout));
        let onward = over.map_or(HERE, |_| u8::try_from(to).expect("a small number"));
        let answers = Arc::clone(&self.processes[pid].answers);
        let call = timeout.map(|timeout| (timeout, ReplyTo::new(answers, uid)));
        self.pass_on(pid, over.unwrap_or(to), uid, onward, call, padding);
        uid
    }

    fn pass_on(
        &mut self,
        pid: Pid,
        to: Node,
        uid: u64,
        onward: u8,
        call: Option<(Duration, ReplyTo)>,
        padding: usize,
    ) {
        let now = self.clock(pid);
        let process = &mut self.processes[pid];
        let hop = process.sent.entry(to).or_default();
        *hop += 1;
        let label = Label {
            uid,
            hop: *hop,
            sender: super::process::number(pid),
            onward,
        };
        let mut write = |out: &mut BytesMut| {
            label.put(padding, out);
            Ok(Wrote::Reply)
        };
        let peer = process.peers[&to].clone();
        match call {
            Some((timeout, reply)) => peer.call(ASK, Term::new(now, timeout), &mut write, reply),
            // Nobody waits for it; that it may be dropped is a notification's nature.
            None => drop(peer.notify(TELL, now, &mut write)),
        }
        self.mind_held(pid, to);
    }

    /// Sees to it that calls which wait for a link do not wait for ever.
    pub(super) fn mind_held(&mut self, pid: Pid, of: Node) {
        let process = &mut self.processes[pid];
        let Some(next) = process.peers[&of].next_give_up() else {
            return;
        };
        let next = process.clock.when(next);
        if process.give_ups.get(&of).is_none_or(|armed| next < *armed) {
            process.give_ups.insert(of, next);
            let late = self.below(5 * MS);
            self.at(next + late, What::GiveUp(pid, of));
        }
    }

    pub(super) fn give_up(&mut self, pid: Pid, of: Node) {
        self.processes[pid].give_ups.remove(&of);
        if self.plant != Plant::Lost {
            let now = self.clock(pid);
            self.processes[pid].peers[&of].give_up(now);
            self.mind_held(pid, of);
        }
    }

    pub(super) fn booted(&mut self, pid: Pid) {
        self.processes[pid].booted = true;
        self.say_ready(pid);
    }

    fn say_ready(&mut self, pid: Pid) {
        let (now, process) = (self.clock(pid), &self.processes[pid]);
        let master = &process.peers[&MASTER];
        if process.booted && process.leaving.is_none() && master.is_up() {
            let mut write = |out: &mut BytesMut| {
                out.put_u32(super::process::number(pid));
                Ok(Wrote::Reply)
            };
            drop(master.notify(READY, now, &mut write));
        }
    }

    /// What the runtime has told since bytes came to this end.
    pub(super) fn hear_from(&mut self, end: EndId) {
        for (pid, heard) in self.ears.take() {
            match heard {
                Heard::Request { from, request } => self.request(pid, from, request, end),
                other => self.hear(pid, other),
            }
        }
    }

    pub(super) fn hear(&mut self, pid: Pid, heard: Heard) {
        if !self.processes[pid].alive {
            return;
        }
        let node = self.processes[pid].node;
        match heard {
            Heard::Request { .. } => self.fail("a request that came with no bytes"),
            Heard::Answer { call, outcome } => self.answered(pid, call, outcome),
            Heard::Up { from, link } => {
                self.tell(format_args!(
                    "process {pid}: link {} to {} is up",
                    link.epoch, link.peer.name
                ));
                if node == MASTER {
                    self.node_up(from, link);
                } else if from == MASTER {
                    self.say_ready(pid);
                }
            }
            Heard::Down { from, link } => {
                self.tell(format_args!(
                    "process {pid}: link {} to {} is down",
                    link.epoch, link.peer.name
                ));
                if node == MASTER {
                    self.node_down(from, &link);
                }
            }
        }
    }

    fn request(&mut self, pid: Pid, from: Node, request: Asked, end: EndId) {
        if request.handler == READY {
            let sender = request.body.clone().get_u32();
            return self.node_ready(from, sender as usize - 1);
        }
        let (label, padding) = Label::take(request.body.clone());
        let far = self.ends.get(&end).map(|end| end.far);
        if far.is_some_and(|far| super::process::number(far) != label.sender) {
            self.fail("S6: a message of another life came over this link");
        }
        if let Err(why) = self.checker.arrived(end, label.hop) {
            self.fail(why);
        }
        if label.onward != HERE {
            let left = request.deadline.saturating_duration_since(self.clock(pid));
            let call = request.reply.is_awaited().then_some((left, request.reply));
            return self.pass_on(pid, label.onward.into(), label.uid, HERE, call, padding);
        }
        let key = self.random();
        self.processes[pid].kept.insert(key, (request, false));
        match self.one_in(4) {
            true => {
                let waits = self.below(60 * MS);
                self.later(waits, What::Handle(pid, key));
            }
            false => self.handle(pid, key),
        }
    }

    /// A kept request's handler begins, or gives its answer.
    pub(super) fn handle(&mut self, pid: Pid, key: u64) {
        let now = self.clock(pid);
        let Some((request, has_run)) = self.processes[pid].kept.remove(&key) else {
            return;
        };
        let (label, padding) = Label::take(request.body.clone());
        if has_run {
            return self.answer(request.reply, &label, padding);
        }
        if request.deadline <= now {
            return request
                .reply
                .fault(Fault::new(ErrorKind::Expired, "too late for its handler"));
        }
        self.tell(format_args!("process {pid} handles {}", label.uid));
        if let Err(why) = self.checker.ran(label.uid) {
            self.fail(why);
        }
        let temper = self.below(40);
        match temper {
            0 => request.reply.fault(Fault::new(ErrorKind::HandlerError, "no")),
            1 => drop(request.reply),
            2 if self.plant == Plant::Liar => request.reply.fault(Fault::new(ErrorKind::Overloaded, "a lie")),
            2..12 => {
                let thinks = if temper == 2 {
                    3000 * MS
                } else {
                    self.below(80 * MS)
                };
                self.processes[pid].kept.insert(key, (request, true));
                self.later(thinks, What::Handle(pid, key));
            }
            _ => self.answer(request.reply, &label, padding),
        }
    }

    fn answer(&mut self, reply: ReplyTo, label: &Label, padding: usize) {
        let mut body = BytesMut::new();
        label.put(padding, &mut body);
        reply.reply_bytes(body.freeze());
    }

    fn answered(&mut self, pid: Pid, uid: u64, outcome: Result<Bytes, Fault>) {
        match &outcome {
            Ok(_) => self.tell(format_args!("process {pid}: call {uid} is answered")),
            Err(fault) => self.tell(format_args!("process {pid}: call {uid} ends: {fault}")),
        }
        let outcome = outcome
            .map(|body| Label::take(body).0.uid)
            .map_err(|fault| fault.ran());
        let (now, held_up) = (self.clock(pid), self.processes[pid].held_up);
        if let Err(why) = self.checker.ended(uid, outcome, now, held_up) {
            self.fail(&why);
        }
    }
}
