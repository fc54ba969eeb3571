//! Ports, open files and the disk are short, logs flood, clients are very many: what can go on goes on.

use cluster_tests::experiments::short;

#[test]
fn a_port_in_use_is_told_with_its_holder() {
    short("R-50");
}

#[test]
fn clients_beyond_the_limit_of_open_files_are_closed_at_once() {
    short("R-51");
}

#[test]
fn a_full_disk_costs_lines_of_the_log_and_nothing_else() {
    short("R-52");
}

#[test]
fn a_node_that_prints_without_end_fills_no_disk() {
    short("R-53");
}

#[test]
fn a_log_that_is_rotated_while_it_is_written_loses_no_line() {
    short("R-54");
}

#[test]
fn a_thousand_clients_are_served() {
    short("R-58");
}

#[test]
fn a_thousand_clients_come_back_at_once() {
    short("R-60");
}

#[test]
fn a_minute_of_mixed_faults_leaves_nothing_behind() {
    short("R-61");
}

#[test]
fn hundreds_of_lives_leave_nothing_behind() {
    short("R-62");
}
