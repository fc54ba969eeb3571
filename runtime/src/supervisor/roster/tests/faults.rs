//! What goes wrong: crashes, crash loops, hanging and late nodes, lost links.

use super::*;

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
fn a_node_without_its_database_is_degraded_until_it_has_it_again() {
    let mut stage = Stage::running(study());
    let lacks = |life: u32, what: Option<&str>| Event::Lacks {
        name: name("game1"),
        incarnation: incarnation(life),
        what: what.map(str::to_owned),
    };
    let pid = stage.node("game1").pid.expect("it runs");
    stage.on(lacks(pid + 1, Some("of another life")));
    assert_eq!(stage.state("game1"), State::Ready);
    stage.on(lacks(pid, Some("its database is down")));
    assert_eq!(stage.state("game1"), State::Degraded);
    assert_eq!(stage.node("game1").reason, "its database is down");
    stage.on(lacks(pid, None));
    assert_eq!(stage.state("game1"), State::Ready);
    stage.on(lacks(pid, Some("its database is down")));
    stage.exits("game1", pid, Exit::by_signal(9));
    stage.comes_up("game1", 9);
    assert_eq!(
        stage.state("game1"),
        State::Ready,
        "the next life has not said so"
    );
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
    let late = "not ready after 10 s (no link to the master), killed by SIGKILL";
    assert_eq!(gate.reason, late);
}

#[test]
fn the_reason_says_how_far_a_node_had_come_that_is_not_ready_in_time() {
    let mut stage = Stage::new(study());
    stage.on(Event::StartAll);
    stage.on(Event::Spawned {
        name: name("gate"),
        pid: 1,
    });
    stage.on(Event::Joined {
        name: name("gate"),
        incarnation: incarnation(1),
        pid: 1,
    });
    assert_eq!(stage.later(10 * SECOND), [kill("gate", 1)]);
    stage.exits("gate", 1, Exit::by_signal(9));
    let late = "not ready after 10 s (its ports are open, its start has not ended), killed by SIGKILL";
    assert_eq!(stage.node("gate").reason, late);
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
fn a_link_that_is_reported_after_the_end_of_its_process_does_not_keep_the_node_down() {
    let mut stage = Stage::new(study());
    stage.on(Event::StartAll);
    stage.on(Event::Spawned {
        name: name("gate"),
        pid: 1,
    });
    stage.exits("gate", 1, Exit::by_signal(9));
    assert_eq!(stage.state("gate"), State::Backoff);
    stage.on(Event::Joined {
        name: name("gate"),
        incarnation: incarnation(1),
        pid: 1,
    });
    assert_eq!(stage.state("gate"), State::Backoff);
    assert_eq!(stage.later(SECOND), [spawn("gate")]);
}

#[test]
fn time_limits_of_any_length_are_taken() {
    for limit in [Duration::ZERO, Duration::MAX] {
        let mut gate = spec("gate", &[]);
        (gate.start_timeout, gate.drain_timeout, gate.stop_timeout) = (limit, limit, limit);
        gate.hang_kill = Some(limit);
        let now = Instant::now();
        let mut roster = Roster::new(now, vec![gate], 1).expect("a tree");
        roster.on_event(now, Event::StartAll);
        let spawned = Event::Spawned {
            name: name("gate"),
            pid: 1,
        };
        let commands = roster.on_event(now, spawned);
        assert_eq!(commands.contains(&kill("gate", 1)), limit.is_zero());
        roster.on_event(now, Event::StopAll);
        assert_eq!(roster.next_deadline(), None);
    }
}
