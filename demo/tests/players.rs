//! The players of the demo: what was answered is there after any death.

use cluster_tests::Cluster;
use cluster_tests::client::Client;
use cluster_tests::process::kill_pid;
use serde_json::{Value, json};

fn ask(client: &mut Client, command: u32, payload: &str) -> Value {
    let answer = client.ask(command, payload).expect("an answer");
    assert_eq!(answer.command, command, "{answer:?}");
    serde_json::from_str(&answer.payload).expect("JSON")
}

#[test]
fn players_have_gold_and_keep_it_when_their_node_is_killed() {
    let mut cluster = Cluster::study();
    cluster
        .set("servers.game1.db", true)
        .set("servers.game1.mem", true);
    cluster.start();
    let mut client = cluster.client();
    assert_eq!(
        ask(&mut client, 401, "ann"),
        json!({"id": "ann", "gold": 0, "version": 0})
    );
    assert_eq!(
        ask(&mut client, 402, "ann 5"),
        json!({"id": "ann", "gold": 5, "version": 1})
    );
    assert_eq!(
        ask(&mut client, 402, "bob 7"),
        json!({"id": "bob", "gold": 7, "version": 1})
    );
    kill_pid(cluster.admin().pid("game1"));
    // A call that is under way when its node dies is told so; this one begins afterwards.
    cluster.admin().until("game1", "started again", |node| {
        node["restarts"] == 1 && node["state"] == "ready"
    });
    assert_eq!(
        ask(&mut client, 402, "ann 1"),
        json!({"id": "ann", "gold": 6, "version": 2})
    );
    let richest = json!([{"id": "bob", "gold": 7, "version": 1}, {"id": "ann", "gold": 6, "version": 2}]);
    assert_eq!(ask(&mut client, 403, ""), richest);
    for bad in ["", "ann", "ann x", " 5", "ann 9223372036854775807"] {
        let refused = client.ask(402, bad).expect("an answer");
        assert_eq!(
            refused.error_of(),
            (402, "bad_payload".to_owned(), "no".to_owned()),
            "{bad:?}"
        );
    }
    let refused = client.ask(401, "").expect("an answer");
    assert_eq!(refused.error_of().1, "bad_payload");
}

#[test]
fn without_a_database_the_players_say_what_is_missing() {
    let cluster = Cluster::study();
    cluster.start();
    let refused = cluster.client().ask(401, "ann").expect("an answer");
    assert!(refused.error().to_string().contains("db = true"), "{refused:?}");
}
