//! The roster in virtual time, one story per test: a stage on which they play.

mod change;
mod faults;
mod order;
mod swaps;

use std::time::{Duration, Instant};

use super::*;
use crate::supervisor::exit::Exit;
use crate::supervisor::policy::{OnCrashLoop, Restart};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("a test's name")
}

pub(super) fn spec(text: &str, parents: &[&str]) -> NodeSpec {
    NodeSpec {
        parents: parents.iter().map(|parent| name(parent)).collect(),
        ..NodeSpec::new(name(text))
    }
}

/// The study's tree: gate, below it net and game1.
fn study() -> Vec<NodeSpec> {
    vec![
        spec("game1", &["gate"]),
        spec("gate", &[]),
        spec("net", &["gate"]),
    ]
}

struct Stage {
    roster: Roster,
    now: Instant,
    /// Commands of the last event, without announcements.
    done: Vec<Command>,
}

impl Stage {
    fn new(specs: Vec<NodeSpec>) -> Self {
        let now = Instant::now();
        Self {
            roster: Roster::new(now, specs, 1).expect("a tree"),
            now,
            done: Vec::new(),
        }
    }

    /// All of the study's nodes up for ten seconds; pids are 1 gate, 2 net, 3 game1.
    fn running(specs: Vec<NodeSpec>) -> Self {
        let mut stage = Self::new(specs);
        stage.on(Event::StartAll);
        for (pid, node) in [(1, "gate"), (2, "net"), (3, "game1")] {
            stage.comes_up(node, pid);
        }
        stage.later(10 * SECOND);
        stage
    }

    fn on(&mut self, event: Event) -> &[Command] {
        self.done = self.roster.on_event(self.now, event);
        self.done
            .retain(|command| !matches!(command, Command::Announce(_)));
        assert!(
            self.roster.next_deadline().is_none_or(|at| at > self.now),
            "a past deadline spins"
        );
        &self.done
    }

    /// Lets time pass, with a tick for every deadline on the way; returns the commands of the last one.
    fn later(&mut self, time: Duration) -> Vec<Command> {
        let end = self.now + time;
        let mut last = Vec::new();
        while let Some(at) = self.roster.next_deadline().filter(|at| *at <= end) {
            self.now = at;
            last = self.on(Event::Tick).to_vec();
        }
        self.now = end;
        last
    }

    fn comes_up(&mut self, node: &str, pid: u32) {
        self.on(Event::Spawned {
            name: name(node),
            pid,
        });
        self.on(Event::Joined {
            name: name(node),
            incarnation: incarnation(pid),
            pid,
        });
        self.on(Event::Ready {
            name: name(node),
            incarnation: incarnation(pid),
        });
    }

    fn exits(&mut self, node: &str, pid: u32, exit: Exit) -> &[Command] {
        self.on(Event::Exited {
            name: name(node),
            pid,
            exit,
        })
    }

    fn node(&self, node: &str) -> NodeSnapshot {
        let all = self.roster.snapshot(self.now);
        all.into_iter()
            .find(|snapshot| snapshot.name.as_str() == node)
            .expect("a node of the test")
    }

    fn state(&self, node: &str) -> State {
        self.node(node).state
    }
}

pub(super) fn incarnation(pid: u32) -> Incarnation {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&pid.to_be_bytes());
    Incarnation::from_bytes(bytes)
}

fn spawn(node: &str) -> Command {
    Command::Spawn(name(node))
}

fn terminate(node: &str, pid: u32) -> Command {
    Command::Terminate {
        name: name(node),
        pid: Some(pid),
    }
}

fn kill(node: &str, pid: u32) -> Command {
    Command::Kill {
        name: name(node),
        pid,
    }
}

fn take_over(node: &str, pid: u32) -> Command {
    Command::TakeOver {
        name: name(node),
        incarnation: incarnation(pid),
    }
}

fn restarted(node: &str, error: Option<&str>) -> Command {
    Command::RestartEnded {
        name: name(node),
        error: error.map(str::to_owned),
    }
}
