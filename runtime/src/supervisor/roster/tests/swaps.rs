//! Restarts of nodes that can be swapped: the next life is ready before the present one goes.

use super::*;

fn succeed(node: &str, pid: u32) -> Command {
    Command::SpawnSuccessor {
        name: name(node),
        of: incarnation(pid),
    }
}

fn restart(stage: &mut Stage, node: &str) -> Vec<Command> {
    stage.on(Event::Restart(name(node))).to_vec()
}

fn beside(stage: &Stage, node: &str) -> Option<(Role, Option<u32>)> {
    stage.node(node).beside.map(|second| (second.role, second.pid))
}

#[test]
fn the_successor_is_ready_before_the_old_process_is_asked_and_children_notice_nothing() {
    let mut stage = Stage::running(study());
    assert_eq!(restart(&mut stage, "gate"), [succeed("gate", 1)]);
    assert_eq!(stage.state("gate"), State::Ready);
    let life = |stage: &Stage| stage.roster.incarnation(&name("gate"));
    assert_eq!(life(&stage), Some(incarnation(1)));
    let is_linked = |stage: &Stage, pid| stage.roster.is_linked(&name("gate"), incarnation(pid));
    assert!(is_linked(&stage, 1) && !is_linked(&stage, 4));
    stage.comes_up("gate", 4);
    assert!(is_linked(&stage, 1) && is_linked(&stage, 4), "each has its own");
    assert_eq!(stage.done, [take_over("gate", 4), terminate("gate", 1)]);
    assert_eq!(
        life(&stage),
        Some(incarnation(4)),
        "also while the old process leaves"
    );
    let gate = stage.node("gate");
    assert_eq!((gate.state, gate.pid, gate.restarts), (State::Ready, Some(4), 0));
    assert_eq!(beside(&stage, "gate"), Some((Role::Leaving, Some(1))));
    assert_eq!(stage.state("net"), State::Ready);
    stage.later(5 * SECOND);
    assert_eq!(
        stage.exits("gate", 1, Exit::with_code(0)),
        [restarted("gate", None)]
    );
    let gate = stage.node("gate");
    assert_eq!((gate.state, gate.beside), (State::Ready, None));
    assert_eq!(gate.last_exits[0].reason, "replaced: stopped, exit code 0");
    assert!(gate.last_exits[0].asked);
}

#[test]
fn twenty_requests_are_one_swap() {
    let mut stage = Stage::running(study());
    restart(&mut stage, "game1");
    (0..19).for_each(|_| assert_eq!(restart(&mut stage, "game1"), []));
    stage.comes_up("game1", 4);
    assert_eq!(
        restart(&mut stage, "game1"),
        [],
        "also while the old process leaves"
    );
    assert_eq!(
        stage.exits("game1", 3, Exit::with_code(0)),
        [restarted("game1", None)]
    );
    assert_eq!(restart(&mut stage, "game1"), [succeed("game1", 4)]);
}

#[test]
fn a_successor_that_fails_in_any_way_changes_nothing_and_the_failure_is_said() {
    let mut stage = Stage::running(study());
    restart(&mut stage, "game1");
    stage.on(Event::SpawnFailed {
        name: name("game1"),
        error: "/bin/none: no such file".into(),
        retry: false,
    });
    let error = "the successor failed: /bin/none: no such file; the old process stays";
    assert_eq!(stage.done, [restarted("game1", Some(error))]);
    restart(&mut stage, "game1");
    stage.on(Event::Spawned {
        name: name("game1"),
        pid: 4,
    });
    let error = "the successor failed: exit code 3 before it was ready; the old process stays";
    assert_eq!(
        stage.exits("game1", 4, Exit::with_code(3)),
        [restarted("game1", Some(error))]
    );
    restart(&mut stage, "game1");
    stage.on(Event::Spawned {
        name: name("game1"),
        pid: 5,
    });
    assert_eq!(stage.later(10 * SECOND), [kill("game1", 5)]);
    let error = "the successor failed: not ready after 10 s (no link to the master), killed by SIGKILL; \
                 the old process stays";
    assert_eq!(
        stage.exits("game1", 5, Exit::by_signal(9)),
        [restarted("game1", Some(error))]
    );
    let game1 = stage.node("game1");
    assert_eq!(
        (game1.state, game1.pid, game1.restarts),
        (State::Ready, Some(3), 0)
    );
    assert!(game1.reason.contains("not ready after 10 s"), "{}", game1.reason);
    assert_eq!(game1.restart_window.failed_starts, 0);
    assert_eq!(
        game1.last_exits[0].reason,
        "as a successor: exit code 3 before it was ready"
    );
}

#[test]
fn when_the_old_process_dies_its_successor_goes_on_in_its_place() {
    let mut stage = Stage::running(study());
    restart(&mut stage, "game1");
    stage.on(Event::Spawned {
        name: name("game1"),
        pid: 4,
    });
    assert_eq!(
        stage.exits("game1", 3, Exit::by_signal(9)),
        [],
        "no third is spawned"
    );
    assert_eq!(stage.state("game1"), State::Starting);
    stage.on(Event::Joined {
        name: name("game1"),
        incarnation: incarnation(4),
        pid: 4,
    });
    stage.on(Event::Ready {
        name: name("game1"),
        incarnation: incarnation(4),
    });
    assert_eq!(stage.done, [take_over("game1", 4), restarted("game1", None)]);
    assert_eq!(stage.node("game1").restarts, 1);
}

#[test]
fn an_old_process_that_does_not_leave_is_killed() {
    let mut stage = Stage::running(study());
    restart(&mut stage, "game1");
    stage.comes_up("game1", 4);
    assert_eq!(stage.later(15 * SECOND), [kill("game1", 3)]);
    assert_eq!(
        stage.exits("game1", 3, Exit::by_signal(9)),
        [restarted("game1", None)]
    );
    assert!(stage.node("game1").last_exits[0].killed);
}

#[test]
fn a_stop_ends_both_and_an_end_of_everything_waits_for_both() {
    let mut stage = Stage::running(study());
    restart(&mut stage, "game1");
    stage.on(Event::Spawned {
        name: name("game1"),
        pid: 4,
    });
    let stop = stage.on(Event::Stop(name("game1"))).to_vec();
    assert_eq!(stop, [terminate("game1", 4), terminate("game1", 3)]);
    stage.exits("game1", 3, Exit::with_code(0));
    assert_eq!(
        stage.exits("game1", 4, Exit::with_code(0)),
        [restarted("game1", Some("stopped, exit code 0"))]
    );

    let mut stage = Stage::running(study());
    restart(&mut stage, "game1");
    stage.comes_up("game1", 4);
    stage.on(Event::StopAll);
    stage.exits("net", 2, Exit::with_code(0));
    assert_eq!(
        stage.exits("game1", 4, Exit::with_code(0)),
        [],
        "the old one still leaves"
    );
    stage.exits("game1", 3, Exit::with_code(0));
    assert!(stage.done.contains(&terminate("gate", 1)));
    let mut stage = Stage::running(study());
    restart(&mut stage, "game1");
    stage.on(Event::KillAll);
    let spawned = Event::Spawned {
        name: name("game1"),
        pid: 4,
    };
    assert_eq!(stage.on(spawned), [kill("game1", 4)]);
}

#[test]
fn what_an_earlier_master_left_beside_a_node_is_asked_to_end() {
    let mut stage = Stage::new(study());
    let adopted = |pid, leaving| Event::Adopted {
        name: name("gate"),
        pid,
        restarts: 0,
        leaving,
    };
    stage.on(adopted(7, false));
    assert_eq!(stage.on(adopted(6, true)), [terminate("gate", 6)]);
    stage.on(Event::StartAll);
    stage.on(Event::Joined {
        name: name("gate"),
        incarnation: incarnation(7),
        pid: 7,
    });
    stage.on(Event::Ready {
        name: name("gate"),
        incarnation: incarnation(7),
    });
    assert!(
        stage.done.contains(&take_over("gate", 7)),
        "it may not have been told"
    );
    assert_eq!(restart(&mut stage, "gate"), [], "there is no room for a third");
    assert_eq!(stage.exits("gate", 6, Exit::default()), [succeed("gate", 7)]);
}
