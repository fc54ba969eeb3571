//! A master may die: the nodes serve on, and its successor takes them over.

use std::net::TcpStream;

use cluster_tests::Cluster;
use cluster_tests::process::{Process, kill_pid};
use cluster_tests::wait::until;
use serde_json::Value;

const NODES: [&str; 3] = ["gate", "net", "game1"];

fn pids(cluster: &Cluster) -> Vec<u32> {
    NODES.iter().map(|name| cluster.admin().pid(name)).collect()
}

/// Kills the master; when this returns, its lock is free.
fn kill_master(master: &Process) {
    kill_pid(master.pid());
    master.end();
}

#[test]
fn a_new_master_takes_the_living_nodes_over_and_restarts_those_that_die_later() {
    let cluster = Cluster::study();
    let first = cluster.start();
    let before = pids(&cluster);
    kill_master(&first);
    cluster.until_answered(300, "x", "game1Handle completed");

    let _second = cluster.start();
    let admin = cluster.admin();
    admin.until_all_ready();
    assert_eq!(pids(&cluster), before, "the same processes");
    assert!(
        admin.nodes().iter().all(|node| node["adopted"] == true),
        "{:?}",
        admin.nodes()
    );
    for name in NODES {
        let old = admin.node(name);
        kill_pid(admin.pid(name));
        let is_new = |node: &Value| node["state"] == "ready" && node["incarnation"] != old["incarnation"];
        let new = admin.until(name, "a new life", is_new);
        assert_eq!(new["adopted"], false, "{new}");
        assert_eq!(new["restarts"], 1, "{new}");
        cluster.until_answered(300, "x", "game1Handle completed");
    }
}

#[test]
fn the_clients_port_refuses_nobody_while_net_is_dead_also_after_an_adoption() {
    let cluster = Cluster::study();
    let first = cluster.start();
    let mut master = first;
    for round in 0..2 {
        let admin = cluster.admin();
        let old = admin.node("net");
        kill_pid(admin.pid("net"));
        let back = || admin.node("net")["incarnation"] != old["incarnation"];
        until("a new net", || {
            TcpStream::connect(cluster.netport()).expect("no connection is refused");
            back().then_some(())
        });
        cluster.until_answered(300, "x", "game1Handle completed");
        if round == 0 {
            kill_master(&master);
            master = cluster.start();
            cluster.admin().until_all_ready();
        }
    }
}
