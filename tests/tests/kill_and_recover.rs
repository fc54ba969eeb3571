//! A node that is killed is back at once, and nobody else is disturbed.

use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::client::Frame;
use cluster_tests::process::kill_pid;
use cluster_tests::tell::measured;
use cluster_tests::wait::{until, within};
use serde_json::Value;

const NODES: [&str; 3] = ["gate", "net", "game1"];

/// How often each node is killed.
const KILLS: u64 = 5;

/// How long the cluster may take until a new call goes through. Far more than it does.
const WHOLE_AGAIN: Duration = Duration::from_secs(10);

/// A node that is killed within its first second of readiness counts as a failed start, which is delayed.
fn until_proven(cluster: &Cluster) {
    for name in NODES {
        let proven =
            |node: &Value| node["state"] == "ready" && node["since"].as_f64().is_some_and(|s| s > 1.05);
        cluster.admin().until(name, "ready for a second", proven);
    }
}

#[track_caller]
fn kill_again_and_again(name: &str) {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let mut times = Vec::new();
    for kill in 1..=KILLS {
        until_proven(&cluster);
        let before = admin.nodes();
        let killed = Instant::now();
        kill_pid(admin.pid(name));
        let answer = Frame::new(300, "game1Handle completed");
        let answered = within(WHOLE_AGAIN, || {
            // A call that was under way when the node died is lost; a new one is not.
            cluster
                .ask(300, "msgdata")
                .is_ok_and(|frame| frame == answer)
                .then(|| killed.elapsed())
        });
        times.push(answered.expect("the cluster is whole again").as_millis());
        let node = admin.until(name, "ready again", |node| {
            node["state"] == "ready" && node["restarts"] == kill
        });
        let last = node["last_exits"]
            .as_array()
            .and_then(|all| all.last())
            .expect("an end");
        assert_eq!(
            (&last["signal"], &last["code"]),
            (&Value::from(9), &Value::Null),
            "{last}"
        );
        assert_eq!(last["reason"], "killed by SIGKILL", "{last}");
        assert_eq!(last["asked"], false, "{last}");
        let lines = last["last_lines"].as_array().expect("its last lines");
        assert!(
            lines
                .iter()
                .any(|line| line.to_string().contains("ready handlers=")),
            "{last}"
        );
        for old in &before {
            let new = admin.node(old["name"].as_str().expect("a name"));
            let same = new["name"] != name;
            assert_eq!(old["pid"] == new["pid"], same, "{old}\n{new}");
            assert_eq!(old["incarnation"] == new["incarnation"], same, "{old}\n{new}");
        }
    }
    times.sort_unstable();
    measured(format_args!("kill of {name} to answer: {times:?} ms"));
}

#[test]
fn a_killed_game_is_back_at_once() {
    kill_again_and_again("game1");
}

#[test]
fn a_killed_gate_is_back_at_once() {
    kill_again_and_again("gate");
}

#[test]
fn a_killed_net_node_is_back_at_once() {
    kill_again_and_again("net");
}

#[test]
fn clients_keep_their_connections_when_another_node_than_theirs_dies() {
    let cluster = Cluster::study();
    cluster.start();
    until_proven(&cluster);
    let mut client = cluster.client();
    for name in ["game1", "gate"] {
        kill_pid(cluster.admin().pid(name));
        let back = within(WHOLE_AGAIN, || {
            let frame = client.ask(300, "msgdata").expect("the connection stays");
            (frame == Frame::new(300, "game1Handle completed")).then_some(())
        });
        assert!(
            back.is_some(),
            "{name} came back, and the same connection reaches it"
        );
    }
}

#[test]
fn two_nodes_killed_at_once_are_both_back() {
    let cluster = Cluster::study();
    cluster.start();
    until_proven(&cluster);
    let admin = cluster.admin();
    for pair in [["gate", "game1"], ["gate", "net"], ["net", "game1"]] {
        for pid in pair.map(|name| admin.pid(name)) {
            kill_pid(pid);
        }
        cluster.until_answered(300, "msgdata", "game1Handle completed");
        until_proven(&cluster);
    }
    let restarts: Vec<Value> = admin
        .nodes()
        .into_iter()
        .map(|node| node["restarts"].clone())
        .collect();
    assert_eq!(restarts, [2, 2, 2]);
}

#[test]
fn an_app_hears_of_its_parent_going_and_coming_back() {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    until_proven(&cluster);
    kill_pid(cluster.admin().pid("gate"));
    until("the hooks", || {
        let log = cluster.log("game1");
        let news: Vec<&str> = log.lines().filter(|line| line.starts_with("gate is ")).collect();
        (news == ["gate is up", "gate is down", "gate is up"]).then_some(())
    });
}
