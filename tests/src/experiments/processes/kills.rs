//! A node is killed again and again.

use std::time::{Duration, Instant};

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use crate::crowd::{Crowd, Return};
use crate::rig::{CALM, Kill, Outcome, Rig};
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

pub(super) const NET: Experiment = Experiment {
    id: "R-03",
    title: "the clients' node is killed under load, with 1,000 more clients",
    must: "no connection is refused; clients that come back are served after p99 500 ms; gate and game hear once of \
           each client that is gone",
    best: "150 ms",
    run: clients_come_back,
};

/// Kills a node beside the clients' one: their connections stay, and only calls in flight fail.
fn calls_in_flight_fail_and_no_other(name: &str, strength: Strength, record: &mut Record) {
    let rig = Rig::start(strength);
    let begin = Instant::now();
    rig.load.go_on_for(strength.pick(CALM, Duration::from_secs(5)));
    let kills: Vec<Kill> = (0..strength.pick(5, 50)).map(|_| rig.kill(name)).collect();
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
    let first = "kill to the first answer to a new request";
    record.times(first, &served, must(100.0).best(30.0), must(300.0).best(100.0));
    record.no_connection_lost(&outcome);
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
    calm_again(&outcome, begin, &kills, record);
}

/// A second after each kill answers take as long as before all of them.
fn calm_again(outcome: &Outcome, begin: Instant, kills: &[Kill], record: &mut Record) {
    let calm = kills.iter().map(|kill| kill.at + Duration::from_secs(1));
    let after = Spread::of(calm.flat_map(|from| outcome.times_between(from, from + CALM)));
    let before = outcome.answers_between(begin, kills[0].at).part(99.0);
    record.told("p99 of the answers before", millis(before), "ms");
    let limit = must(millis(before) * 1.1);
    record.time(
        "p99 of the answers that were asked for 1 s after a kill",
        after.part(99.0),
        limit,
    );
}

fn clients_come_back(strength: Strength, record: &mut Record) {
    let rig = Rig::start(strength);
    let (kills, clients) = (strength.pick(2, 20), strength.pick(100, 1000));
    let (mut ready, mut returns) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        let crowd = Crowd::gather(rig.cluster.netport(), clients);
        let kill = rig.kill("net");
        ready.push(kill.ready);
        returns.extend(crowd.returned().into_iter().map(|back| (kill.at, back)));
    }
    rig.load.until_served();
    let (cluster, outcome) = rig.conclude(&format!("{kills} kills of net"));

    let ready = Spread::of(ready);
    record.times(
        "kill to ready",
        &ready,
        must(100.0).best(30.0),
        must(300.0).best(100.0),
    );
    let back = |(at, back): &(Instant, Return)| back.served - *at;
    let back = Spread::of(returns.iter().map(back));
    record.times(
        "kill until a client is served again",
        &back,
        must(500.0).best(150.0),
        must(500.0).best(150.0),
    );
    let refused: usize = returns.iter().map(|(_, back)| back.refused).sum();
    record.exactly("refused connections", outcome.refused() + refused, 0);
    let closed = outcome.count("closed");
    record.exactly(
        "calls that failed otherwise than with their connection",
        outcome.failed() - closed,
        0,
    );
    let heard = cluster
        .log("gate")
        .lines()
        .filter(|line| *line == "net is down")
        .count();
    record.exactly("how often the gate heard of the end of net", heard, kills);
    record.lacks("gate and game hear of the end of the clients' node, not of each client");
}
