//! The master says who is ready and when; it stops all in order, however it is asked, and leaves nothing behind.

use std::sync::Arc;

use cluster_tests::Cluster;
use cluster_tests::experiments::short;
use cluster_tests::process::{End, Process};
use cluster_tests::tell::measured;
use cluster_tests::wait::until;
use nix::sys::signal::Signal;

/// The places of lines with these texts in what was printed.
fn places<const N: usize>(text: &str, wanted: [&str; N]) -> [usize; N] {
    wanted.map(|wanted| {
        text.find(wanted)
            .unwrap_or_else(|| panic!("no {wanted:?} in:\n{text}"))
    })
}

#[track_caller]
fn assert_stopped_in_order(cluster: &Cluster, master: &Arc<Process>) {
    assert_eq!(master.end(), End::Code(0));
    let said = master.stdout();
    let [net, game, gate, all] = places(
        &said,
        [
            "net    | stopped",
            "game1  | stopped",
            "gate   | stopped",
            "all nodes have stopped",
        ],
    );
    assert!(net < game && game < gate && gate < all, "{said}");
    cluster.assert_nothing_left();
}

#[test]
fn one_line_says_of_each_node_that_it_is_ready_and_one_that_all_are() {
    let cluster = Cluster::study();
    let master = cluster.start();
    let said = master.stdout();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(
        lines[0].starts_with("gate   | ready (pid "),
        "the parent first: {said}"
    );
    for name in ["gate", "net", "game1"] {
        let pid = cluster.admin().pid(name);
        let line = format!("{name:6} | ready (pid {pid}");
        assert_eq!(
            lines.iter().filter(|text| text.starts_with(&line)).count(),
            1,
            "{said}"
        );
    }
    let page = format!("http://{}/", cluster.webport());
    let all = lines[3]
        .strip_prefix("master | ready in ")
        .expect("the last line is about all");
    let (millis, rest) = all.split_once(" ms").expect("a time");
    assert!(
        millis.parse::<u64>().is_ok_and(|millis| millis < 10_000),
        "{said}"
    );
    assert!(rest.contains(&page), "{said}");
    measured(format_args!("start to ready: {millis} ms"));
}

#[test]
fn an_interrupt_stops_the_nodes_in_order_and_then_the_master() {
    let cluster = Cluster::study();
    let master = cluster.start();
    master.signal(Signal::SIGINT);
    assert_stopped_in_order(&cluster, &master);
}

#[test]
fn a_termination_stops_the_nodes_in_order_and_then_the_master() {
    let cluster = Cluster::study();
    let master = cluster.start();
    master.signal(Signal::SIGTERM);
    assert_stopped_in_order(&cluster, &master);
}

#[test]
fn the_api_stops_the_nodes_in_order_and_then_the_master() {
    let cluster = Cluster::study();
    let master = cluster.start();
    cluster.admin().act("cluster/actions/stop");
    assert_stopped_in_order(&cluster, &master);
}

#[test]
fn calls_in_flight_are_answered_before_the_nodes_stop() {
    let cluster = Cluster::of_test_apps();
    let master = cluster.start();
    let mut client = cluster.client();
    client.send(3, "700 still answered").expect("to send");
    until("the call", || {
        cluster.log("game1").contains("waiting 700 ms").then_some(())
    });
    master.signal(Signal::SIGTERM);
    let answer = client.receive().expect("an answer");
    assert_eq!((answer.command, answer.payload.as_str()), (3, "still answered"));
    assert!(client.is_closed_by_server());
    assert_stopped_in_order(&cluster, &master);
    let note = std::fs::read_to_string(cluster.run_dir().join("stopped-game1"));
    assert_eq!(note.expect("the hook before the stop has run"), "in order\n");
}

#[test]
fn a_second_interrupt_stops_at_once() {
    let cluster = Cluster::of_test_apps();
    let master = cluster.start();
    let mut client = cluster.client();
    client.send(3, "60000 never").expect("to send");
    until("the call", || {
        cluster.log("game1").contains("waiting 60000 ms").then_some(())
    });
    master.signal(Signal::SIGINT);
    master.line("stopping (");
    assert_eq!(master.has_ended(), None, "a call is in flight");
    let asked = std::time::Instant::now();
    master.signal(Signal::SIGINT);
    assert_eq!(master.end(), End::Code(1), "not in order");
    assert!(asked.elapsed().as_secs() < 3, "{:?}", asked.elapsed());
    assert!(master.stdout().contains("stopping at once"));
    cluster.assert_nothing_left();
}

#[test]
fn accepted_calls_are_answered_whoever_is_asked_to_stop() {
    short("R-70");
}

#[test]
fn a_second_master_in_the_same_folder_is_refused() {
    let cluster = Cluster::study();
    let first = cluster.start();
    let second = cluster.run(&[]);
    assert_eq!(second.end(), End::Code(75));
    let said = second.stderr();
    assert!(said.contains(&format!("pid {}", first.pid())), "{said}");
    cluster.until_answered(300, "x", "game1Handle completed");
}
