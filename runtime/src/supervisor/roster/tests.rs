//! The roster in virtual time, one story per test.

use std::time::{Duration, Instant};

use super::*;
use crate::name::Incarnation;
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

#[test]
fn parents_are_ready_before_children_start_and_all_ready_is_said_once() {
    let mut stage = Stage::new(study());
    assert_eq!(stage.on(Event::StartAll), [spawn("gate")]);
    assert_eq!(
        stage.node("net").reason,
        "waits for its parent gate, which is starting"
    );
    stage.later(300 * MS);
    stage.comes_up("gate", 1);
    assert_eq!(stage.done, [spawn("game1"), spawn("net")]);
    stage.comes_up("net", 2);
    stage.later(100 * MS);
    stage.comes_up("game1", 3);
    assert_eq!(stage.done, [Command::AllReady { after: 400 * MS }]);
    assert_eq!(stage.on(Event::Tick), []);
}

#[test]
fn a_proven_node_starts_at_once_and_its_children_keep_running() {
    let mut stage = Stage::running(study());
    assert_eq!(stage.exits("gate", 1, Exit::by_signal(9)), [spawn("gate")]);
    assert_eq!(stage.state("net"), State::Degraded);
    assert_eq!(stage.node("net").reason, "its parent gate is starting");
    stage.comes_up("gate", 4);
    assert_eq!(
        (stage.state("net"), stage.state("game1")),
        (State::Ready, State::Ready)
    );
    let gate = stage.node("gate");
    assert_eq!((gate.restarts, gate.restart_window.failed_starts), (1, 0));
    assert_eq!(gate.last_exits[0].reason, "killed by SIGKILL");
    assert_eq!(gate.last_exits[0].uptime, 10.0);
}

#[test]
fn failed_starts_wait_longer_each_time_until_a_crash_loop_gives_up() {
    let mut game = spec("game1", &[]);
    game.policy.on_crash_loop = OnCrashLoop::Failed;
    let mut stage = Stage::new(vec![game]);
    stage.on(Event::StartAll);
    for pid in 1..=5 {
        stage.on(Event::Spawned {
            name: name("game1"),
            pid,
        });
        assert_eq!(stage.exits("game1", pid, Exit::with_code(1)), []);
        let node = stage.node("game1");
        assert_eq!(
            (node.state, node.reason.as_str()),
            (State::Backoff, "exit code 1 before it was ready")
        );
        let nominal = 0.1 * f64::from(1 << (pid - 1));
        let wait = node.next_try_in.expect("a next try");
        assert!(wait >= nominal * 0.8 && wait <= nominal * 1.2, "{wait}");
        let commands = stage.later(Duration::from_secs_f64(nominal * 1.2 + 0.001));
        assert_eq!(commands, [spawn("game1")]);
    }
    stage.on(Event::Spawned {
        name: name("game1"),
        pid: 6,
    });
    assert_eq!(stage.exits("game1", 6, Exit::with_code(1)), []);
    assert_eq!(stage.state("game1"), State::Failed);
    assert!(
        stage
            .node("game1")
            .reason
            .contains("crash loop: 6 failed starts in 60 s")
    );
    assert_eq!(stage.later(600 * SECOND), []);
    assert_eq!(
        stage.on(Event::Start(name("game1"))),
        [spawn("game1")],
        "an operator may try again"
    );
    assert_eq!(stage.node("game1").restart_window.failed_starts, 0);
}

#[test]
fn a_node_whose_parent_failed_for_good_stays_stopped_and_names_it() {
    let mut stage = Stage::new(study());
    stage.on(Event::StartAll);
    stage.on(Event::Spawned {
        name: name("gate"),
        pid: 1,
    });
    assert_eq!(stage.exits("gate", 1, Exit::with_code(78)), []);
    assert_eq!(
        stage.node("gate").reason,
        "exit code 78 before it was ready; exit code 78 is not retried"
    );
    assert_eq!(stage.state("net"), State::Stopped);
    assert_eq!(
        stage.node("net").reason,
        "waits for its parent gate, which is failed"
    );
    assert_eq!(stage.later(600 * SECOND), []);
    stage.on(Event::Start(name("gate")));
    stage.comes_up("gate", 2);
    assert_eq!(
        stage.done,
        [spawn("game1"), spawn("net")],
        "they follow when the operator has helped"
    );
}

#[test]
fn a_program_that_cannot_be_run_is_not_tried_again() {
    let mut stage = Stage::new(study());
    stage.on(Event::StartAll);
    let error = "/bin/none: no such file".to_owned();
    stage.on(Event::SpawnFailed {
        name: name("gate"),
        error,
        retry: false,
    });
    assert_eq!(stage.state("gate"), State::Failed);
    assert!(stage.node("gate").reason.starts_with("/bin/none: no such file"));
}

#[test]
fn a_node_that_is_not_ready_in_time_is_killed_and_counts_as_a_failed_start() {
    let mut stage = Stage::new(study());
    stage.on(Event::StartAll);
    stage.on(Event::Spawned {
        name: name("gate"),
        pid: 1,
    });
    assert_eq!(stage.later(10 * SECOND), [kill("gate", 1)]);
    assert_eq!(stage.state("gate"), State::Stopping);
    stage.exits("gate", 1, Exit::by_signal(9));
    let gate = stage.node("gate");
    assert_eq!(
        (gate.state, gate.restart_window.failed_starts),
        (State::Backoff, 1)
    );
    assert_eq!(gate.reason, "not ready after 10 s, killed by SIGKILL");
}

#[test]
fn the_tree_stops_children_first_and_a_slow_one_is_killed() {
    let mut stage = Stage::running(study());
    assert_eq!(
        stage.on(Event::StopAll),
        [terminate("game1", 3), terminate("net", 2)]
    );
    assert_eq!(stage.state("net"), State::Draining);
    assert_eq!(stage.exits("net", 2, Exit::with_code(0)), []);
    assert_eq!(stage.later(10 * SECOND), []);
    assert_eq!(stage.state("game1"), State::Stopping);
    assert_eq!(stage.later(5 * SECOND), [kill("game1", 3)]);
    assert_eq!(
        stage.exits("game1", 3, Exit::by_signal(9)),
        [terminate("gate", 1)]
    );
    let exit = stage.node("game1").last_exits.pop().expect("an end");
    assert_eq!(
        (exit.reason.as_str(), exit.killed),
        ("unclean stop, killed by SIGKILL", true)
    );
    assert_eq!(stage.on(Event::StopAll), []);
    assert_eq!(stage.on(Event::Start(name("net"))), [], "nothing starts any more");
    assert_eq!(stage.exits("gate", 1, Exit::with_code(0)), [Command::AllStopped]);
    assert_eq!(stage.on(Event::Tick), []);
}

#[test]
fn kill_all_kills_at_once_even_what_is_just_being_spawned() {
    let mut stage = Stage::running(study());
    stage.exits("net", 2, Exit::by_signal(11));
    assert_eq!(stage.on(Event::KillAll), [kill("game1", 3), kill("gate", 1)]);
    assert_eq!(
        stage.on(Event::Spawned {
            name: name("net"),
            pid: 9
        }),
        [kill("net", 9)]
    );
    stage.exits("net", 9, Exit::by_signal(9));
    stage.exits("gate", 1, Exit::by_signal(9));
    assert_eq!(stage.exits("game1", 3, Exit::by_signal(9)), [Command::AllStopped]);
}

#[test]
fn requests_coalesce_and_the_last_wish_counts() {
    let mut stage = Stage::running(study());
    assert_eq!(stage.on(Event::Restart(name("game1"))), [terminate("game1", 3)]);
    assert_eq!(stage.on(Event::Restart(name("game1"))), []);
    assert_eq!(stage.on(Event::Start(name("game1"))), []);
    assert_eq!(stage.exits("game1", 3, Exit::with_code(0)), [spawn("game1")]);
    assert_eq!(
        stage.node("game1").restarts,
        0,
        "an operator's restart is no fault of the node"
    );
    stage.comes_up("game1", 4);
    assert_eq!(stage.on(Event::Stop(name("game1"))), [terminate("game1", 4)]);
    assert_eq!(stage.on(Event::Stop(name("game1"))), []);
    assert_eq!(stage.exits("game1", 4, Exit::with_code(1)), []);
    assert_eq!(stage.node("game1").reason, "stopped, exit code 1");
    assert_eq!(stage.on(Event::Stop(name("game1"))), []);
    stage.on(Event::Start(name("game1")));
    stage.comes_up("game1", 5);
    stage.on(Event::Restart(name("game1")));
    stage.on(Event::Stop(name("game1")));
    assert_eq!(
        stage.exits("game1", 5, Exit::with_code(0)),
        [],
        "stop after restart: it stays down"
    );
}

#[test]
fn a_node_without_its_link_is_unreachable_then_back_or_killed() {
    let mut stage = Stage::running(study());
    let lost = Event::LinkLost {
        name: name("game1"),
        incarnation: incarnation(3),
    };
    stage.on(lost.clone());
    assert_eq!(stage.state("game1"), State::Unreachable);
    stage.later(20 * SECOND);
    stage.on(Event::Joined {
        name: name("game1"),
        incarnation: incarnation(3),
        pid: 3,
    });
    assert_eq!(stage.state("game1"), State::Ready);
    stage.on(lost);
    let abort = Command::Abort {
        name: name("game1"),
        pid: 3,
    };
    assert_eq!(stage.later(30 * SECOND), [abort]);
    assert_eq!(stage.node("game1").reason, "hung 30 s");
    assert_eq!(stage.later(2 * SECOND), [kill("game1", 3)]);
    assert_eq!(stage.exits("game1", 3, Exit::by_signal(9)), [spawn("game1")]);
}

#[test]
fn news_of_a_former_life_change_nothing() {
    let mut stage = Stage::running(study());
    stage.exits("game1", 3, Exit::by_signal(9));
    stage.comes_up("game1", 4);
    let before = stage.node("game1");
    stage.on(Event::Joined {
        name: name("game1"),
        incarnation: incarnation(3),
        pid: 3,
    });
    stage.on(Event::Ready {
        name: name("game1"),
        incarnation: incarnation(3),
    });
    stage.on(Event::LinkLost {
        name: name("game1"),
        incarnation: incarnation(3),
    });
    stage.exits("game1", 3, Exit::with_code(0));
    stage.on(Event::Spawned {
        name: name("game1"),
        pid: 5,
    });
    stage.on(Event::SpawnFailed {
        name: name("game1"),
        error: String::new(),
        retry: true,
    });
    stage.on(Event::Start(name("nobody")));
    assert_eq!(stage.node("game1"), before);
}

#[test]
fn a_node_of_an_earlier_master_is_adopted_not_spawned() {
    let mut stage = Stage::new(study());
    stage.on(Event::Adopted {
        name: name("gate"),
        pid: 7,
    });
    assert_eq!(stage.on(Event::StartAll), []);
    assert_eq!(stage.state("gate"), State::Unreachable);
    stage.on(Event::Joined {
        name: name("gate"),
        incarnation: incarnation(7),
        pid: 7,
    });
    stage.on(Event::Ready {
        name: name("gate"),
        incarnation: incarnation(7),
    });
    assert_eq!(stage.done, [spawn("game1"), spawn("net")]);
    assert!(stage.node("gate").adopted);
    stage.later(2 * SECOND);
    assert_eq!(stage.exits("gate", 7, Exit::default()), [spawn("gate")]);
}

#[test]
fn a_node_that_another_host_starts_is_asked_by_its_link_and_never_signalled() {
    let gate = NodeSpec {
        start: false,
        ..spec("gate", &[])
    };
    let mut stage = Stage::new(vec![gate, spec("net", &["gate"])]);
    assert_eq!(stage.on(Event::StartAll), []);
    stage.on(Event::Joined {
        name: name("gate"),
        incarnation: incarnation(1),
        pid: 1,
    });
    let ready = Event::Ready {
        name: name("gate"),
        incarnation: incarnation(1),
    };
    assert_eq!(stage.on(ready), [spawn("net")]);
    stage.comes_up("net", 2);
    stage.on(Event::LinkLost {
        name: name("gate"),
        incarnation: incarnation(1),
    });
    assert_eq!(
        (stage.state("gate"), stage.state("net")),
        (State::Unreachable, State::Degraded)
    );
    stage.on(Event::Joined {
        name: name("gate"),
        incarnation: incarnation(5),
        pid: 5,
    });
    stage.on(Event::Ready {
        name: name("gate"),
        incarnation: incarnation(5),
    });
    stage.on(Event::StopAll);
    let asked = Command::Terminate {
        name: name("gate"),
        pid: None,
    };
    assert_eq!(stage.exits("net", 2, Exit::with_code(0)), [asked]);
    assert_eq!(
        stage.later(60 * SECOND),
        [Command::AllStopped],
        "it is not waited for without end"
    );
    assert_eq!(
        stage.node("gate").reason,
        "not gone after 5 s, left alone as it runs elsewhere"
    );
}

#[test]
fn children_start_anew_with_their_parent_where_that_is_configured() {
    let mut specs = study();
    specs[1].restart_children = true;
    let mut stage = Stage::running(specs);
    let commands = stage.exits("gate", 1, Exit::by_signal(9)).to_vec();
    assert_eq!(
        commands,
        [terminate("game1", 3), terminate("net", 2), spawn("gate")]
    );
    assert_eq!(stage.exits("net", 2, Exit::with_code(0)), []);
    stage.comes_up("gate", 4);
    assert_eq!(stage.done, [spawn("net")]);
    assert_eq!(stage.exits("game1", 3, Exit::with_code(0)), [spawn("game1")]);
}

#[test]
fn a_transient_node_that_has_done_its_work_does_not_hold_up_all_ready() {
    let mut job = spec("job", &[]);
    job.policy.restart = Restart::Transient;
    let mut stage = Stage::new(vec![job, spec("gate", &[])]);
    stage.on(Event::StartAll);
    stage.comes_up("gate", 1);
    stage.on(Event::Spawned {
        name: name("job"),
        pid: 2,
    });
    let commands = stage.exits("job", 2, Exit::with_code(0)).to_vec();
    assert_eq!(
        commands,
        [Command::AllReady {
            after: Duration::ZERO
        }]
    );
    assert!(
        stage
            .node("job")
            .reason
            .ends_with("not started again, as it is transient")
    );
}

#[test]
fn what_is_no_tree_is_refused() {
    let new = |specs| Roster::new(Instant::now(), specs, 1).map(|_| ());
    assert_eq!(
        new(vec![spec("a", &[]), spec("a", &[])]),
        Err(BadTree::TwoOfOneName(name("a")))
    );
    let (node, parent) = (name("a"), name("b"));
    assert_eq!(
        new(vec![spec("a", &["b"])]),
        Err(BadTree::NoSuchParent { node, parent })
    );
    let cycle = vec![spec("root", &[]), spec("a", &["b", "root"]), spec("b", &["a"])];
    assert_eq!(new(cycle), Err(BadTree::Cycle(name("a"))));
}

#[test]
fn ends_are_remembered_up_to_a_limit_and_the_snapshot_is_plain_json() {
    let mut stage = Stage::running(study());
    for pid in (3..33).chain([40]) {
        stage.exits("game1", pid, Exit::by_signal(9));
        stage.comes_up("game1", if pid == 32 { 40 } else { pid + 1 });
        stage.later(SECOND);
    }
    let node = stage.node("game1");
    assert_eq!(
        (node.last_exits.len(), node.restarts),
        (super::life::MAX_EXITS, 31)
    );
    let json = serde_json::to_value(&node).expect("plain data");
    assert_eq!(json["state"], "ready");
    assert_eq!(json["restart_window"]["intensity"], 5);
    assert_eq!(json["last_exits"][0]["signal"], 9);
    assert_eq!(json["incarnation"].as_str().map(str::len), Some(32));
}
