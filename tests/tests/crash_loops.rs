//! A node that cannot start is tried again more and more slowly, or not at all, as its exit code and policy say.

use cluster_tests::{Cluster, programs};
use serde_json::{Value, json};

/// A cluster of nodes that exit at their start with these codes.
fn exiting(nodes: &[(&str, i32)]) -> Cluster {
    let mut cluster = Cluster::empty(programs::test_apps());
    for (name, code) in nodes {
        cluster.set(&format!("servers.{name}"), json!({"app": "test.exit"}));
        cluster.tell(name, &code.to_string());
    }
    cluster
}

fn exits(node: &Value) -> &Vec<Value> {
    node["last_exits"].as_array().expect("a list of ends")
}

#[test]
fn a_node_that_recovers_becomes_ready_by_itself() {
    let cluster = exiting(&[("n", 1)]);
    cluster.run(&[]);
    let admin = cluster.admin();
    let node = admin.until_state("n", "backoff");
    assert!(
        node["next_try_in"].as_f64().is_some_and(|wait| wait <= 10.0),
        "{node}"
    );
    std::fs::remove_file(cluster.run_dir().join("exit-n")).expect("to remove");
    let node = admin.until_state("n", "ready");
    assert!(
        node["restarts"].as_u64().is_some_and(|restarts| restarts >= 1),
        "{node}"
    );
}

#[test]
fn a_crash_loop_ends_in_failed_if_the_policy_says_so() {
    let mut cluster = exiting(&[("n", 1)]);
    cluster
        .set("servers.n.on_crash_loop", "failed")
        .set("servers.n.intensity", 2);
    let master = cluster.run(&[]);
    let admin = cluster.admin();
    let node = admin.until_state("n", "failed");
    assert_eq!(exits(&node).len(), 3, "more than two failed starts");
    let reason = node["reason"].as_str().expect("a reason");
    assert!(reason.contains("crash loop: 3 failed starts in 60 s"), "{reason}");
    assert_eq!(node["restart_window"]["failed_starts"], 3);
    master.line("failed: ");

    // Only an operator starts it again.
    std::fs::remove_file(cluster.run_dir().join("exit-n")).expect("to remove");
    admin.act("nodes/n/actions/start");
    admin.until_state("n", "ready");
}

#[test]
fn a_crash_loop_is_tried_on_at_the_longest_delay_otherwise() {
    let mut cluster = exiting(&[("n", 1)]);
    cluster.set("servers.n.intensity", 1);
    cluster.run(&[]);
    let node = cluster.admin().until("n", "a crash loop", |node| {
        node["reason"].to_string().contains("crash loop")
    });
    assert_eq!(node["state"], "backoff");
    let wait = node["next_try_in"].as_f64().expect("a time");
    assert!(wait > 7.0 && wait <= 10.0, "{wait}");
}

#[test]
fn some_exit_codes_are_not_retried() {
    let codes = [2, 64, 77, 78, 125];
    let names = codes.map(|code| format!("n{code}"));
    let nodes: Vec<(&str, i32)> = names.iter().map(String::as_str).zip(codes).collect();
    let cluster = exiting(&nodes);
    cluster.run(&[]);
    let admin = cluster.admin();
    for (name, code) in nodes {
        let node = admin.until_state(name, "failed");
        assert_eq!(exits(&node).len(), 1, "{node}");
        assert_eq!(exits(&node)[0]["code"], code);
        assert_eq!(node["restarts"], 0);
        let reason = node["reason"].as_str().expect("a reason");
        assert!(
            reason.contains(&format!("exit code {code} is not retried")),
            "{reason}"
        );
    }
}

#[test]
fn transient_and_temporary_nodes_are_started_again_only_when_they_should() {
    let mut cluster = exiting(&[("done", 0), ("broken", 1), ("once", 1), ("always", 0)]);
    cluster.set("servers.done.restart", "transient");
    cluster.set("servers.broken.restart", "transient");
    cluster.set("servers.once.restart", "temporary");
    cluster.set("servers.always.restart", "permanent");
    cluster.run(&[]);
    let admin = cluster.admin();
    for name in ["done", "once"] {
        let node = admin.until(name, "ended for good", |node| {
            node["reason"].to_string().contains("not started again")
        });
        assert_eq!(
            (&node["state"], exits(&node).len()),
            (&json!("stopped"), 1),
            "{node}"
        );
    }
    for name in ["broken", "always"] {
        admin.until(name, "started again", |node| exits(node).len() >= 3);
    }
    assert_eq!(exits(&admin.node("done")).len(), 1);
    assert_eq!(exits(&admin.node("once")).len(), 1);
}
