//! The master is killed, comes back, is not alone, is replaced: its nodes serve on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use super::NODES;
use crate::Cluster;
use crate::process::{End, Process, kill_pid};
use crate::rig::Rig;
use crate::spread::Spread;

pub(super) const DEAD: Experiment = Experiment {
    id: "R-04",
    title: "the master is dead for a minute",
    must: "no call fails; p99 changes by at most 5 %; no node ends",
    best: "",
    run: dead_for_a_minute,
};

pub(super) const BACK: Experiment = Experiment {
    id: "R-05",
    title: "a master comes back, and an adopted node is killed",
    must: "all nodes are adopted after 2 s, the same processes, with their restarts; the killed one is ready again \
           after 300 ms",
    best: "adopted after 300 ms",
    run: comes_back,
};

pub(super) const GAME_DIES_MEANWHILE: Experiment = Experiment {
    id: "R-06",
    title: "the game dies while there is no master",
    must: "calls fail with not_sent when they have waited for the link; ready 1 s after the master's return",
    best: "300 ms",
    run: game_dies_meanwhile,
};

pub(super) const SECOND: Experiment = Experiment {
    id: "R-16",
    title: "a second master in the same run folder",
    must: "it ends with code 75 after 200 ms, naming the first one's process; no call fails",
    best: "",
    run: second_one,
};

pub(super) const REPLACED: Experiment = Experiment {
    id: "R-74",
    title: "the master is replaced and keeps its nodes",
    must: "the master ends with code 0; no call fails; all nodes are adopted after 2 s, the same processes",
    best: "adopted after 300 ms",
    run: replaced,
};

/// A cluster and its master, with the usual load.
fn started(strength: Strength) -> (Rig, Arc<Process>) {
    let cluster = Cluster::of_test_apps();
    let master = cluster.start();
    (Rig::on(cluster, strength), master)
}

fn pids(rig: &Rig) -> [u32; 3] {
    let admin = rig.cluster.admin();
    NODES.map(|name| admin.pid(name))
}

/// When this returns, its lock is free.
fn kill(master: &Process) {
    kill_pid(master.pid());
    master.end();
}

/// Starts a master, and gives how long it took until all nodes were ready.
fn back(rig: &Rig) -> (Arc<Process>, Duration) {
    let at = Instant::now();
    let master = rig.cluster.run(&[]);
    rig.cluster.admin().until_all_ready();
    (master, at.elapsed())
}

fn dead_for_a_minute(strength: Strength, record: &mut Record) {
    let (rig, master) = started(strength);
    let window = strength.pick(Duration::from_secs(1), Duration::from_secs(60));
    let before = pids(&rig);
    let mut moments = vec![Instant::now()];
    for _ in 0..2 {
        rig.load.go_on_for(window);
        moments.push(Instant::now());
    }
    kill(&master);
    moments.push(Instant::now());
    rig.load.go_on_for(window);
    moments.push(Instant::now());
    let (_master, _) = back(&rig);
    assert_eq!(pids(&rig), before, "the same processes");
    let (_cluster, outcome) = rig.conclude("a dead master");

    record.nothing_failed(&outcome);
    let p99 = |from: usize| {
        millis(
            outcome
                .answers_between(moments[from], moments[from + 1])
                .part(99.0),
        )
    };
    let (first, second, without) = (p99(0), p99(1), p99(3));
    record.told("p99 with a master, first half", first, "ms");
    record.told("p99 with a master, second half", second, "ms");
    // What differs between two times of the same kind is no effect of the master's death.
    record.at_most(
        "p99 without a master",
        without,
        "ms",
        must(first.max(second) * 1.05),
    );
}

fn comes_back(strength: Strength, record: &mut Record) {
    let (rig, mut master) = started(strength);
    let rounds = strength.pick(2, 20);
    let (mut adopted, mut ready) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        rig.until_proven();
        let before = pids(&rig);
        kill(&master);
        rig.load
            .go_on_for(strength.pick(Duration::from_secs(1), Duration::from_secs(3)));
        let (next, time) = back(&rig);
        (master, _) = (next, adopted.push(time));
        assert_eq!(pids(&rig), before, "the same processes");
        let nodes = rig.cluster.admin().nodes();
        assert!(nodes.iter().all(|node| node["adopted"] == true), "{nodes:?}");
        ready.push(rig.kill("game1"));
        let game = rig.cluster.admin().node("game1");
        assert_eq!(game["restarts"], round, "its restarts go on: {game}");
        assert_eq!(game["adopted"], false, "{game}");
    }
    let log = rig.cluster.log("gate");
    assert_eq!(
        log.matches(" ready handlers=").count(),
        1,
        "one log of one process"
    );
    let (_cluster, outcome) = rig.conclude(&format!("{rounds} returns of a master"));

    let adopted = Spread::of(adopted);
    record.times(
        "start of a master until all are adopted",
        &adopted,
        must(2000.0).best(300.0),
        must(2000.0).best(300.0),
    );
    let times = Spread::of(ready.iter().map(|kill| kill.ready));
    record.times(
        "kill of an adopted node to ready",
        &times,
        must(300.0),
        must(300.0),
    );
    record.no_connection_lost(&outcome);
    let under_way: usize = ready
        .iter()
        .map(|kill| outcome.failed_under_way_at(kill.at))
        .sum();
    record.exactly(
        "failed calls that were not under way at a kill",
        outcome.failed() - under_way,
        0,
    );
}

fn game_dies_meanwhile(strength: Strength, record: &mut Record) {
    let (rig, mut master) = started(strength);
    let rounds = strength.pick(1, 20);
    let mut ready = Vec::new();
    for _ in 0..rounds {
        rig.until_proven();
        let game = rig.cluster.admin().pid("game1");
        kill(&master);
        kill_pid(game);
        // Longer than calls wait for a link.
        rig.load.go_on_for(Duration::from_millis(2500));
        let (next, time) = back(&rig);
        master = next;
        ready.push(time);
        rig.load.until_served();
    }
    let (_cluster, outcome) = rig.conclude(&format!("{rounds} times a dead master and a dead game"));

    let ready = Spread::of(ready);
    record.times(
        "start of a master to a game that had died",
        &ready,
        must(1000.0).best(300.0),
        must(1000.0).best(300.0),
    );
    record.no_connection_lost(&outcome);
    let typed = outcome.count("link_lost") + outcome.count("not_sent");
    record.exactly(
        "calls that failed otherwise than with link_lost or not_sent",
        outcome.failed() - typed,
        0,
    );
    assert!(outcome.count("not_sent") > 0, "{outcome}");
    record.told(
        "calls that failed with not_sent",
        outcome.count("not_sent") as f64,
        "",
    );
}

fn second_one(strength: Strength, record: &mut Record) {
    let (rig, first) = started(strength);
    let mut times = Vec::new();
    for _ in 0..strength.pick(2, 20) {
        let asked = Instant::now();
        let second = rig.cluster.run(&[]);
        assert_eq!(second.end(), End::Code(75));
        times.push(asked.elapsed());
        let said = second.stderr();
        assert!(said.contains(&first.pid().to_string()), "{said}");
    }
    rig.load.until_served();
    let (_cluster, outcome) = rig.conclude("a second master");
    assert_eq!(first.has_ended(), None, "the first one lives");
    record.times(
        "start of a second master to its end",
        &Spread::of(times),
        must(200.0),
        must(200.0),
    );
    record.nothing_failed(&outcome);
}

/// By the API, and by a signal to a master that was started for it.
fn replaced(strength: Strength, record: &mut Record) {
    let (rig, mut master) = started(strength);
    let before = pids(&rig);
    let mut adopted = Vec::new();
    for round in 0..strength.pick(2, 20) {
        rig.until_proven();
        if round % 2 == 0 {
            let stop = "/api/v1/cluster/actions/stop";
            let answer = rig
                .cluster
                .admin()
                .request_with("POST", stop, r#"{"keep_nodes": true}"#);
            assert_eq!(answer.status, 202, "{}", answer.body);
        } else {
            master.signal(Signal::SIGTERM);
        }
        assert_eq!(master.end(), End::Code(0));
        assert!(
            master.output().contains("leaving the nodes to the next master"),
            "{}",
            master.output()
        );
        let at = Instant::now();
        master = rig.cluster.run(&["--keep-nodes"]);
        rig.cluster.admin().until_all_ready();
        adopted.push(at.elapsed());
        assert_eq!(pids(&rig), before, "the same processes");
    }
    let stopped = rig
        .cluster
        .admin()
        .request_with("POST", "/api/v1/cluster/actions/stop", "{\"keep\": 1}");
    assert_eq!(stopped.status, 400, "{}", stopped.body);
    let (_cluster, outcome) = rig.conclude("masters that are replaced");
    let adopted = Spread::of(adopted);
    record.times(
        "start of a master until all are adopted",
        &adopted,
        must(2000.0).best(300.0),
        must(2000.0).best(300.0),
    );
    record.nothing_failed(&outcome);
}
