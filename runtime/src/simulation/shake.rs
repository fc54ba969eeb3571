//! How simulated connections come about: dialling, and both sides of the real handshake.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::ends::{End, Phase};
use super::pipe::Pipe;
use super::process::{MASTER, Node, Pid, incarnation, name, node, number};
use super::world::{EndId, What, World};
use crate::beat::Beat;
use crate::link::accept::{Claim, PROBE_STEP};
use crate::link::conn::Conn;
use crate::link::handshake::{self, Accepting, Dialing, HandshakeError};
use crate::link::machine::Machine;
use crate::link::peer::Seated;
use crate::link::{Ended, Identity, LinkId, Peer};

const SECRET: &[u8] = b"the secret of the simulated world";

impl World {
    pub(super) fn dial(&mut self, pid: Pid, parent: Node) {
        let dialling = &self.processes[pid].dialling[&parent];
        if dialling.end.is_some() || self.processes[pid].leaving.is_some_and(|_| parent != MASTER) {
            return;
        }
        let far = self
            .life(parent)
            .filter(|_| !self.weather.is_walled(self.processes[pid].node, parent));
        let Some(far) = far else {
            let random = self.random();
            return self.dial_again(pid, parent, None, random);
        };
        let (ours, theirs) = (self.weather.next_end(), self.weather.next_end());
        let (dialing, hello) = Dialing::begin_with(&self.identity(pid), &name(parent), [7; 32]);
        let capacity = 4096 << self.below(6);
        let end = |pid, far, id, other, dials, phase, world: &Self| End {
            pid,
            far,
            other,
            incoming: Pipe::new(capacity),
            slow: false,
            blocked: false,
            dials,
            phase,
            buffer: BytesMut::new(),
            since: world.now,
            timer: None,
            waker: world.wakes.waker(id),
        };
        let here = end(pid, far, ours, theirs, Some(parent), Phase::Hello(dialing), self);
        let there = end(far, pid, theirs, ours, None, Phase::Listening, self);
        self.ends.insert(ours, here);
        self.ends.insert(theirs, there);
        self.processes[pid]
            .dialling
            .get_mut(&parent)
            .expect("a parent")
            .end = Some(ours);
        self.send(ours, hello);
        let patience = self.settings.handshake.as_micros() as u64;
        self.later(patience, What::Time(pid, ours));
        self.later(patience, What::Time(far, theirs));
    }

    pub(super) fn dial_again(&mut self, pid: Pid, parent: Node, lived: Option<Duration>, random: u64) {
        let dialling = self.processes[pid].dialling.get_mut(&parent).expect("a parent");
        dialling.end = None;
        let wait = match lived {
            Some(lived) => dialling.pace.after_link(lived, random),
            None => dialling.pace.after_failure(random),
        };
        self.later(wait.as_micros() as u64, What::Dial(pid, parent));
    }

    fn identity(&self, pid: Pid) -> Identity {
        Identity {
            name: name(self.processes[pid].node),
            incarnation: incarnation(pid),
            pid: number(pid),
            succeeds: None,
        }
    }

    /// One message of the handshake.
    pub(super) fn shake(&mut self, id: EndId, message: &Bytes) {
        let end = self.ends.get_mut(&id).expect("an end in its handshake");
        let (pid, phase) = (end.pid, std::mem::replace(&mut end.phase, Phase::Listening));
        let next = match phase {
            Phase::Hello(dialing) => dialing
                .prove(SECRET, message)
                .map(|(proving, proof)| (Phase::Proof(proving), proof)),
            Phase::Listening => Accepting::begin_with(&self.identity(pid), message, [9; 32])
                .map(|(accepting, challenge)| (Phase::Challenged(accepting), challenge)),
            Phase::Proof(proving) => {
                return match proving.finish(message) {
                    Ok(identity) => self.attach(id, identity),
                    Err(why) => self.refused(id, &why),
                };
            }
            Phase::Challenged(accepting) => {
                return match accepting.finish(SECRET, message) {
                    Ok((identity, welcome)) => self.admit(id, identity, welcome),
                    Err(why) => self.refused(id, &why),
                };
            }
            Phase::Claiming(..) | Phase::Up(..) => return,
        };
        match next {
            Ok((phase, bytes)) => {
                self.ends.get_mut(&id).expect("an end in its handshake").phase = phase;
                self.send(id, bytes);
            }
            Err(why) => self.refused(id, &why),
        }
    }

    pub(super) fn refused(&mut self, id: EndId, why: &HandshakeError) {
        if !matches!(why, HandshakeError::Refused(_)) {
            self.fail(&format!("a handshake failed: {why}"));
        }
        self.over(id, &Ended::Eof);
    }

    pub(super) fn admit(&mut self, id: EndId, dialer: Identity, welcome: Bytes) {
        let pid = self.ends[&id].pid;
        let now = self.clock(pid);
        let (peer, conn) = self.conn(id, dialer);
        match Claim::begin(&peer, conn, now) {
            Ok(seated) => self.welcome(id, seated, welcome),
            Err(claim) => {
                self.ends.get_mut(&id).expect("an end in its handshake").phase =
                    Phase::Claiming(Box::new(claim), welcome);
                self.later(PROBE_STEP.as_micros() as u64, What::Time(pid, id));
            }
        }
    }

    pub(super) fn claim(&mut self, id: EndId) {
        let end = self.ends.get_mut(&id).expect("an end that claims a name");
        let pid = end.pid;
        let Phase::Claiming(claim, welcome) = &mut end.phase else {
            return;
        };
        let now = self.processes[pid].clock.read(self.now);
        let (verdict, welcome) = (claim.verdict(now), welcome.clone());
        match verdict {
            None => self.later(PROBE_STEP.as_micros() as u64, What::Time(pid, id)),
            Some(Ok(seated)) => self.welcome(id, seated, welcome),
            Some(Err(refusal)) => {
                self.send(id, handshake::refusal(&refusal));
                self.over(id, &Ended::Eof);
            }
        }
    }

    fn welcome(&mut self, id: EndId, seated: Seated, welcome: Bytes) {
        match self.send(id, welcome) {
            true => self.rise(id, seated),
            false => self.over(id, &Ended::Eof),
        }
    }

    /// The acceptor is known to the dialer.
    fn attach(&mut self, id: EndId, acceptor: Identity) {
        let now = self.clock(self.ends[&id].pid);
        let (peer, conn) = self.conn(id, acceptor);
        let seated = peer.attach(&conn, now);
        self.rise(id, seated);
    }

    /// A connection to a life that has proved who it is, and the peer of its name.
    fn conn(&mut self, id: EndId, far: Identity) -> (Peer, Arc<Conn>) {
        let end = &self.ends[&id];
        let pid = end.pid;
        if far.incarnation != incarnation(end.far) {
            self.fail("S6: a link to another life than the connection's");
        }
        let now = self.clock(pid);
        let peer = self.processes[pid].peers[&node(&far.name)].clone();
        let conn_id = LinkId {
            peer: far,
            epoch: peer.next_epoch(),
            addr: SocketAddr::from(([127, 0, 0, 1], 1)),
        };
        (peer, Conn::new(conn_id, Arc::clone(&self.settings), now))
    }

    /// The handshake is done: a link is up.
    pub(super) fn rise(&mut self, id: EndId, seated: Seated) {
        let now = self.clock(self.ends[&id].pid);
        let conn = Arc::clone(&seated.conn);
        let end = self.ends.get_mut(&id).expect("an end in its handshake");
        let early = std::mem::take(&mut end.buffer);
        let bytes = early.len();
        // The clocks of processes are whole seconds apart from it when they begin.
        let beat = Beat::since(self.began);
        let machine = Machine::new(seated, early, beat, now);
        (end.phase, end.since) = (Phase::Up(Box::new(machine), conn), self.now);
        self.hear_from(id);
        self.took(id, bytes);
    }
}
