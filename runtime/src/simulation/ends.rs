//! The ends of simulated connections: real handshakes and real machines over [`Pipe`]s.

use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::pipe::Pipe;
use super::process::{Node, Pid};
use super::world::{EndId, MS, Plant, What, World};
use crate::link::Ended;
use crate::link::accept::Claim;
use crate::link::conn::Conn;
use crate::link::handshake::{self, Accepting, Dialing, Proving};
use crate::link::machine::{self, Machine, PARTS};
use crate::wire::Goodbye;

/// The ends whose task was woken.
#[derive(Default)]
pub(super) struct Wakes(Mutex<Vec<EndId>>);

impl Wakes {
    pub(super) fn take(&self) -> Vec<EndId> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// What wakes this end.
    pub(super) fn waker(self: &Arc<Self>, end: EndId) -> Waker {
        Waker::from(Arc::new(EndWaker(end, Arc::clone(self))))
    }
}

struct EndWaker(EndId, Arc<Wakes>);

impl Wake for EndWaker {
    fn wake(self: Arc<Self>) {
        self.1.0.lock().unwrap().push(self.0);
    }
}

/// How far a connection is, seen from one end.
pub(super) enum Phase {
    /// The dialer has sent its hello.
    Hello(Dialing),
    /// The dialer has sent its proof.
    Proof(Proving),
    /// The acceptor waits for the hello.
    Listening,
    /// The acceptor has sent its challenge.
    Challenged(Accepting),
    /// The acceptor asks whether the link that has the name lives.
    Claiming(Box<Claim>, Bytes),
    Up(Box<Machine>, Arc<Conn>),
}

/// Whether whole frames are one alone, which asks for something.
fn is_one_request(bytes: &Bytes) -> bool {
    let length = bytes[..4]
        .iter()
        .fold(0, |length, byte| (length << 8) | usize::from(*byte));
    length == bytes.len() - 4 && bytes[4] <= 2
}

/// One end of a connection.
pub(super) struct End {
    pub(super) pid: Pid,
    /// The process at the other end.
    pub(super) far: Pid,
    pub(super) other: EndId,
    /// What comes to this end.
    pub(super) incoming: Pipe,
    /// Reads little at a time, and rarely.
    pub(super) slow: bool,
    /// It has bytes to write and no room for them.
    pub(super) blocked: bool,
    pub(super) dials: Option<Node>,
    pub(super) phase: Phase,
    pub(super) buffer: BytesMut,
    pub(super) since: u64,
    pub(super) timer: Option<u64>,
    pub(super) waker: Waker,
}

impl World {
    /// Sends bytes to the other end, with the delay of the day. False: there is nobody.
    pub(super) fn send(&mut self, from: EndId, bytes: Bytes) -> bool {
        let delay = self.delay();
        let at = self.now + delay;
        let other = self.ends[&from].other;
        let Some(end) = self.ends.get_mut(&other) else {
            return false;
        };
        let (pid, arrives) = (end.pid, end.incoming.send(bytes, at));
        self.at(arrives, What::Read(pid, other));
        true
    }

    pub(super) fn delay(&mut self) -> u64 {
        let most = self.weather.delay;
        20 + self.below(most)
    }

    pub(super) fn read(&mut self, id: EndId) {
        let many = match self.one_in(4) {
            true => 1 + self.below(64),
            false => 64 * 1024,
        };
        let now = self.now;
        let Some(end) = self.ends.get_mut(&id) else { return };
        let many = if end.slow { many.min(256) } else { many } as usize;
        let (pid, far, other) = (end.pid, end.far, end.other);
        let buffer = match &mut end.phase {
            Phase::Up(machine, _) => &mut machine.buffer,
            _ => &mut end.buffer,
        };
        let read = end.incoming.read(now, many, buffer);
        let (next, is_over, slow) = (end.incoming.next(), end.incoming.is_over(now), end.slow);
        if read > 0 {
            self.later(MS / 10, What::Write(far, other));
            self.took(id, read);
        } else if is_over {
            return self.over(id, &Ended::Eof);
        }
        if let Some(next) = next.filter(|_| self.ends.contains_key(&id)) {
            let pause = if slow { 20 * MS } else { MS / 20 };
            self.at(next.max(now + pause), What::Read(pid, id));
        }
    }

    /// So many bytes were read by this end.
    pub(super) fn took(&mut self, id: EndId, bytes: usize) {
        let end = self.ends.get_mut(&id).expect("an end that read");
        let now = self.processes[end.pid].clock.read(self.now);
        if let Phase::Up(machine, _) = &mut end.phase {
            let result = machine.on_bytes(bytes, now);
            if machine.buffer.len() > 2 * crate::wire::MAX_FRAME {
                self.fail("S8: the buffer of a connection grows");
            }
            self.hear_from(id);
            return match result {
                Ok(()) => self.serve(id),
                Err(ended) => self.over(id, &ended),
            };
        }
        while let Some(end) = self.ends.get_mut(&id) {
            if matches!(end.phase, Phase::Up(..) | Phase::Claiming(..)) {
                return;
            }
            match handshake::split(&mut end.buffer) {
                Ok(Some(message)) => self.shake(id, &message),
                Ok(None) => return,
                Err(why) => self.fail(&format!("a garbled handshake: {why}")),
            }
        }
    }

    /// The end's task has its turn: deadlines of calls, and bytes to write.
    pub(super) fn serve(&mut self, id: EndId) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        let now = self.processes[end.pid].clock.read(self.now);
        let Phase::Up(machine, conn) = &mut end.phase else {
            return;
        };
        machine.mind_calls(now);
        if machine.is_at_ease()
            && conn
                .poll_first_call(&mut Context::from_waker(&end.waker))
                .is_ready()
        {
            machine.mind_calls(now);
        }
        let next = self.processes[end.pid].clock.when(machine.next());
        if end.timer.is_none_or(|timer| next < timer) {
            end.timer = Some(next);
            let (pid, late) = (end.pid, self.below(5 * MS));
            self.at(next + late, What::Time(pid, id));
        }
        self.write(id);
    }

    pub(super) fn write(&mut self, id: EndId) {
        for _ in 0..8 {
            let Some(end) = self.ends.get_mut(&id) else { return };
            let Phase::Up(machine, conn) = &mut end.phase else {
                return;
            };
            let is_fresh = machine.stage.is_empty();
            match conn.poll_staging(&mut machine.stage, &mut Context::from_waker(&end.waker)) {
                Poll::Pending => return,
                Poll::Ready(Some(goodbye)) => return self.farewell(id, goodbye),
                Poll::Ready(None) => {}
            }
            if !self.write_some(id, is_fresh) {
                return;
            }
        }
        let pid = self.ends[&id].pid;
        self.later(MS / 10, What::Write(pid, id));
    }

    /// Writes some of the stage; false when nothing more can be written now.
    fn write_some(&mut self, id: EndId, is_fresh: bool) -> bool {
        let many = match self.one_in(8) {
            true => 1 + self.below(100) as usize,
            false => usize::MAX,
        };
        let (other, room) = {
            let other = self.ends[&id].other;
            (other, self.ends.get(&other).map(|far| far.incoming.room()))
        };
        let Some(room) = room else {
            self.over(id, &Ended::Io(std::io::ErrorKind::BrokenPipe.into()));
            return false;
        };
        let end = self.ends.get_mut(&id).expect("an end that writes");
        end.blocked = room == 0;
        let Phase::Up(machine, conn) = &mut end.phase else {
            return false;
        };
        if room == 0 {
            return false;
        }
        let mut slices = [IoSlice::new(&[]); PARTS];
        let parts = machine::front(&machine.stage, &mut slices);
        let mut bytes = BytesMut::new();
        for slice in &slices[..parts] {
            let left = many.min(room) - bytes.len();
            bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        machine::written(conn, &mut machine.stage, bytes.len());
        let whole = is_fresh && machine.stage.is_empty();
        let bytes = bytes.freeze();
        self.plant(id, other, &bytes, whole, is_fresh);
        self.send(id, bytes)
    }

    /// The errors of the network that are built in on purpose. `whole`: the bytes are whole frames.
    fn plant(&mut self, id: EndId, other: EndId, bytes: &Bytes, whole: bool, is_fresh: bool) {
        if self.plant == Plant::Duplicate && whole && is_one_request(bytes) && self.one_in(20) {
            self.send(id, bytes.clone());
        }
        if self.plant != Plant::Stale {
            return;
        }
        const REPLY: u8 = 3;
        let nodes = (
            self.processes[self.ends[&id].pid].node,
            self.processes[self.ends[&other].pid].node,
        );
        match self.old_answers.get(&nodes).cloned() {
            Some((connection, old)) if connection != id && is_fresh => {
                self.send(id, old);
                self.old_answers.remove(&nodes);
            }
            None if whole && bytes[4] == REPLY => {
                self.old_answers.insert(nodes, (id, bytes.clone()));
            }
            _ => {}
        }
    }

    /// The last words, as far as there is room for them.
    fn farewell(&mut self, id: EndId, goodbye: Goodbye) {
        let end = self.ends.get_mut(&id).expect("an end that says goodbye");
        let Phase::Up(machine, _) = &mut end.phase else {
            return;
        };
        let _patience: Duration = machine.say_goodbye(goodbye);
        while self
            .ends
            .get(&id)
            .is_some_and(|end| matches!(&end.phase, Phase::Up(machine, _) if !machine.stage.is_empty()))
            && self.write_some(id, false)
        {}
        self.over(id, &Ended::Closed(goodbye));
    }

    pub(super) fn end_time(&mut self, id: EndId) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        let now = self.processes[end.pid].clock.read(self.now);
        match &mut end.phase {
            Phase::Up(machine, _) => {
                end.timer = None;
                let result = machine.on_time(now);
                match result {
                    Ok(()) => self.serve(id),
                    Err(ended) => self.over(id, &ended),
                }
            }
            Phase::Claiming(..) => self.claim(id),
            _ if self.now >= end.since + self.settings.handshake.as_micros() as u64 => {
                self.over(id, &Ended::Eof);
            }
            _ => {}
        }
    }

    /// The connection is over at this end: the process closes it.
    pub(super) fn over(&mut self, id: EndId, why: &Ended) {
        let Some(mut end) = self.ends.remove(&id) else {
            return;
        };
        let (pid, node, far) = (
            end.pid,
            self.processes[end.pid].node,
            self.processes[end.far].node,
        );
        let delay = self.delay();
        let at = self.now + delay;
        if let Some(other) = self.ends.get_mut(&end.other) {
            let (pid, closes) = (other.pid, other.incoming.close(at));
            self.at(closes, What::Read(pid, end.other));
        }
        let mut lived = None;
        if let Phase::Up(machine, _) = &mut end.phase {
            machine.end(why);
            lived = Some(Duration::from_micros(self.now - end.since));
            self.tell(format_args!("link {id} of {node} to {far} ends: {why}"));
        }
        drop(end.phase);
        if let Some(parent) = end.dials.filter(|_| self.processes[pid].alive)
            && !matches!(why, Ended::Closed(Goodbye::Stopping))
        {
            let random = self.random();
            self.dial_again(pid, parent, lived, random);
        }
    }

    /// The bounds of every queue.
    pub(super) fn check_bounds(&self) {
        let settings = &self.settings;
        for end in self.ends.values() {
            if let Phase::Up(_, conn) = &end.phase
                && (conn.calls() > settings.max_calls
                    || conn.queued() > 2 * settings.max_queue + 2 * settings.max_message)
            {
                self.fail("S8: a link holds more than it may");
            }
        }
        for peer in self.processes.iter().flat_map(|process| process.peers.values()) {
            let (calls, bytes) = peer.waiting();
            if calls > settings.held_calls || bytes > settings.held_bytes {
                self.fail("S8: more calls wait for a link than may");
            }
        }
    }
}
