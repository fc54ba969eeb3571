//! A restart is a swap: the next process of a node is ready before the present one drains, and no client notices.

use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::admin::Admin;
use cluster_tests::client::Client;
use cluster_tests::cluster::random;
use cluster_tests::experiments::Strength;
use cluster_tests::process::kill_pid;
use cluster_tests::rig::Rig;
use cluster_tests::tell::measured;
use cluster_tests::wait::until;
use serde_json::Value;

/// Commands of the test's net node.
const WAIT_IN_GAME: u32 = 3;
const WHO_IN_GAME: u32 = 26;

/// A call that lasts longer than calls wait for a link.
const LONG: Duration = Duration::from_millis(3500);

/// A call that comes during a swap takes at most so long, on a busy machine.
const UNNOTICED: Duration = Duration::from_millis(1500);

/// How often something is killed in the middle of a swap.
const KILLS: usize = 9;

/// Which process of game1 answers, and its version.
fn who(cluster: &Cluster) -> (u32, String) {
    let frame = cluster.ask(WHO_IN_GAME, "0").expect("an answer");
    parse(&frame.payload)
}

fn parse(answer: &str) -> (u32, String) {
    let (pid, version) = answer
        .split_once(' ')
        .unwrap_or_else(|| panic!("an answer: {answer}"));
    (pid.parse().expect("a number"), version.to_owned())
}

/// A call under way: its client waits for the answer.
fn begin(cluster: &Cluster, command: u32, payload: &str) -> Client {
    let mut client = cluster.client();
    client.send(command, payload).expect("a connection");
    client
}

fn version(cluster: &Cluster, number: u8) -> Vec<u8> {
    let mut bytes = std::fs::read(cluster.program()).expect("the program");
    bytes.extend(format!("version{number}").bytes());
    bytes
}

#[test]
fn rolling_restarts_fail_no_call_and_double_none() {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let admin = rig.cluster.admin();
    for _ in 0..3 {
        for name in ["gate", "game1"] {
            let old = admin.pid(name);
            admin.succeed(&format!("nodes/{name}/actions/restart"));
            assert_ne!(admin.pid(name), old);
            rig.load.until_served();
        }
    }
    let (cluster, outcome) = rig.conclude("three rolling restarts of gate and game1");
    assert_eq!((outcome.failed(), outcome.refused()), (0, 0), "{outcome}");
    assert_eq!(cluster.processes().len(), 4);
}

#[test]
fn a_rolling_restart_of_the_cluster_renews_every_node_one_after_the_other() {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let admin = rig.cluster.admin();
    let names = ["gate", "net", "game1"];
    let before = names.map(|name| admin.pid(name));
    let first = admin.begin("cluster/actions/rolling-restart");
    assert_eq!(admin.begin("cluster/actions/rolling-restart"), first, "it is one");
    let end = admin.end_of(&first);
    assert_eq!(
        (&end["state"], &end["error"]),
        (&Value::from("done"), &Value::Null),
        "{end}"
    );
    for (name, old) in names.into_iter().zip(before) {
        assert_ne!(admin.pid(name), old);
    }
    let (_cluster, outcome) = rig.conclude("a rolling restart of the cluster");
    assert_eq!(outcome.refused(), 0, "{outcome}");
    assert_eq!(
        outcome.failed(),
        outcome.count("closed"),
        "net disconnects its clients: {outcome}"
    );
}

#[test]
fn a_call_held_open_ends_on_the_old_program_and_new_ones_run_on_the_new() {
    let mut cluster = Cluster::of_test_apps();
    cluster.copy_program();
    cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let cluster = &rig.cluster;
    let admin = cluster.admin();
    let old = who(cluster);
    assert_eq!(old, (admin.pid("game1"), "0".to_owned()));

    let mut held = begin(cluster, WHO_IN_GAME, &LONG.as_millis().to_string());
    until("the game has the call", || {
        cluster.log("game1").matches("asked who").nth(1).map(drop)
    });
    cluster.replace_program(Some(&version(cluster, 2)));
    let begun = Instant::now();
    let operation = admin.begin("nodes/game1/actions/reload");
    let new = until("an answer of the new program", || {
        let asked = Instant::now();
        let new = who(cluster);
        assert!(
            asked.elapsed() < UNNOTICED,
            "a call waited for {:?}",
            asked.elapsed()
        );
        (new != old).then_some(new)
    });
    let (taken_over, node) = (begun.elapsed(), admin.node("game1"));
    assert!(taken_over < LONG, "the call was still held open");
    assert_eq!(new, (admin.pid("game1"), "2".to_owned()));
    assert_eq!(
        (&node["beside"]["role"], &node["beside"]["pid"]),
        (&"leaving".into(), &old.0.into()),
        "{node}"
    );
    assert_eq!(parse(&held.receive().expect("its answer").payload), old);
    assert_eq!(admin.end_of(&operation)["state"], "done");
    assert_eq!(admin.node("game1")["beside"], Value::Null);
    measured(format_args!(
        "new calls run on the new program after {} ms",
        taken_over.as_millis()
    ));
    let (_cluster, outcome) = rig.conclude("a reload of game1 with a call held open");
    assert_eq!((outcome.failed(), outcome.refused()), (0, 0), "{outcome}");
}

#[test]
fn a_program_that_does_not_start_changes_nothing_and_the_api_says_why() {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.game1.start_timeout", "1s");
    cluster.copy_program();
    cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let cluster = &rig.cluster;
    let admin = cluster.admin();
    let old = who(cluster);
    let good = std::fs::read(cluster.program()).expect("the program");
    let bad: [(Option<&[u8]>, &str); 4] = [
        (
            Some(b"#!/bin/sh\necho broken\nexit 3\n"),
            "exit code 3 before it was ready",
        ),
        (Some(b"#!/bin/sh\nexec sleep 60\n"), "not ready after 1 s"),
        (Some(b"no program"), "Exec format error"),
        (None, "No such file"),
    ];
    for (bytes, why) in bad {
        cluster.replace_program(bytes);
        let end = admin.end_of(&admin.begin("nodes/game1/actions/reload"));
        assert_eq!(end["state"], "failed", "{end}");
        let error = end["error"].as_str().unwrap_or_default();
        assert!(
            error.contains(why) && error.ends_with("the old process stays"),
            "{end}"
        );
        let node = admin.node("game1");
        assert_eq!(
            (&node["state"], &node["beside"]),
            (&"ready".into(), &Value::Null),
            "{node}"
        );
        assert!(
            node["reason"].as_str().is_some_and(|reason| reason.contains(why)),
            "{node}"
        );
        assert_eq!(who(cluster), old);
    }
    cluster.replace_program(Some(&good));
    admin.succeed("nodes/game1/actions/reload");
    assert_ne!(who(cluster).0, old.0);
    let (_cluster, outcome) = rig.conclude("reloads of game1 with four broken programs and a good one");
    assert_eq!((outcome.failed(), outcome.refused()), (0, 0), "{outcome}");
}

#[test]
fn a_gate_leaves_when_the_calls_through_it_have_ended_and_new_ones_go_through_the_next() {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let admin = cluster.admin();
    let mut held = begin(&cluster, WAIT_IN_GAME, &format!("{} held", LONG.as_millis()));
    until("the game has the call", || {
        cluster.log("game1").contains("waiting 3500 ms").then_some(())
    });
    let old = admin.pid("gate");
    let operation = admin.begin("nodes/gate/actions/restart");
    admin.until("gate", "its next process", |gate| {
        gate["pid"] != old && gate["beside"]["role"] == "leaving"
    });
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(
            cluster.ask(WAIT_IN_GAME, "0 new").expect("an answer").payload,
            "new"
        );
        assert!(
            asked.elapsed() < UNNOTICED,
            "a call waited for {:?}",
            asked.elapsed()
        );
    }
    assert_eq!(
        admin.node("gate")["beside"]["pid"],
        old,
        "the old one was there meanwhile"
    );
    assert_eq!(held.receive().expect("its answer").payload, "held");
    assert_eq!(admin.end_of(&operation)["state"], "done");
}

#[test]
fn twenty_restarts_at_the_same_moment_are_one() {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let old = cluster.admin().pid("game1");
    let ids: Vec<String> = std::thread::scope(|scope| {
        let asking = |at: usize| {
            let word = if at.is_multiple_of(2) { "restart" } else { "reload" };
            let cluster = &cluster;
            scope.spawn(move || cluster.admin().begin(&format!("nodes/game1/actions/{word}")))
        };
        // The call keeps the old process, and with it the operation, until all have asked.
        let mut held = begin(&cluster, WAIT_IN_GAME, "1500 held");
        until("the game has the call", || {
            cluster.log("game1").contains("waiting 1500 ms").then_some(())
        });
        let asking: Vec<_> = (0..20).map(asking).collect();
        let ids = asking.into_iter().map(|one| one.join().expect("an id")).collect();
        assert_eq!(held.receive().expect("its answer").payload, "held");
        ids
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let admin = cluster.admin();
    assert_eq!(admin.end_of(&ids[0])["state"], "done");
    let game1 = admin.node("game1");
    assert_ne!(game1["pid"], old);
    assert_eq!(game1["last_exits"].as_array().map(Vec::len), Some(1), "{game1}");
    assert_eq!(game1["restarts"], 0, "{game1}");
}

/// The second process of a node, if there is one right now.
fn beside(admin: &Admin, name: &str) -> Option<u32> {
    let pid = admin.node(name)["beside"]["pid"].as_u64()?;
    u32::try_from(pid).ok()
}

#[test]
fn whatever_is_killed_in_a_swap_every_node_has_one_process_in_the_end() {
    let cluster = Cluster::of_test_apps();
    let mut master = cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let cluster = &rig.cluster;
    for kill in 0..KILLS {
        rig.until_proven();
        let admin = cluster.admin();
        let name = if random().is_multiple_of(2) {
            "gate"
        } else {
            "game1"
        };
        let old = admin.pid(name);
        admin.begin(&format!("nodes/{name}/actions/restart"));
        let moment = Instant::now() + Duration::from_micros(random() % 40_000);
        let successor = until("the moment", || {
            let seen = beside(&admin, name);
            (seen.is_some() && kill % 3 == 1 || Instant::now() >= moment).then_some(seen)
        });
        match (kill % 3, successor) {
            (0, _) => kill_pid(old),
            (1, Some(successor)) => kill_pid(successor),
            _ => {
                kill_pid(master.pid());
                master.end();
                master = cluster.start();
            }
        }
        let admin = cluster.admin();
        until("one process for each node, and all ready", || {
            let whole = |node: &Value| node["state"] == "ready" && node["beside"].is_null();
            (admin.nodes().iter().all(whole) && cluster.processes().len() == 4).then_some(())
        });
        rig.load.until_served();
    }
    let (_cluster, outcome) = rig.conclude(&format!("{KILLS} kills in the middle of swaps"));
    assert_eq!(
        outcome.count("closed") + outcome.refused(),
        0,
        "clients stay connected: {outcome}"
    );
}
