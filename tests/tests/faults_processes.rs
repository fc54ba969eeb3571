//! Processes are killed and stopped under load: what is in flight fails at once and says so, and nothing else does.

use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::experiments::{Strength, short};
use cluster_tests::process::{End, kill_pid, signal_pid};
use cluster_tests::rig::Rig;
use cluster_tests::tell::measured;
use nix::sys::signal::Signal;
use serde_json::Value;

const NODES: [&str; 3] = ["gate", "net", "game1"];

/// How often a node is killed.
const KILLS: usize = 5;

/// How long a node is stopped.
const STOPPED: Duration = Duration::from_secs(5);

/// How long everything is stopped: longer than a link may be silent, shorter than a call's deadline.
const ASLEEP: Duration = Duration::from_secs(4);

/// How soon a silent node must be noticed.
const NOTICED: Duration = Duration::from_millis(3500);

fn started() -> Rig {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    Rig::on(cluster, Strength::Short)
}

/// Kills a node again and again; gives the moments, and tells how soon it was ready again.
fn kill_again_and_again(rig: &Rig, name: &str) -> Vec<Instant> {
    let admin = rig.cluster.admin();
    let (mut moments, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..KILLS {
        rig.until_proven();
        let (old, pid) = (admin.node(name), admin.pid(name));
        let moment = Instant::now();
        kill_pid(pid);
        let is_new = |node: &Value| node["state"] == "ready" && node["incarnation"] != old["incarnation"];
        admin.until(name, "its next life", is_new);
        ready.push(moment.elapsed().as_millis());
        moments.push(moment);
        rig.load.until_served();
    }
    ready.sort_unstable();
    measured(format_args!("kill of {name} to ready: {ready:?} ms"));
    moments
}

#[test]
fn a_killed_game_fails_the_calls_in_flight_and_no_other() {
    short("R-01");
}

#[test]
fn a_killed_gate_fails_the_calls_in_flight_and_no_other() {
    short("R-02");
}

#[test]
fn a_killed_net_node_refuses_no_connection_and_serves_again() {
    let rig = started();
    let moments = kill_again_and_again(&rig, "net");
    let (_cluster, outcome) = rig.conclude(&format!("{KILLS} kills of net"));
    let served: Vec<Duration> = moments.iter().map(|at| outcome.served_after(*at)).collect();
    measured(format_args!("kill of net to the first new answer: {served:.1?}"));
    assert_eq!(outcome.refused(), 0, "{outcome}");
    assert_eq!(outcome.failed(), outcome.count("closed"), "{outcome}");
    assert!(
        served.iter().all(|time| *time < Duration::from_secs(2)),
        "{served:?}"
    );
}

#[test]
fn a_killed_master_fails_nothing_and_its_successor_adopts() {
    let cluster = Cluster::of_test_apps();
    let first = cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let pids = |rig: &Rig| NODES.map(|name| rig.cluster.admin().pid(name));
    let before = pids(&rig);
    kill_pid(first.pid());
    first.end();
    rig.load.go_on_for(Duration::from_secs(2));

    let back = Instant::now();
    let _second = rig.cluster.start();
    rig.cluster.admin().until_all_ready();
    let adopted = back.elapsed();
    measured(format_args!(
        "start of a new master to all nodes adopted: {adopted:.1?}"
    ));
    assert_eq!(pids(&rig), before, "the same processes");
    let (cluster, outcome) = rig.conclude("a dead master, and its successor");
    assert_eq!(outcome.failed() + outcome.refused(), 0, "{outcome}");
    assert!(adopted < Duration::from_secs(4), "{adopted:?}");

    // A node that was adopted is killed later, under load that has its ledger to itself.
    std::fs::remove_file(cluster.run_dir().join("ledger")).expect("a ledger");
    kill_pid(cluster.admin().pid("game1"));
    cluster.admin().until("game1", "its next life", |node| {
        node["state"] == "ready" && node["restarts"] == 1
    });
    let rig = Rig::on(cluster, Strength::Short);
    let admin = rig.cluster.admin();
    rig.until_proven();
    let old = admin.node("gate");
    let killed = Instant::now();
    kill_pid(admin.pid("gate"));
    admin.until("gate", "its next life", |node| {
        node["state"] == "ready" && node["incarnation"] != old["incarnation"]
    });
    measured(format_args!(
        "kill of an adopted gate to ready: {:.1?}",
        killed.elapsed()
    ));
    rig.load.until_served();
    let (_cluster, outcome) = rig.conclude("a kill of an adopted node");
    assert_eq!(outcome.count("closed") + outcome.refused(), 0, "{outcome}");
    assert_eq!(outcome.failed(), outcome.count("link_lost"), "{outcome}");
}

#[test]
fn a_game_that_dies_without_a_master_is_started_by_the_next_one() {
    let cluster = Cluster::of_test_apps();
    let first = cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let game = rig.cluster.admin().pid("game1");
    kill_pid(first.pid());
    first.end();
    kill_pid(game);
    rig.load.go_on_for(Duration::from_millis(2500));
    let back = Instant::now();
    let _second = rig.cluster.run(&[]);
    rig.cluster.admin().until_all_ready();
    measured(format_args!(
        "start of a new master to a game that had died: {:.1?}",
        back.elapsed()
    ));
    rig.load.until_served();
    let (_cluster, outcome) = rig.conclude("a dead master, and a dead game");
    assert_eq!(outcome.count("closed") + outcome.refused(), 0, "{outcome}");
    assert_eq!(
        outcome.failed(),
        outcome.count("link_lost") + outcome.count("not_sent"),
        "{outcome}"
    );
    assert!(outcome.count("not_sent") > 0, "{outcome}");
}

#[test]
fn a_stopped_game_is_noticed_and_comes_back_with_nothing_stale() {
    let rig = started();
    let admin = rig.cluster.admin();
    let old = admin.node("game1");
    let pid = admin.pid("game1");
    let stopped = Instant::now();
    signal_pid(pid, Signal::SIGSTOP);
    admin.until("game1", "unreachable", |node| node["state"] == "unreachable");
    let seen = stopped.elapsed();
    rig.load.go_on_for(STOPPED.saturating_sub(stopped.elapsed()));
    let woken = Instant::now();
    signal_pid(pid, Signal::SIGCONT);
    let new = admin.until_state("game1", "ready");
    let ready = woken.elapsed();
    rig.load.until_served();
    let (cluster, outcome) = rig.conclude("a game stopped for 5 s");
    let noticed = outcome.first_after("link_lost", stopped);
    let served = outcome.served_after(woken);
    measured(format_args!(
        "stopped game: unreachable after {seen:.1?}, calls ended after {noticed:.1?}; woken: ready after {ready:.1?}, served after {served:.1?}"
    ));
    assert!(noticed < NOTICED && seen < NOTICED, "{noticed:?} {seen:?}");
    assert!(served < Duration::from_secs(2), "{served:?}");
    assert_eq!(new["incarnation"], old["incarnation"], "it is the same process");
    assert!(
        cluster.log("gate").contains("link up peer=game1 epoch=2"),
        "a new link"
    );
    assert_eq!(outcome.count("closed") + outcome.refused(), 0, "{outcome}");
    let typed = ["link_lost", "not_sent", "timeout"].map(|error| outcome.count(error));
    assert_eq!(outcome.failed(), typed.iter().sum::<usize>(), "{outcome}");
}

#[test]
fn a_second_master_leaves_the_first_alone() {
    let cluster = Cluster::of_test_apps();
    let first = cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let asked = Instant::now();
    let second = rig.cluster.run(&[]);
    assert_eq!(second.end(), End::Code(75));
    measured(format_args!(
        "a second master has ended after {:.1?}",
        asked.elapsed()
    ));
    assert!(
        second.stderr().contains(&first.pid().to_string()),
        "{}",
        second.stderr()
    );
    rig.load.until_served();
    let (_cluster, outcome) = rig.conclude("a second master");
    assert_eq!(outcome.failed() + outcome.refused(), 0, "{outcome}");
}

#[test]
fn everything_dies_in_turn_and_no_promise_is_broken() {
    let cluster = Cluster::of_test_apps();
    let mut master = cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    for round in 0..8 {
        rig.load.go_on_for(Duration::from_millis(250));
        let admin = rig.cluster.admin();
        let pids = NODES.map(|name| admin.node(name)["pid"].as_u64());
        if round % 4 == 3 {
            kill_pid(master.pid());
            master.end();
        }
        // One node, then two at once.
        let killed = pids.iter().cycle().skip(round % 3).take(1 + round % 2);
        for pid in killed.flatten() {
            kill_pid(u32::try_from(*pid).expect("because process numbers are small"));
        }
        if round % 4 == 3 {
            master = rig.cluster.run(&[]);
        }
    }
    rig.cluster.admin().until_all_ready();
    rig.load.until_served();
    let (_cluster, outcome) = rig.conclude("eight rounds of kills, two of them of the master");
    assert!(outcome.count("ok") > outcome.failed(), "{outcome}");
}

#[test]
fn a_machine_that_sleeps_restarts_nothing() {
    let rig = started();
    let admin = rig.cluster.admin();
    let pids = |nodes: Vec<Value>| {
        nodes
            .into_iter()
            .map(|node| node["pid"].clone())
            .collect::<Vec<Value>>()
    };
    let before = pids(admin.nodes());
    let everything = rig.cluster.processes();
    everything
        .iter()
        .for_each(|pid| signal_pid(*pid, Signal::SIGSTOP));
    rig.load.go_on_for(ASLEEP);
    let woken = Instant::now();
    everything
        .iter()
        .for_each(|pid| signal_pid(*pid, Signal::SIGCONT));
    rig.load.until_served();
    admin.until_all_ready();
    measured(format_args!(
        "all processes stopped for {ASLEEP:?}; ready {:.1?} after it",
        woken.elapsed()
    ));
    assert_eq!(pids(admin.nodes()), before, "the same processes");
    assert!(admin.nodes().iter().all(|node| node["restarts"] == 0));
    let (_cluster, outcome) = rig.conclude("all processes stopped");
    assert_eq!(outcome.failed() + outcome.refused(), 0, "{outcome}");
}
