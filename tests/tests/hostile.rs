//! Strangers and clumsy clients harm themselves alone: the short forms of the experiments.

use cluster_tests::experiments::short;

#[test]
fn versions_of_the_link_protocol_that_overlap_understand_each_other() {
    short("R-29");
}

#[test]
fn clients_that_do_not_read_are_disconnected() {
    short("R-30");
}

#[test]
fn headers_have_five_seconds() {
    short("R-31");
}

#[test]
fn headers_that_cannot_be_end_their_connection_at_once() {
    short("R-32");
}

#[test]
fn noise_at_every_port_leaves_nothing_behind() {
    short("R-33");
}

#[test]
fn strangers_at_a_link_port_learn_nothing() {
    short("R-36");
}

#[test]
fn a_second_process_of_a_name_fails_no_call_of_the_first() {
    short("R-37");
}

#[test]
fn payloads_that_cannot_be_are_answered_with_an_error() {
    short("R-38");
}

#[test]
fn a_flood_is_carried_as_far_as_possible_and_the_rest_is_refused() {
    short("R-39");
}
