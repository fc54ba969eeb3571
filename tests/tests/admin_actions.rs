//! The operator's seat acts on nodes: what a dry run says, and what is done.

use cluster_tests::Cluster;
use serde_json::json;

#[test]
fn a_dry_run_says_what_would_be_and_does_nothing() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let before = admin.nodes();
    for action in ["start", "stop", "restart", "drain", "undrain", "kill"] {
        let answer = admin.request(
            "POST",
            &format!("/api/v1/nodes/game1/actions/{action}?dry_run=true"),
        );
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.json();
        assert!(
            told["effect"].as_str().is_some_and(|text| text.contains("game1")),
            "{told}"
        );
    }
    let stop = admin.send("POST", "/api/v1/cluster/actions/stop", &json!({"dry_run": true}));
    assert!(
        stop.json()["effect"]
            .as_str()
            .is_some_and(|text| text.starts_with("Stops 3 nodes")),
        "{}",
        stop.body
    );
    for (old, new) in before.iter().zip(&admin.nodes()) {
        assert_eq!(
            (&old["pid"], "ready"),
            (&new["pid"], new["state"].as_str().unwrap_or_default())
        );
    }
}

#[test]
fn a_drained_node_gets_no_calls_until_it_is_put_back() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    cluster.until_answered(300, "x", "game1Handle completed");
    admin.act("nodes/game1/actions/drain");
    admin.until("game1", "drained", |node| node["drained"] == true);
    let pid = admin.pid("game1");
    let error = cluster.ask(300, "x").expect("an answer");
    assert_eq!(error.command, 0, "held back, and then told: {error:?}");
    let verdict = admin.get("cluster")["verdict"].clone();
    assert!(
        verdict["line"]
            .as_str()
            .is_some_and(|line| line.contains("out of service")),
        "{verdict}"
    );
    admin.act("nodes/game1/actions/undrain");
    cluster.until_answered(300, "x", "game1Handle completed");
    admin.until("game1", "back", |node| node["drained"] == false);
    assert_eq!(admin.pid("game1"), pid, "the process is the same");
    for node in ["net", "gate"] {
        let refused = admin.request("POST", &format!("/api/v1/nodes/{node}/actions/drain"));
        assert_eq!(refused.status, 409, "{}", refused.body);
    }
}

#[test]
fn a_killed_node_comes_back() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let before = admin.pid("game1");
    admin.act("nodes/game1/actions/kill");
    admin.until("game1", "a new process", |node| {
        node["state"] == "ready" && node["pid"] != before
    });
}
