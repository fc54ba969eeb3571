//! Very many of everything: what a few cost, many cost no more for each.

use cluster_tests::experiments::short;

#[test]
fn clients_of_many_nodes_are_all_served() {
    short("R-59");
}

#[test]
fn who_is_idle_costs_next_to_nothing() {
    short("R-80");
}

#[test]
fn clients_are_accepted_about_as_fast_as_by_a_bare_loop() {
    short("R-81");
}

#[test]
fn a_call_costs_the_same_with_more_connections() {
    short("R-82");
}

#[test]
fn a_call_costs_the_same_with_more_handlers() {
    short("R-83");
}

#[test]
fn a_call_costs_the_same_with_more_calls_in_flight() {
    short("R-84");
}

#[test]
fn a_call_costs_the_same_with_more_nodes() {
    short("R-85");
}

#[test]
fn a_push_is_written_once_and_reaches_all() {
    short("R-86");
}
