//! Processes are stopped for a while, and woken.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::process::signal_pid;
use crate::rig::{Outcome, Rig};
use crate::spread::Spread;
use crate::vitals::Vitals;
use crate::wait::{until, within};

pub(super) const GAME: Experiment = Experiment {
    id: "R-08",
    title: "the game is stopped for 20 s, and woken",
    must: "unreachable after 3.5 s; callers get link_lost or not_sent; the parent grows by at most 10 MiB; served 1 s \
           after it is woken; nothing stale comes through",
    best: "noticed after 2 s",
    run: game_stands_still,
};

pub(super) const HANGING: Experiment = Experiment {
    id: "R-09",
    title: "the game is stopped for longer than hang_kill",
    must: "it is sent SIGABRT, then killed, then started again; the reason says for how long it hung",
    best: "",
    run: hangs,
};

pub(super) const EVERYTHING: Experiment = Experiment {
    id: "R-10",
    title: "everything is stopped for 30 s, and woken",
    must: "nothing is restarted; links are back after 3 s",
    best: "1 s",
    run: machine_sleeps,
};

/// How soon a silent node must be noticed, in milliseconds.
const NOTICED: f64 = 3500.0;

fn game_stands_still(strength: Strength, record: &mut Record) {
    let rig = Rig::start(strength);
    let time = strength.pick(Duration::from_secs(5), Duration::from_secs(20));
    let admin = rig.cluster.admin();
    let (old, gate) = (admin.node("game1"), admin.pid("gate"));
    let (mut seen, mut ready, mut moments, mut growth) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..strength.pick(1, 5) {
        let before = Vitals::of(gate).expect("the gate").mib();
        let pid = admin.pid("game1");
        let stopped = Instant::now();
        signal_pid(pid, Signal::SIGSTOP);
        admin.until("game1", "unreachable", |node| node["state"] == "unreachable");
        seen.push(stopped.elapsed());
        rig.load.go_on_for(time.saturating_sub(stopped.elapsed()));
        growth = growth.max(Vitals::of(gate).expect("the gate").mib() - before);
        let woken = Instant::now();
        signal_pid(pid, Signal::SIGCONT);
        let new = admin.until_state("game1", "ready");
        ready.push(woken.elapsed());
        assert_eq!(new["incarnation"], old["incarnation"], "it is the same process");
        rig.load.until_served();
        moments.push((stopped, woken));
    }
    let (cluster, outcome) = rig.conclude(&format!("a game stopped for {time:?}"));

    let limits = must(NOTICED).best(2000.0);
    record.times("stopped to unreachable", &Spread::of(seen), limits, limits);
    let noticed = moments
        .iter()
        .map(|(stopped, _)| outcome.first_after("link_lost", *stopped));
    let noticed = Spread::of(noticed);
    record.times("stopped to the first link_lost", &noticed, limits, limits);
    record.times("woken to ready", &Spread::of(ready), must(1000.0), must(1000.0));
    let served = moments.iter().map(|(_, woken)| outcome.served_after(*woken));
    record.times(
        "woken to the first answer to a new request",
        &Spread::of(served),
        must(1000.0),
        must(1000.0),
    );
    record.at_most("growth of the parent", growth, "MiB", must(10.0));
    let up = cluster
        .log("gate")
        .lines()
        .filter(|line| line.contains("link up peer=game1 "))
        .count();
    record.exactly("links of the game", up, 1 + moments.len());
    record.no_connection_lost(&outcome);
    every_error_is_typed(&outcome, record);
}

/// Calls to a game that stands still end with the loss of the link, or because nothing could be sent, or in time.
fn every_error_is_typed(outcome: &Outcome, record: &mut Record) {
    let late = outcome.count("timeout");
    let typed = outcome.count("link_lost") + outcome.count("not_sent") + late;
    let others = outcome.failed() - typed;
    record.exactly(
        "calls with another error than link_lost, not_sent, timeout",
        others,
        0,
    );
    record.told("calls that ended with timeout", late as f64, "");
}

fn hangs(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    let hang_kill = strength.pick(Duration::from_millis(500), Duration::from_secs(30));
    if strength == Strength::Short {
        for (key, time) in [
            ("heartbeat", "50ms"),
            ("suspect_after", "200ms"),
            ("down_after", "400ms"),
        ] {
            cluster.set(&format!("link.{key}"), time);
        }
        cluster.set("servers.game1.hang_kill", "500ms");
    }
    cluster.start();
    let admin = cluster.admin();
    let stopped = Instant::now();
    signal_pid(admin.pid("game1"), Signal::SIGSTOP);
    admin.until_state("game1", "unreachable");
    let limit = hang_kill + crate::wait::PATIENCE;
    let is_back = |node: &Value| node["restarts"] == 1 && node["state"] == "ready";
    let node = within(limit, || Some(admin.node("game1")).filter(is_back)).expect("the next life");
    let took = stopped.elapsed();
    let end = &node["last_exits"][0];
    assert_eq!(
        end["killed"], true,
        "a stopped process is not ended by SIGABRT: {end}"
    );
    let hung = format!("hung {} s", hang_kill.as_secs_f64());
    let reason = end["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(&hung), "{end}");
    record.note(format!("the reason: {reason}"));
    until("the game answers", || {
        (cluster.ask(3, "0 x").ok()?.payload == "x").then_some(())
    });
    // Down, hung, two seconds for SIGABRT, the next life.
    let most = hang_kill.as_secs_f64() * 1e3 + NOTICED + 2000.0 + 300.0;
    record.time("stopped to ready in the next life", took, must(most));
}

fn machine_sleeps(strength: Strength, record: &mut Record) {
    let mut rig = Rig::start(strength);
    let time = strength.pick(Duration::from_secs(4), Duration::from_secs(30));
    let lives = |rig: &Rig| {
        let nodes = rig.cluster.admin().nodes().into_iter();
        nodes
            .map(|node| (node["pid"].clone(), node["restarts"].clone()))
            .collect::<Vec<_>>()
    };
    let before = lives(&rig);
    let mut links = Vec::new();
    for _ in 0..strength.pick(1, 5) {
        let everything = rig.cluster.processes();
        // The clients sleep as well: they send nothing, and nobody answers them.
        rig.load.pause();
        everything
            .iter()
            .for_each(|pid| signal_pid(*pid, Signal::SIGSTOP));
        rig.load.go_on_for(time);
        rig.was_asleep(time);
        let woken = Instant::now();
        everything
            .iter()
            .for_each(|pid| signal_pid(*pid, Signal::SIGCONT));
        rig.load.resume();
        rig.load.until_served();
        rig.cluster.admin().until_all_ready();
        links.push(woken.elapsed());
    }
    assert_eq!(lives(&rig), before, "the same processes, and no restarts");
    let (_cluster, outcome) = rig.conclude(&format!("all processes stopped for {time:?}"));
    record.times(
        "woken to all ready and served",
        &Spread::of(links),
        must(3000.0).best(1000.0),
        must(3000.0).best(1000.0),
    );
    record.exactly("restarts", 0, 0);
    record.exactly("refused connections", outcome.refused(), 0);
    record.told(
        "calls that failed: they were under way when all fell asleep",
        outcome.failed() as f64,
        "",
    );
}
