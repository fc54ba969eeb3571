//! Nodes that come, go, or are configured otherwise while the tree runs.

use super::*;

fn configured(stage: &mut Stage, specs: Vec<NodeSpec>) -> Vec<Command> {
    stage.on(Event::Configure(specs)).to_vec()
}

fn with_game2(parents: &[&str]) -> Vec<NodeSpec> {
    let mut specs = study();
    specs.push(spec("game2", parents));
    specs
}

#[test]
fn the_same_nodes_again_change_nothing() {
    let mut stage = Stage::running(study());
    assert_eq!(configured(&mut stage, study()), []);
    for node in ["gate", "net", "game1"] {
        assert_eq!(stage.state(node), State::Ready);
    }
}

#[test]
fn a_node_that_comes_starts_when_its_parents_are_up_and_nobody_else_is_touched() {
    let mut stage = Stage::running(study());
    assert_eq!(configured(&mut stage, with_game2(&["gate"])), [spawn("game2")]);
    stage.comes_up("game2", 4);
    assert_eq!(stage.state("game2"), State::Ready);
    assert_eq!(stage.node("gate").pid, Some(1));
}

#[test]
fn a_node_and_its_parent_come_together_in_their_order() {
    let mut stage = Stage::running(study());
    let mut specs = with_game2(&["gate2"]);
    specs.push(spec("gate2", &[]));
    assert_eq!(configured(&mut stage, specs), [spawn("gate2")]);
    assert_eq!(stage.state("game2"), State::Stopped);
    stage.comes_up("gate2", 5);
    assert!(stage.done.contains(&spawn("game2")));
}

#[test]
fn a_node_that_goes_is_drained_and_then_forgotten() {
    let mut stage = Stage::running(study());
    configured(&mut stage, with_game2(&["gate"]));
    stage.comes_up("game2", 4);
    assert_eq!(configured(&mut stage, study()), [terminate("game2", 4)]);
    assert_eq!(stage.state("game2"), State::Draining);
    let done = stage.exits("game2", 4, Exit::with_code(0)).to_vec();
    assert_eq!(done, [Command::Forget(name("game2"))]);
    assert!(stage.roster.state(&name("game2")).is_none());
    assert_eq!(stage.roster.snapshot(stage.now).len(), 3);
}

#[test]
fn a_node_that_goes_while_it_is_in_backoff_is_forgotten_at_once() {
    let mut stage = Stage::running(study());
    stage.later(SECOND);
    configured(&mut stage, with_game2(&["gate"]));
    stage.on(Event::Spawned {
        name: name("game2"),
        pid: 4,
    });
    stage.exits("game2", 4, Exit::with_code(1));
    assert_eq!(stage.state("game2"), State::Backoff);
    assert_eq!(configured(&mut stage, study()), [Command::Forget(name("game2"))]);
}

#[test]
fn a_node_that_comes_back_while_it_goes_has_a_new_life() {
    let mut stage = Stage::running(study());
    configured(&mut stage, with_game2(&["gate"]));
    stage.comes_up("game2", 4);
    configured(&mut stage, study());
    assert_eq!(configured(&mut stage, with_game2(&["gate"])), []);
    assert_eq!(stage.exits("game2", 4, Exit::with_code(0)), [spawn("game2")]);
}

#[test]
fn other_times_and_rules_hold_at_once() {
    let mut stage = Stage::running(study());
    let mut specs = study();
    specs[0].policy.restart = Restart::Temporary;
    specs[0].drain_timeout = SECOND;
    assert_eq!(configured(&mut stage, specs), []);
    stage.on(Event::Stop(name("game1")));
    stage.later(SECOND + MS);
    assert_eq!(stage.state("game1"), State::Stopping);
    stage.exits("game1", 3, Exit::with_code(0));
    stage.on(Event::Start(name("game1")));
    stage.comes_up("game1", 6);
    stage.later(10 * SECOND);
    assert_eq!(stage.exits("game1", 6, Exit::by_signal(9)), [], "never again");
    assert_eq!(stage.state("game1"), State::Stopped);
}

#[test]
fn what_an_operator_has_stopped_stays_down() {
    let mut stage = Stage::running(study());
    stage.on(Event::Stop(name("game1")));
    stage.exits("game1", 3, Exit::with_code(0));
    assert_eq!(configured(&mut stage, with_game2(&["gate"])), [spawn("game2")]);
    assert_eq!(stage.state("game1"), State::Stopped);
}

#[test]
fn a_node_that_is_to_be_started_elsewhere_is_not_started_again_here() {
    let mut stage = Stage::running(study());
    let mut specs = study();
    specs[0].start = false;
    assert_eq!(configured(&mut stage, specs), []);
    assert_eq!(stage.exits("game1", 3, Exit::by_signal(9)), []);
    assert_eq!(stage.state("game1"), State::Stopped);
    assert_eq!(configured(&mut stage, study()), [spawn("game1")]);
}

#[test]
fn before_the_start_and_while_everything_stops_nothing_is_started() {
    let mut stage = Stage::new(study());
    assert_eq!(configured(&mut stage, with_game2(&[])), []);
    let mut stage = Stage::running(study());
    stage.on(Event::StopAll);
    assert_eq!(configured(&mut stage, with_game2(&[])), []);
    assert!(stage.roster.state(&name("game2")).is_none());
}

#[test]
fn what_is_no_tree_changes_nothing() {
    let mut stage = Stage::running(study());
    assert_eq!(configured(&mut stage, with_game2(&["nobody"])), []);
    assert_eq!(stage.roster.snapshot(stage.now).len(), 3);
}
