//! A node is killed again and again.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use crate::process::kill_pid;
use crate::rig::Rig;
use crate::spread::Spread;

pub(super) const GAME: Experiment = Experiment {
    id: "R-01",
    title: "the game is killed under load",
    must: "ready again after p50 100 ms, p99 300 ms; only calls in flight fail, each with link_lost; nothing silent, \
           nothing twice; p99 back within 10 % after 1 s",
    best: "p50 30 ms, p99 100 ms; 0.01 % of the calls of a minute fail",
    run: |strength, record| calls_in_flight_fail_and_no_other("game1", strength, record),
};

pub(super) const GATE: Experiment = Experiment {
    id: "R-02",
    title: "the gate is killed under load",
    must: "as R-01; no client loses its connection",
    best: "as R-01",
    run: |strength, record| calls_in_flight_fail_and_no_other("gate", strength, record),
};

/// For how long nothing is done when a node has been ready for a second, so that there is something to compare.
const CALM: Duration = Duration::from_millis(200);

/// A kill, and what followed.
struct Kill {
    at: Instant,
    ready: Duration,
}

/// Kills a node again and again, each time when it and all others have proved themselves.
fn kill_again_and_again(rig: &Rig, name: &str, kills: usize) -> Vec<Kill> {
    let admin = rig.cluster.admin();
    let kill = |_| {
        rig.until_proven();
        rig.load.go_on_for(CALM);
        let (old, pid) = (admin.node(name), admin.pid(name));
        let at = Instant::now();
        kill_pid(pid);
        let is_new = |node: &Value| node["state"] == "ready" && node["incarnation"] != old["incarnation"];
        admin.until(name, "its next life", is_new);
        let ready = at.elapsed();
        rig.load.until_served();
        Kill { at, ready }
    };
    (0..kills).map(kill).collect()
}

/// Kills a node beside the clients' one: their connections stay, and only calls in flight fail.
fn calls_in_flight_fail_and_no_other(name: &str, strength: Strength, record: &mut Record) {
    let rig = Rig::start(strength);
    rig.load
        .go_on_for(strength.pick(Duration::from_millis(300), Duration::from_secs(5)));
    let begin = Instant::now();
    let kills = kill_again_and_again(&rig, name, strength.pick(5, 50));
    rig.until_proven();
    rig.load.go_on_for(CALM);
    let most = rig.load.most_in_flight();
    let (_cluster, outcome) = rig.conclude(&format!("{} kills of {name}", kills.len()));

    let ready = Spread::of(kills.iter().map(|kill| kill.ready));
    record.times(
        "kill to ready",
        &ready,
        must(100.0).best(30.0),
        must(300.0).best(100.0),
    );
    let served = Spread::of(kills.iter().map(|kill| outcome.served_after(kill.at)));
    record.times(
        "kill to the first answer to a new request",
        &served,
        must(100.0).best(30.0),
        must(300.0).best(100.0),
    );
    record.exactly(
        "connections lost or refused",
        outcome.count("closed") + outcome.refused(),
        0,
    );
    let lost = outcome.count("link_lost");
    record.exactly(
        "calls that failed otherwise than with link_lost",
        outcome.failed() - lost,
        0,
    );
    let under_way: usize = kills
        .iter()
        .map(|kill| outcome.failed_under_way_at(kill.at))
        .sum();
    record.exactly(
        "failed calls that were not under way at a kill",
        outcome.failed() - under_way,
        0,
    );
    record.at_most(
        "failed calls for each kill",
        lost as f64 / kills.len() as f64,
        "",
        must(most as f64),
    );
    let calm = kills.iter().map(|kill| kill.at + Duration::from_secs(1));
    let after = Spread::of(calm.flat_map(|from| outcome.times_between(from, from + CALM)));
    let before = outcome.answers_between(begin, kills[0].at);
    record.told("p99 of the answers before", millis(before.part(99.0)), "ms");
    let limit = must(millis(before.part(99.0)) * 1.1);
    record.time(
        "p99 of the answers that were asked for 1 s after a kill",
        after.part(99.0),
        limit,
    );
}
