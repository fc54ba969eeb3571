//! An operator frees the entities of a node that does not come back, or that has lost its journal.

use cluster_tests::Cluster;
use cluster_tests::process::{End, kill_pid};
use cluster_tests::servers::{Kind, Server};
use cluster_tests::tell::skipped;
use cluster_tests::wait::until;
use serde_json::{Value, json};

/// What a command prints that succeeds.
#[track_caller]
fn said(cluster: &Cluster, arguments: &[&str]) -> String {
    let run = cluster.run(arguments);
    assert_eq!(run.end(), End::Code(0), "{}", run.output());
    run.stdout()
}

#[test]
fn what_a_dead_node_owned_is_free_and_what_its_journal_alone_had_is_lost() {
    let Some(server) = Server::start(Kind::MariaDb) else {
        let test = "what_a_dead_node_owned_is_free_and_what_its_journal_alone_had_is_lost";
        return skipped(test, "no MariaDB on this machine");
    };
    let mut cluster = Cluster::study();
    cluster
        .set("db", json!({"url": server.url()}))
        .set("journal", json!({"interval": "1h"}))
        .set("servers.game1.db", true);
    let mut game2 = cluster.get("servers.game1").clone();
    game2["name"] = json!("game2");
    cluster
        .set("servers.game2", game2)
        .set("servers.game1.restart", "temporary");
    cluster.start();
    let admin = cluster.admin();
    admin.until_all_ready();
    cluster.until_answered(402, "ann 5", r#"{"id":"ann","gold":5,"version":1}"#);
    until("it tells of its database", || {
        let node = admin.get("nodes/game1");
        (node["data_current"] == true && node["data"]["database_up"] == true).then_some(())
    });
    kill_pid(admin.pid("game1"));
    admin.until("game1", "gone", |node| node["pid"].is_null());
    let run = cluster.run(&["status", "game1"]);
    assert_eq!(run.end(), End::Code(4), "{}", run.output());
    let seen = run.stdout();
    let old = "the last that is known of it";
    let row = seen.lines().find(|line| line.ends_with(old)).unwrap_or_default();
    let database = row.split_whitespace().nth(1);
    assert_eq!(database, Some("-"), "{seen}");
    let unreasonable = admin.request_with("POST", "/api/v1/nodes/game1/actions/force", "{\"reason\": \" \"}");
    assert_eq!(unreasonable.status, 400, "{}", unreasonable.body);

    let told = said(&cluster, &["force", "game1", "--dry-run", "--format", "json"]);
    let told: Value = serde_json::from_str(&told).expect("one object");
    assert_eq!((&told["by"], &told["entities"]), (&json!("game2"), &json!(1)));
    let reason = ["--reason", "its host burnt down"];
    let done = said(&cluster, &["force", "game1", reason[0], reason[1]]);
    assert!(done.starts_with("Frees 1 entity of game1; "), "{done}");
    let again = said(&cluster, &["force", "game1", "--dry-run"]);
    assert_eq!(again, "Nothing: game1 owns no entities.\n");
    let events = said(&cluster, &["events", "game1"]);
    for told in [
        "force (its host burnt down), by admin",
        "force has freed 1 entity, by game2",
    ] {
        assert!(events.contains(told), "{events}");
    }

    // It comes back all the same, with its journal: too late for what that says.
    said(&cluster, &["start", "game1"]);
    cluster.until_answered(402, "ann 1", r#"{"id":"ann","gold":1,"version":1}"#);
}

#[test]
fn a_node_that_has_lost_its_journal_is_given_back_what_was_its_own() {
    let mut cluster = Cluster::study();
    cluster
        .set("servers.game1.db", true)
        .set("servers.game1.mem", true)
        .set("servers.game1.intensity", 1000);
    cluster.start();
    let admin = cluster.admin();
    cluster.until_answered(402, "ann 5", r#"{"id":"ann","gold":5,"version":1}"#);
    until("the database has it", || {
        let data = &admin.get("nodes/game1")["data"];
        (data["written"].as_u64() > Some(0) && data["backlog"] == 0).then_some(())
    });
    let table = said(&cluster, &["status", "game1"]);
    let databases = table.lines().skip_while(|line| !line.contains("DATABASE"));
    let own: Vec<&str> = databases
        .skip(1)
        .flat_map(str::split_whitespace)
        .take(4)
        .collect();
    assert_eq!(own, ["game1", "up", "0", "-"], "{table}");
    let seen: Value =
        serde_json::from_str(&said(&cluster, &["status", "game1", "--format", "json"])).expect("JSON");
    assert_eq!(seen["nodes"][0]["data"]["database_up"], true, "{seen}");

    std::fs::remove_dir_all(cluster.run_dir().join("journal/game1")).expect("the journal");
    kill_pid(admin.pid("game1"));
    admin.until("game1", "ready again", |node| {
        node["state"] == "ready" && node["restarts"] == 1
    });
    let refused = cluster.ask(401, "ann").expect("an answer");
    assert!(refused.payload.contains("game1#"), "{refused:?}");
    let done = said(&cluster, &["force", "game1", "--reason", "its disk is broken"]);
    assert!(
        done.starts_with("Frees 1 entity that game1 owns under a journal that it has lost"),
        "{done}"
    );
    cluster.until_answered(402, "ann 1", r#"{"id":"ann","gold":6,"version":2}"#);
    let again = said(&cluster, &["force", "game1", "--dry-run"]);
    assert!(
        again.starts_with("Nothing: "),
        "what it owns now stays its own: {again}"
    );
}
