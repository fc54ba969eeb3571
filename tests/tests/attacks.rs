//! What brought Firefly down does not bring these nodes down. See docs/attacks.md.

use cluster_tests::attacks::{ATTACKS, row};
use cluster_tests::tell::measured;

#[track_caller]
fn withstands(name: &str) {
    let attack = ATTACKS.iter().find(|attack| attack.name == name);
    measured(row(attack.unwrap_or_else(|| panic!("no attack is called {name}"))));
}

#[test]
fn lengths_that_cannot_be_end_the_connection_at_the_header() {
    withstands("lengths from 0 to 3, and above the limit");
}

#[test]
fn a_command_that_nobody_answers_is_answered_with_an_error() {
    withstands("a command that nobody answers");
}

#[test]
fn a_handler_that_raises_is_an_error_to_its_caller() {
    withstands("a handler that raises");
}

#[test]
fn a_child_that_is_not_connected_is_an_error_within_the_deadline() {
    withstands("a child that is not connected");
}

#[test]
fn every_call_has_a_deadline() {
    withstands("a handler that never answers");
}

#[test]
fn a_node_that_is_killed_is_started_again() {
    withstands("a node is killed");
}

#[test]
fn every_node_that_dies_is_reaped() {
    withstands("nodes die again and again");
}

#[test]
fn a_stop_answers_what_is_under_way_and_goes_in_order() {
    withstands("the cluster is stopped with a call under way");
}

#[test]
fn nobody_stops_the_cluster_without_the_token() {
    withstands("GET /stop and GET /reloadmodule");
}

#[test]
fn nobody_joins_without_the_secret() {
    withstands("a stranger at the root port");
}

#[test]
fn a_second_peer_of_a_living_name_is_refused() {
    withstands("a second peer of a living name");
}

#[test]
fn a_half_dead_link_locks_nobody_out() {
    withstands("a half-dead link that keeps its name");
}

#[test]
fn a_silent_peer_is_noticed_and_its_link_comes_back() {
    withstands("a peer that falls silent, and comes back");
}

#[test]
fn the_document_has_a_row_for_each_attack() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/attacks.md");
    let text = std::fs::read_to_string(file).expect("the document");
    for attack in ATTACKS {
        assert!(
            text.contains(&format!("| {} |", attack.name)),
            "{} is missing: cluster-tests attacks",
            attack.name
        );
    }
}

#[test]
fn the_document_names_tests_that_there_are() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let text = std::fs::read_to_string(format!("{folder}/docs/attacks.md")).expect("the document");
    let named: Vec<(&str, &str)> = text.split('`').filter_map(|part| part.split_once("::")).collect();
    assert!(named.len() > 15, "{named:?}");
    for (file, name) in named {
        let code =
            std::fs::read_to_string(format!("{folder}/tests/tests/{file}.rs")).expect("a file of tests");
        assert!(
            code.contains(&format!("fn {name}()")),
            "{file}::{name} is no test"
        );
    }
}

#[test]
fn a_peer_is_not_obeyed_as_the_master_is() {
    withstands("a peer that gives the master's orders");
}
