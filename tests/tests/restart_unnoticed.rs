//! An orderly restart under load: calls wait for the next life of the node, and no client sees an error.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use cluster_tests::Cluster;
use cluster_tests::client::Frame;
use cluster_tests::tell::measured;
use cluster_tests::wait::until;
use serde_json::Value;

const CLIENTS: usize = 8;

#[test]
fn restarts_of_gate_and_game1_fail_no_call() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let (done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = cluster.client();
                let expected = Frame::new(300, "game1Handle completed");
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(client.ask(300, "msgdata").expect("an answer"), expected);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for name in ["game1", "gate", "game1", "gate"] {
            let old = admin.node(name);
            admin.act(&format!("nodes/{name}/actions/restart"));
            let is_new = |node: &Value| node["state"] == "ready" && node["incarnation"] != old["incarnation"];
            admin.until(name, "its next life", is_new);
            // The load goes through the new life before the next restart.
            let before = answered.load(Ordering::Relaxed);
            until("calls through the new life", || {
                (answered.load(Ordering::Relaxed) > before + 100).then_some(())
            });
        }
        done.store(true, Ordering::Relaxed);
    });
    measured(format_args!(
        "{} calls during four restarts, none failed",
        answered.load(Ordering::Relaxed)
    ));
}

#[test]
fn a_restart_of_net_refuses_no_connection() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    for _ in 0..3 {
        let old = admin.node("net");
        admin.act("nodes/net/actions/restart");
        until("the next life of net", || {
            drop(TcpStream::connect(cluster.netport()).expect("no connection is refused"));
            let net = admin.node("net");
            (net["state"] == "ready" && net["incarnation"] != old["incarnation"]).then_some(())
        });
        cluster.until_answered(300, "x", "game1Handle completed");
    }
}
