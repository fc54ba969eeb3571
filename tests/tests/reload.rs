//! A reload of the configuration applies wholly or not at all, touches whom it concerns, and fails no call.

use std::path::Path;

use cluster_tests::Cluster;
use cluster_tests::changes::{NAME_OF_ANY, game_below, links, lives, reloaded};
use cluster_tests::experiments::{Strength, short};
use cluster_tests::process::{End, kill_pid};
use cluster_tests::rig::Rig;
use cluster_tests::wait::until;
use serde_json::{Value, json};

#[test]
fn reloads_under_load_fail_no_call() {
    short("R-72");
}

#[test]
fn a_node_comes_below_the_gate_serves_and_goes_and_nobody_else_notices() {
    short("R-75");
}

#[test]
fn a_changed_list_of_parents_moves_only_the_links_that_it_is_about() {
    let mut cluster = Cluster::of_test_apps();
    let second = cluster.port();
    cluster.set("servers.gate2", json!({"rootport": second, "app": "test.gate"}));
    cluster.set("log.level", "info,lampyris_runtime=debug");
    cluster.start();
    let first = cluster.port_of("servers.gate.rootport");
    let mut rig = Rig::on(cluster, Strength::Short);
    let all = ["gate", "gate2", "net", "game1"];
    let before = lives(&rig.cluster.admin(), &all);
    let cluster = &mut rig.cluster;
    let one = json!([{"rootport": first, "rootname": "gate"}]);
    let both = json!([{"rootport": first, "rootname": "gate"}, {"rootport": second, "rootname": "gate2"}]);
    for round in 1..=2 {
        cluster.set("servers.net.remoteport", both.clone());
        let done = reloaded(cluster);
        assert_eq!(done["applied"][0]["new"], "gate, gate2", "{done}");
        until("the new link", || {
            (links(cluster, "net", "gate2") == round).then_some(())
        });
        cluster.set("servers.net.remoteport", one.clone());
        reloaded(cluster);
        until("the end of the new link", || {
            let log = cluster.log("gate2");
            let ends = log
                .lines()
                .filter(|line| line.contains("a link ended") && line.contains("node=net"));
            (ends.count() >= round).then_some(())
        });
    }
    rig.load.until_served();
    let (cluster, outcome) = rig.conclude("parents change");
    assert_eq!(outcome.failed() + outcome.refused(), 0, "{outcome}");
    assert_eq!(lives(&cluster.admin(), &all), before);
    assert_eq!(
        (links(&cluster, "net", "gate"), links(&cluster, "game1", "gate")),
        (1, 1)
    );
}

#[test]
fn a_node_that_crashes_after_the_file_was_broken_starts_with_what_was_applied() {
    let mut cluster = Cluster::of_test_apps();
    cluster.start();
    cluster.set("servers.game1.drain_timeout", "7s");
    reloaded(&cluster);
    let events = cluster.admin().get("events?kind=config");
    let text = events["events"][0]["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("servers.game1.drain_timeout: ") && text.contains("-> 7s"),
        "{events}"
    );
    let broken = cluster.config_file();
    std::fs::write(&broken, "{\"servers\": {").unwrap();
    let admin = cluster.admin();
    for name in ["game1", "gate", "net"] {
        let old = admin.node(name);
        kill_pid(admin.pid(name));
        let is_new = |node: &Value| node["state"] == "ready" && node["incarnation"] != old["incarnation"];
        admin.until(name, "a new life", is_new);
    }
    cluster.until_answered(3, "1 text", "text");
    let refused = admin.request("POST", "/api/v1/cluster/actions/reload");
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("E006"), "{}", refused.body);
    let copy = std::fs::metadata(cluster.run_dir().join("applied.config")).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&copy.permissions()) & 0o777,
        0o600
    );
}

#[test]
fn what_needs_a_new_master_refuses_the_whole_reload_and_a_new_master_takes_it_over() {
    let mut cluster = Cluster::of_test_apps();
    let first = cluster.start();
    let (old, new) = (cluster.port_of("master.webport"), cluster.port());
    let admin = cluster.admin();
    let before = lives(&admin, &["gate", "net", "game1"]);
    let port = cluster.port_of("servers.gate.rootport");
    cluster
        .set("master.webport", new)
        .set("servers.game2", game_below("gate", port))
        .set("link.wait", "1s");
    let file = cluster.config_file();
    let refused = admin.request("POST", "/api/v1/cluster/actions/reload");
    assert_eq!(refused.status, 422, "{}", refused.body);
    for part in ["E038", "master.webport", &new.to_string(), &old.to_string()] {
        assert!(refused.body.contains(part), "no {part} in {}", refused.body);
    }
    assert_eq!(admin.nodes().len(), 3, "nothing of it was applied");
    // By the command line the same, which finds the master where it still is.
    let asked = cluster.run_with(Path::new(&file), &["reload"]);
    assert_eq!(asked.end(), End::Code(78), "{}", asked.output());
    assert!(asked.stderr().contains("error[E038]"), "{}", asked.stderr());

    kill_pid(first.pid());
    first.end();
    let second = cluster.run(&[]);
    second.line("link.wait: 2s -> 1s; holds after a restart of game1, game2, gate, net");
    let admin = cluster.admin();
    until("four nodes", || (admin.nodes().len() == 4).then_some(()));
    admin.until_all_ready();
    assert_eq!(lives(&admin, &["gate", "net", "game1"]), before);
    let mut client = cluster.client();
    until("calls to game2", || {
        (client.ask(NAME_OF_ANY, "").unwrap().payload == "game2").then_some(())
    });
}

#[test]
fn the_command_line_tells_what_was_applied_and_what_is_wrong() {
    let mut cluster = Cluster::of_test_apps();
    let ask = |cluster: &Cluster| {
        let asked = cluster.run(&["reload"]);
        (asked.end(), asked.stdout(), asked.stderr())
    };
    assert_eq!(ask(&cluster).0, End::Code(3), "nobody runs");
    cluster.start();
    let (end, said, _) = ask(&cluster);
    assert_eq!(end, End::Code(0));
    assert!(said.starts_with("unchanged"), "{said}");
    cluster
        .set("servers.game1.hang_kill", "20s")
        .set("servers.net.max_in_flight", 100);
    let (end, said, _) = ask(&cluster);
    assert_eq!(end, End::Code(0));
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "servers.game1.hang_kill: 30s -> 20s",
            "servers.net.max_in_flight: 16384 -> 100; needs a restart of net",
        ]
    );
    cluster.set("servers.game1.hang_kill", "20");
    let (end, _, said) = ask(&cluster);
    assert_eq!(end, End::Code(78));
    assert!(
        said.contains("error[E024]") && said.contains("config.json:"),
        "{said}"
    );
}

#[test]
fn another_port_of_a_parent_holds_from_its_next_life_on() {
    let mut cluster = Cluster::of_test_apps();
    cluster.start();
    let other = cluster.port();
    let parents = json!([{"rootport": other, "rootname": "gate"}]);
    cluster
        .set("servers.gate.rootport", other)
        .set("servers.net.remoteport", parents.clone())
        .set("servers.game1.remoteport", parents);
    let done = reloaded(&cluster);
    assert_eq!(
        (&done["restart"][0]["key"], &done["restart"][0]["of"]),
        (&json!("servers.gate.rootport"), &json!(["gate"]))
    );
    let admin = cluster.admin();
    // A child that starts before its parent does so finds it where it still is.
    for name in ["game1", "gate"] {
        let old = admin.node(name);
        admin.act(&format!("nodes/{name}/actions/restart"));
        let is_new = |node: &Value| node["state"] == "ready" && node["incarnation"] != old["incarnation"];
        admin.until(name, "its next life", is_new);
        cluster.until_answered(3, "1 text", "text");
    }
}

#[test]
fn settings_hold_at_once_for_clients_that_connect_and_for_the_log() {
    let mut cluster = Cluster::of_test_apps();
    cluster.start();
    let mut before = cluster.client();
    let long = "x".repeat(2_000);
    assert_eq!(before.ask(1, &long).unwrap().payload, long);
    assert!(!cluster.log("game1").contains("DEBUG"));
    cluster
        .set("servers.net.max_frame", "1KiB")
        .set("log.level", "debug");
    let done = reloaded(&cluster);
    assert_eq!(done["restart"], json!([]), "{done}");
    assert_eq!(
        before.ask(1, &long).unwrap().payload,
        long,
        "its settings are those of its start"
    );
    let mut after = cluster.client();
    assert_eq!(after.ask(1, "short").unwrap().payload, "short");
    after.send(1, &long).unwrap();
    assert!(after.is_closed_by_server());
    kill_pid(cluster.admin().pid("gate"));
    until("more in the log", || {
        cluster.log("game1").contains("DEBUG").then_some(())
    });
}
