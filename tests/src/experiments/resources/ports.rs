//! Ports that somebody else has.

use std::net::TcpListener;
use std::time::Instant;

use serde_json::json;

use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::process::End;

/// This process takes the port of a cluster before it starts: each of the master's, each of a node's.
pub(super) const PORTS: Experiment = Experiment {
    id: "R-50",
    title: "a port is in use: the master's, clients', children's, HTTP",
    must: "within 200 ms: the master exits 73, a node goes to backoff; told with port, key, its place in the file, and \
           the holder's pid and name; other nodes run",
    best: "",
    run: ports,
};

fn ports(_: Strength, record: &mut Record) {
    for key in ["master.rootport", "master.webport"] {
        of_the_master(key, record);
    }
    for (node, key) in [("net", "netport"), ("gate", "rootport"), ("game1", "webport")] {
        of_a_node(node, key, record);
    }
}

/// What must be said of a port that this process holds.
#[track_caller]
fn assert_told(said: &str, key: &str, port: u16) {
    let name = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let holder = format!("pid {} ({})", std::process::id(), name.trim());
    for part in [key, "config.json:", &port.to_string(), &holder] {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}

fn of_the_master(key: &str, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    let port = cluster.port_of(key);
    let _holder = TcpListener::bind(("127.0.0.1", port)).expect("because the port is ours");
    let begin = Instant::now();
    let master = cluster.run(&[]);
    assert_eq!(master.end(), End::Code(73));
    record.time(format!("{key}: start to exit 73"), begin.elapsed(), must(200.0));
    assert_told(&master.stderr(), key, port);
    cluster.assert_nothing_left();
}

fn of_a_node(node: &str, key: &str, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    let path = format!("servers.{node}.{key}");
    if cluster.get(&path).is_null() {
        let port = cluster.port();
        cluster.set(&path, port);
    }
    let port = cluster.port_of(&path);
    let apart = cluster.port();
    cluster.set("servers.apart", json!({"app": "test.gate", "rootport": apart}));
    let address = if key == "netport" { "0.0.0.0" } else { "127.0.0.1" };
    let holder = TcpListener::bind((address, port)).expect("because the port is ours");
    let begin = Instant::now();
    let master = cluster.run(&[]);
    master.line("backoff");
    record.time(format!("{path}: start to backoff"), begin.elapsed(), must(200.0));
    let admin = cluster.admin();
    assert_told(&admin.until_state(node, "backoff").to_string(), &path, port);
    // Children of a node that is not there wait for it; nobody else does.
    let others: &[&str] = if node == "gate" {
        &["apart"]
    } else {
        &["gate", "apart"]
    };
    for other in others {
        admin.until_state(other, "ready");
    }
    drop(holder);
    admin.until_all_ready();
    assert_eq!(cluster.ask(3, "0 x").expect("an answer").payload, "x");
}
