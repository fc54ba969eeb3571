//! What is asked for: the order of start and stop, operators' wishes, nodes that others started.

use super::*;

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
    let mut specs = study();
    specs[0].swap = false;
    let mut stage = Stage::running(specs);
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
    assert_eq!(stage.done, [restarted("game1", None)]);
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
        [restarted("game1", Some("stopped, exit code 0"))],
        "stop after restart: it stays down"
    );
}

#[test]
fn a_node_of_an_earlier_master_is_adopted_not_spawned() {
    let mut stage = Stage::new(study());
    stage.on(Event::Adopted {
        name: name("gate"),
        pid: 7,
        restarts: 3,
        leaving: false,
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
    assert_eq!(stage.done, [take_over("gate", 7), spawn("game1"), spawn("net")]);
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

#[test]
fn a_node_that_somebody_else_started_is_not_started_twice() {
    let mut stage = Stage::new(study());
    stage.on(Event::Joined {
        name: name("gate"),
        incarnation: incarnation(9),
        pid: 9,
    });
    assert_eq!(stage.on(Event::StartAll), []);
    stage.on(Event::Ready {
        name: name("gate"),
        incarnation: incarnation(9),
    });
    assert_eq!(stage.done, [spawn("game1"), spawn("net")]);
    stage.on(Event::LinkLost {
        name: name("gate"),
        incarnation: incarnation(9),
    });
    assert_eq!(stage.state("gate"), State::Unreachable);
    assert_eq!(stage.later(9 * SECOND), [], "it may come back");
    assert!(stage.later(SECOND).contains(&spawn("gate")));
}
