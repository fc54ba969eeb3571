//! A node may have several parents; the death of one is no matter of the others.

use cluster_tests::Cluster;
use cluster_tests::process::kill_pid;
use serde_json::{Value, json};

#[test]
fn a_child_of_two_parents_goes_on_with_one_when_the_other_dies() {
    let mut cluster = Cluster::study();
    let second = cluster.port();
    cluster.set(
        "servers.gate2",
        json!({ "rootport": second, "app": "app.gateserver" }),
    );
    let first = cluster.port_of("servers.gate.rootport");
    let parents = json!([
        { "rootport": first, "rootname": "gate" },
        { "rootport": second, "rootname": "gate2" },
    ]);
    cluster.set("servers.net.remoteport", parents);
    cluster.start();
    let admin = cluster.admin();
    let net = admin.node("net");
    let mut client = cluster.client();
    let gate2 = admin.node("gate2");
    kill_pid(admin.pid("gate2"));
    let is_new = |node: &Value| node["state"] == "ready" && node["incarnation"] != gate2["incarnation"];
    loop {
        let answer = client.ask(300, "x").expect("an answer");
        assert_eq!(
            (answer.command, answer.payload.as_str()),
            (300, "game1Handle completed")
        );
        if is_new(&admin.node("gate2")) {
            break;
        }
    }
    assert_eq!(admin.node("net")["pid"], net["pid"]);
    assert_eq!(admin.node("gate")["restarts"], 0);
}
