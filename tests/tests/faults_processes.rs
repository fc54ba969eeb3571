//! Processes are killed and stopped under load: the short form of each experiment.

use cluster_tests::experiments::short;

#[test]
fn a_killed_game_fails_the_calls_in_flight_and_no_other() {
    short("R-01");
}

#[test]
fn a_killed_gate_fails_the_calls_in_flight_and_no_other() {
    short("R-02");
}

#[test]
fn a_killed_net_node_refuses_no_connection_and_serves_again() {
    short("R-03");
}

#[test]
fn a_dead_master_fails_nothing() {
    short("R-04");
}

#[test]
fn a_master_that_comes_back_adopts_its_nodes_and_restarts_them() {
    short("R-05");
}

#[test]
fn a_game_that_dies_without_a_master_is_started_by_the_next_one() {
    short("R-06");
}

#[test]
fn everything_dies_in_turn_and_no_promise_is_broken() {
    short("R-07");
}

#[test]
fn a_stopped_game_is_noticed_and_comes_back_with_nothing_stale() {
    short("R-08");
}

#[test]
fn a_node_that_hangs_is_killed_and_started_again() {
    short("R-09");
}

#[test]
fn a_machine_that_sleeps_restarts_nothing() {
    short("R-10");
}

#[test]
fn a_crash_loop_is_slowed_down_and_disturbs_nobody() {
    short("R-11");
}

#[test]
fn a_node_without_hope_is_not_tried_again() {
    short("R-12");
}

#[test]
fn a_node_that_is_never_ready_is_killed_and_tried_again() {
    short("R-13");
}

#[test]
fn what_a_node_started_ends_with_it() {
    short("R-14");
}

#[test]
fn a_stranger_with_the_number_of_a_former_node_is_left_alone() {
    short("R-15");
}

#[test]
fn a_second_master_leaves_the_first_alone() {
    short("R-16");
}

#[test]
fn handlers_that_panic_wait_or_spin_harm_nobody_else() {
    short("R-17");
}

#[test]
fn a_node_that_is_killed_for_want_of_memory_says_so() {
    short("R-18");
}

#[test]
fn twenty_wishes_at_once_are_one_action() {
    short("R-19");
}

#[test]
fn every_numbered_request_has_one_end_while_nodes_are_killed() {
    short("R-35");
}

#[test]
fn a_master_that_is_replaced_keeps_its_nodes() {
    short("R-74");
}
