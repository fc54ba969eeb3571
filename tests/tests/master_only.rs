//! A master that starts no nodes welcomes those that are started by hand.

use cluster_tests::Cluster;
use cluster_tests::process::End;
use nix::sys::signal::Signal;

#[test]
fn nodes_started_by_hand_join_a_lone_master_and_are_listed() {
    let cluster = Cluster::study();
    let master = cluster.run(&["--role", "master", "--only"]);
    let admin = cluster.admin();
    for node in admin.nodes() {
        assert_eq!(node["state"], "stopped", "{node}");
        assert!(node["pid"].is_null(), "{node}");
    }
    assert_eq!(cluster.processes(), [master.pid()], "it starts nothing");

    for name in ["gate", "net", "game1"] {
        let node = cluster.run_node(name);
        let listed = admin.until_state(name, "ready");
        assert_eq!(listed["pid"], node.pid());
        assert_eq!(listed["start"], false);
        assert_eq!(listed["restarts"], 0);
        assert_eq!(listed["incarnation"].as_str().map(str::len), Some(32), "{listed}");
    }
    cluster.until_answered(300, "msgdata", "game1Handle completed");
}

#[test]
fn a_node_that_was_started_by_hand_and_dies_is_not_started_by_the_master() {
    let cluster = Cluster::study();
    cluster.run(&["--only"]);
    let gate = cluster.run_node("gate");
    let admin = cluster.admin();
    admin.until_state("gate", "ready");
    gate.signal(Signal::SIGKILL);
    gate.end();
    let listed = admin.until("gate", "not ready", |node| node["state"] != "ready");
    assert_eq!(listed["state"], "unreachable", "{listed}");
    let again = cluster.run_node("gate");
    let listed = admin.until_state("gate", "ready");
    assert_eq!(listed["pid"], again.pid());
}

#[test]
fn stopping_the_master_asks_the_nodes_that_were_started_by_hand() {
    let cluster = Cluster::study();
    let master = cluster.run(&["--only"]);
    let nodes = ["gate", "net", "game1"].map(|name| cluster.run_node(name));
    cluster.admin().until_all_ready();
    master.signal(Signal::SIGTERM);
    assert_eq!(master.end(), End::Code(0));
    for node in nodes {
        assert_eq!(node.end(), End::Code(0), "{}", node.label());
    }
}
