//! All nodes of a master: who starts when, who stops when, and how everyone fares. Pure.
//!
//! Events go in with the time, commands come out; [`Roster::next_deadline`] says when to come back without news.
//! Must not know processes, links, or clocks.
//!
//! Invariants, which the simulation checks:
//! - A name has at most one process that is the node, and none is spawned while it lives; but for a restart, which may
//!   put one other beside it: a successor until that is ready, then the one that leaves. So there are never three.
//! - A successor is spawned only by a restart, and takes over only when it is ready. If it fails, nothing changes.
//! - A node is spawned only while all its parents are up. It keeps running when they go.
//! - Every restart that is asked for ends in one `RestartEnded`; one asked for meanwhile is the same.
//! - Every `Spawn` is followed by one `Spawned` or `SpawnFailed`, every `Spawned` by one `Exited`, before the next.
//! - Only processes that this master spawned or adopted are signalled.
//! - A node that is configured no more is asked to stop, and forgotten when it has ended; nobody else is touched.
//! - After `StopAll` nothing is spawned, a node is asked to stop only when its children are gone, and
//!   `AllStopped` is said exactly once.
//! - Without faults, every node that is wanted becomes ready.

mod change;
mod event;
mod life;
mod node;
#[cfg(test)]
mod simulation;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Instant;

use crate::backoff::Random;
use crate::name::{Incarnation, NodeName};

pub use event::{Command, Event, NodeSpec, State, StateChange};
pub use snapshot::{NodeSnapshot, PastExit, RestartWindow, Role, SecondProcess};

use node::Node;

/// Why a set of nodes is no tree that can be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTree {
    /// Two nodes have one name.
    #[error("there are two nodes named {0}")]
    TwoOfOneName(NodeName),
    /// A parent that is no node.
    #[error("node {node} has the parent {parent}, which is no node")]
    NoSuchParent {
        /// The child.
        node: NodeName,
        /// What it calls its parent.
        parent: NodeName,
    },
    /// Nodes that would wait for each other for ever.
    #[error("the parents of node {0} lead back to itself or to another cycle")]
    Cycle(NodeName),
}

/// The nodes of a master and what is to become of them.
#[derive(Debug)]
pub struct Roster {
    nodes: Vec<Node>,
    places: HashMap<NodeName, usize>,
    /// For the jitter of nodes that come later.
    seeds: Random,
    /// Whether everything has been told to start.
    started: bool,
    /// When everything was told to start, until all are ready.
    starting_since: Option<Instant>,
    closing: Closing,
}

/// How far the end of the whole tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    Asked,
    Done,
}

impl Roster {
    /// A roster of stopped nodes; the seed is for the jitter of restarts.
    ///
    /// # Errors
    /// [`BadTree`] when the nodes and their parents are no tree that can be started.
    pub fn new(now: Instant, specs: Vec<NodeSpec>, seed: u64) -> Result<Self, BadTree> {
        let mut roster = Self {
            nodes: Vec::new(),
            places: HashMap::new(),
            seeds: Random::new(seed),
            started: false,
            starting_since: None,
            closing: Closing::No,
        };
        for spec in specs {
            let name = spec.name.clone();
            if roster.places.insert(name.clone(), roster.nodes.len()).is_some() {
                return Err(BadTree::TwoOfOneName(name));
            }
            let random = Random::new(roster.seeds.next());
            roster.nodes.push(Node::new(now, spec, random));
        }
        roster.join_families()?;
        roster.refuse_cycles()?;
        Ok(roster)
    }

    fn join_families(&mut self) -> Result<(), BadTree> {
        for at in 0..self.nodes.len() {
            for parent in self.nodes[at].spec.parents.clone() {
                let node = self.nodes[at].spec.name.clone();
                let Some(&place) = self.places.get(&parent) else {
                    return Err(BadTree::NoSuchParent { node, parent });
                };
                self.nodes[at].parents.push(place);
                self.nodes[place].children.push(at);
            }
        }
        Ok(())
    }

    /// Takes away nodes without remaining parents until none is left; what cannot be taken hangs on a cycle.
    fn refuse_cycles(&self) -> Result<(), BadTree> {
        let mut missing: Vec<usize> = self.nodes.iter().map(|node| node.parents.len()).collect();
        let mut free: Vec<usize> = (0..missing.len()).filter(|&at| missing[at] == 0).collect();
        while let Some(at) = free.pop() {
            for &child in &self.nodes[at].children {
                missing[child] -= 1;
                if missing[child] == 0 {
                    free.push(child);
                }
            }
        }
        match missing.iter().position(|&parents| parents > 0) {
            Some(at) => Err(BadTree::Cycle(self.nodes[at].spec.name.clone())),
            None => Ok(()),
        }
    }

    /// Takes in what happened, and says what to do, in order.
    pub fn on_event(&mut self, now: Instant, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        self.take(now, event, &mut out);
        for node in &mut self.nodes {
            node.expire(now, &mut out);
        }
        self.settle(now, &mut out);
        self.see_off(now, &mut out);
        out
    }

    fn take(&mut self, now: Instant, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::StartAll => self.start_all(now),
            Event::StopAll => self.stop_all(now, out),
            Event::Configure(specs) => self.configure(now, specs, out),
            Event::KillAll => {
                self.stop_all(now, out);
                self.nodes
                    .iter_mut()
                    .for_each(|node| node.kill_both(now, "everything has to end at once", out));
            }
            Event::Tick => {}
            Event::Exited { name, pid, exit } => {
                let ended = self
                    .get(&name)
                    .is_some_and(|node| node.exited(now, pid, exit, out));
                if ended {
                    self.restart_children_of(now, &name, out);
                }
            }
            Event::Start(_) | Event::Restart(_) if self.closing != Closing::No => {}
            other => self.take_for_one(now, other, out),
        }
    }

    /// The events that concern one node and nobody else.
    fn take_for_one(&mut self, now: Instant, event: Event, out: &mut Vec<Command>) {
        let Some(node) = event.name().and_then(|name| self.get(name)) else {
            return;
        };
        match event {
            Event::Start(_) if node.dismissed => {}
            Event::Restart(_) if node.dismissed && node.is_renewed() => {}
            Event::Restart(name) if node.dismissed => out.push(Command::RestartEnded {
                name,
                error: Some("it is configured no more".to_owned()),
            }),
            Event::Start(_) => node.start(),
            Event::Stop(_) => node.stop(now, "stopped by an operator", out),
            Event::Restart(_) => node.restart(now, "restarted by an operator", out),
            Event::Spawned { pid, .. } => node.spawned(pid, out),
            Event::SpawnFailed { error, retry, .. } => node.spawn_failed(now, error, retry, out),
            Event::Adopted {
                pid, leaving: true, ..
            } => node.adopted_leaving(now, pid, out),
            Event::Adopted { pid, restarts, .. } => node.adopted(now, pid, restarts, out),
            Event::Joined { incarnation, pid, .. } => node.joined(now, incarnation, pid, out),
            Event::Ready { incarnation, .. } => node.ready(now, incarnation, out),
            Event::Lacks {
                incarnation, what, ..
            } => node.lacks(incarnation, what),
            Event::LinkLost { incarnation, .. } => node.link_lost(now, incarnation, out),
            Event::StartAll
            | Event::StopAll
            | Event::KillAll
            | Event::Configure(_)
            | Event::Tick
            | Event::Exited { .. } => {}
        }
    }

    /// The earliest time at which [`Event::Tick`] is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.nodes.iter().filter_map(Node::next_deadline).min()
    }

    /// The plain copy of every node, in the order of the configuration.
    pub fn snapshot(&self, now: Instant) -> Vec<NodeSnapshot> {
        self.nodes.iter().map(|node| node.snapshot(now)).collect()
    }

    /// How the node fares, `None` if there is none of this name.
    pub fn state(&self, name: &NodeName) -> Option<State> {
        self.places.get(name).map(|&at| self.nodes[at].state)
    }

    /// Which life the node is in: of two processes, the one that serves. `None` before its link has come up.
    pub fn incarnation(&self, name: &NodeName) -> Option<Incarnation> {
        let at = self.places.get(name)?;
        self.nodes[*at].incarnation()
    }

    /// Whether a process of the node has a link, beside another one or not.
    pub fn is_linked(&self, name: &NodeName, incarnation: Incarnation) -> bool {
        let node = self.places.get(name).map(|&at| &self.nodes[at]);
        node.is_some_and(|node| node.is_linked_as(incarnation))
    }

    fn get(&mut self, name: &NodeName) -> Option<&mut Node> {
        self.places.get(name).map(|&at| &mut self.nodes[at])
    }

    fn start_all(&mut self, now: Instant) {
        if self.closing == Closing::No {
            self.started = true;
            self.starting_since = Some(now);
            self.nodes.iter_mut().for_each(Node::start);
        }
    }

    /// Leaves go now; the others follow, in [`Self::settle`], when their children are gone.
    fn stop_all(&mut self, now: Instant, out: &mut Vec<Command>) {
        if self.closing != Closing::No {
            return;
        }
        self.closing = Closing::Asked;
        self.starting_since = None;
        for node in self.nodes.iter_mut().filter(|node| !node.lives()) {
            node.stop(now, EVERYTHING_STOPS, out);
        }
    }

    fn restart_children_of(&mut self, now: Instant, name: &NodeName, out: &mut Vec<Command>) {
        let parent = &self.nodes[self.places[name]];
        if !parent.spec.restart_children || self.closing != Closing::No {
            return;
        }
        for child in parent.children.clone() {
            self.nodes[child].end(now, &format!("its parent {name} has ended"), out);
        }
    }

    /// What follows from the states of all: starts, stops, who lacks a parent, and whether all is done.
    fn settle(&mut self, now: Instant, out: &mut Vec<Command>) {
        for at in 0..self.nodes.len() {
            let missing = self.missing_parent(at);
            let node = &mut self.nodes[at];
            if self.closing != Closing::No {
                node.wanted = false;
            }
            match missing {
                None if node.is_due(now) => node.spawn(now, out),
                Some(why) if node.is_due(now) => node.wait(now, why, out),
                missing => {
                    let missing = missing.or_else(|| node.lacking());
                    node.weigh(now, missing, out);
                }
            }
            node.renew(now, out);
        }
        if self.closing == Closing::Asked {
            self.stop_the_next(now, out);
        }
        self.report(now, out);
    }

    /// Which parent is not up, in words.
    fn missing_parent(&self, at: usize) -> Option<String> {
        let mut parents = self.nodes[at].parents.iter().map(|&parent| &self.nodes[parent]);
        let missing = parents.find(|parent| !parent.state.is_up())?;
        let (name, state) = (&missing.spec.name, missing.state);
        Some(match self.nodes[at].lives() {
            true => format!("its parent {name} is {state}"),
            false => format!("waits for its parent {name}, which is {state}"),
        })
    }

    fn stop_the_next(&mut self, now: Instant, out: &mut Vec<Command>) {
        for at in 0..self.nodes.len() {
            let childless = self.nodes[at]
                .children
                .iter()
                .all(|&child| !self.nodes[child].lives());
            if childless && self.nodes[at].lives() {
                self.nodes[at].end(now, EVERYTHING_STOPS, out);
            }
        }
    }

    fn report(&mut self, now: Instant, out: &mut Vec<Command>) {
        let settled = |node: &Node| {
            !node.spec.start || node.state == State::Ready || (node.state == State::Stopped && !node.wanted)
        };
        if let Some(since) = self.starting_since.filter(|_| self.nodes.iter().all(settled)) {
            self.starting_since = None;
            out.push(Command::AllReady {
                after: now.saturating_duration_since(since),
            });
        }
        if self.closing == Closing::Asked && !self.nodes.iter().any(Node::lives) {
            self.closing = Closing::Done;
            out.push(Command::AllStopped);
        }
    }
}

/// The reason of every node's stop when the whole tree stops.
const EVERYTHING_STOPS: &str = "everything stops";
