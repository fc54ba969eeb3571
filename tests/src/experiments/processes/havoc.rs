//! Everything is killed at random, and every request is accounted for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Experiment, Record, Strength, must};
use super::NODES;
use crate::Cluster;
use crate::cluster::random;
use crate::load::{Load, Rate};
use crate::process::{Process, kill_pid};
use crate::rig::Rig;
use crate::spread::Spread;
use crate::vitals::{Vitals, is_alive, zombies_of};
use crate::wait::within;

pub(super) const EVERYTHING: Experiment = Experiment {
    id: "R-07",
    title: "500 kills at random, also of the master, in ten minutes",
    must: "all ready 3 s after every kill; no zombie for more than 100 ms; descriptors, threads and memory drift by at \
           most 5 %; the checker is content",
    best: "1 s",
    run: everything_dies_in_turn,
};

pub(super) const EVERY_REQUEST_HAS_ITS_NUMBER: Experiment = Experiment {
    id: "R-35",
    title: "100 clients with 10,000 numbered requests each, while game and gate are killed",
    must: "nothing runs twice, nothing out of order, everything has one end",
    best: "",
    run: numbers_in_order,
};

/// From one kill to the next: a node that dies before it was ready for a second counts as a failed start.
const EVERY: Duration = Duration::from_millis(1200);

/// Threads for work that blocks end when they have had nothing to do for so long.
const IDLE: Duration = Duration::from_secs(11);

/// How long a dead process may wait until somebody takes its end.
const TAKEN: Duration = Duration::from_millis(100);

fn everything_dies_in_turn(strength: Strength, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    let mut master = cluster.start();
    let clients = cluster.netport();
    let load = match strength {
        Strength::Short => Load::usual(clients, strength),
        Strength::Full => Load::open(
            clients,
            Rate {
                per_second: 2500,
                ..Rate::default()
            },
        ),
    };
    let rig = Rig::under(load, cluster);
    rig.until_proven();
    let idle = strength.pick(Duration::ZERO, IDLE);
    let (kills, warm) = (strength.pick(6, 500), strength.pick(2, 50));
    let (mut ready, mut zombies, mut before) = (Vec::new(), 0, None);
    for round in 0..kills {
        if round == warm {
            before = Some(vitals(&rig, &mut master, idle));
        }
        let at = Instant::now();
        // Each of them in turn at first, so that a few kills are enough to see all.
        let chosen = if round < 4 { round } else { random() as usize % 4 };
        match NODES.get(chosen) {
            Some(name) => drop(rig.cluster.admin().kill_and_await(name)),
            None => master = next_master(&rig, &master),
        }
        rig.cluster.admin().until_all_ready();
        ready.push(at.elapsed());
        zombies += lasting_zombies(&rig);
        rig.load.go_on_for(EVERY.saturating_sub(at.elapsed()));
    }
    let (before, after) = (
        before.expect("because there are more kills"),
        vitals(&rig, &mut master, idle),
    );
    rig.load.until_served();
    let (_cluster, outcome) = rig.conclude(&format!("{kills} kills at random"));
    assert!(outcome.count("ok") > outcome.failed(), "{outcome}");

    record.times(
        "kill to all ready",
        &Spread::of(ready),
        must(3000.0).best(1000.0),
        must(3000.0).best(1000.0),
    );
    record.exactly("zombies that lasted", zombies, 0);
    let drift = |what: fn(&Vitals) -> f64| {
        let sum = |all: &[Vitals]| all.iter().map(what).sum::<f64>();
        100.0 * (sum(&after) / sum(&before) - 1.0)
    };
    record.at_most(
        "more descriptors",
        drift(|one| one.descriptors as f64),
        "%",
        must(5.0),
    );
    record.at_most("more threads", drift(|one| one.threads as f64), "%", must(5.0));
    record.at_most("more memory", drift(|one| one.rss as f64), "%", must(5.0));
    record.told("failed calls", outcome.failed() as f64, "");
    record.told("calls", outcome.calls() as f64, "");
}

/// Kills the master and starts another one.
fn next_master(rig: &Rig, master: &Process) -> Arc<Process> {
    kill_pid(master.pid());
    master.end();
    rig.cluster.run(&[])
}

/// Of all nodes, and of a new master that has adopted them: it watches each with a thread, those that it starts
/// itself with none.
fn vitals(rig: &Rig, master: &mut Arc<Process>, idle: Duration) -> Vec<Vitals> {
    *master = next_master(rig, master);
    rig.until_proven();
    rig.load.go_on_for(idle);
    let admin = rig.cluster.admin();
    let pids = NODES
        .map(|name| admin.pid(name))
        .into_iter()
        .chain([master.pid()]);
    pids.filter_map(Vitals::of).collect()
}

/// How many dead processes of the cluster are still there after a while.
fn lasting_zombies(rig: &Rig) -> usize {
    let zombies = zombies_of(&rig.cluster.processes());
    let dead = |pid: &u32| !is_alive(*pid) && zombies_of(&rig.cluster.processes()).contains(pid);
    let taken = within(TAKEN, || (!zombies.iter().any(dead)).then_some(()));
    if taken.is_some() {
        0
    } else {
        zombies.iter().filter(|pid| dead(pid)).count()
    }
}

fn numbers_in_order(strength: Strength, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let rate = strength.pick(
        Rate {
            per_second: 500,
            connections: 20,
            requests: 150,
            ..Rate::default()
        },
        Rate {
            connections: 100,
            requests: 10_000,
            ..Rate::default()
        },
    );
    let rig = Rig::under(Load::open(cluster.netport(), rate), cluster);
    let mut kills = 0;
    while !rig.load.has_ended() {
        for name in ["game1", "gate"] {
            rig.until_proven();
            rig.cluster.admin().kill_and_await(name);
            kills += 1;
        }
    }
    let (_cluster, outcome) = rig.conclude(&format!("{kills} kills and numbered requests"));
    let asked = (rate.connections * rate.requests) as usize;
    record.exactly("requests that have an end", outcome.calls(), asked);
    record.no_connection_lost(&outcome);
    let lost = outcome.count("link_lost");
    record.exactly(
        "calls that failed otherwise than with link_lost",
        outcome.failed() - lost,
        0,
    );
    record.told("kills meanwhile", f64::from(kills), "");
    record.told("calls that failed", lost as f64, "");
}
