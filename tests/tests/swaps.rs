//! A restart is a swap: the next process of a node is ready before the present one drains, and no client notices.

use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::admin::Admin;
use cluster_tests::cluster::random;
use cluster_tests::experiments::{Strength, short};
use cluster_tests::process::kill_pid;
use cluster_tests::rig::Rig;
use cluster_tests::wait::until;
use serde_json::Value;

/// The test's net node has the game answer after a while.
const WAIT_IN_GAME: u32 = 3;

/// A call that lasts longer than calls wait for a link.
const LONG: Duration = Duration::from_millis(3500);

/// A call that comes during a swap takes at most so long, on a busy machine.
const UNNOTICED: Duration = Duration::from_millis(1500);

/// How often something is killed in the middle of a swap.
const KILLS: usize = 9;

#[test]
fn rolling_restarts_fail_no_call_and_double_none() {
    short("R-71");
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
fn a_call_held_open_ends_on_the_old_program_and_a_broken_program_changes_nothing() {
    short("R-73");
}

#[test]
fn a_gate_leaves_when_the_calls_through_it_have_ended_and_new_ones_go_through_the_next() {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let admin = cluster.admin();
    let mut held = cluster.begin(WAIT_IN_GAME, &format!("{} held", LONG.as_millis()));
    until("the game has the call", || {
        cluster.log("game1").contains("waiting 3500 ms").then_some(())
    });
    let old = admin.pid("gate");
    let before = admin.get("events")["last"].clone();
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
    let news = admin.get(&format!("events?kind=link_up&since={before}"));
    let reported = news["events"].as_array().expect("events").iter();
    let mut texts: Vec<_> = reported.filter_map(|event| event["text"].as_str()).collect();
    texts.sort_unstable();
    let told = texts.len();
    texts.dedup();
    assert_eq!(
        told,
        texts.len(),
        "a link came up once, whoever reported it: {news}"
    );
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
        let mut held = cluster.begin(WAIT_IN_GAME, "1500 held");
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
