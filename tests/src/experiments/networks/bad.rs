//! The network resets connections, cuts bytes into slices, is slow, unsteady or narrow.

use std::time::{Duration, Instant};

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use super::blackhole::rig_on;
use super::started;
use crate::load::{Load, Plan};
use crate::namespace::Routed;
use crate::proxy::{Faults, Proxy, Way};
use crate::rig::{Outcome, Rig};

/// A proxy between the gate and both of its children resets all connections again and again.
pub(super) const RESETS: Experiment = Experiment {
    id: "R-22",
    title: "links are reset each 200 ms",
    must: "nothing silent, nothing twice, order holds",
    best: "",
    run: resets,
};

/// The proxy writes the bytes one by one; then in large pieces, with Nagle's algorithm of 64 KiB as it were.
pub(super) const SLICES: Experiment = Experiment {
    id: "R-23",
    title: "links in slices of one byte, and in lumps",
    must: "no call fails, and every answer is the right one, byte for byte",
    best: "",
    run: slices,
};

/// The proxy delays all bytes by 100 ms and up to 50 ms more; then a router passes on 1 Mbit a second (tbf).
pub(super) const SLOW: Experiment = Experiment {
    id: "R-24",
    title: "links of 100 to 150 ms, and of 1 Mbit/s",
    must: "no link is given up; goodput is the link's; p99 within the round trips and the queue",
    best: "",
    run: slow,
};

fn both(way: Way) -> Faults {
    Faults { up: way, down: way }
}

fn resets(strength: Strength, record: &mut Record) {
    const EVERY: Duration = Duration::from_millis(200);
    let resets = strength.pick(25, 300);
    let (rig, proxy) = started(&["net", "game1"], strength);
    for _ in 0..resets {
        rig.load.go_on_for(EVERY);
        proxy.reset();
    }
    rig.load.until_served();
    let most = rig.load.most_in_flight();
    let (_cluster, outcome) = rig.conclude("a reset each 200 ms");
    record.told("links", proxy.connections() as f64, "");
    let broken = outcome.count("closed") + outcome.refused();
    record.exactly("clients' connections lost or refused", broken, 0);
    let typed: usize = ["link_lost", "not_sent"]
        .map(|error| outcome.count(error))
        .iter()
        .sum();
    record.exactly(
        "calls that failed otherwise than with link_lost or not_sent",
        outcome.failed() - typed,
        0,
    );
    let per_reset = outcome.failed() as f64 / f64::from(resets);
    record.at_most("failed calls for each reset", per_reset, "", must(most as f64));
    assert!(outcome.count("ok") > outcome.failed(), "{outcome}");
}

/// Nothing fails, over the same links, with such faults; gives the outcome.
fn nothing_fails(name: &str, rig: Rig, proxy: &Proxy, time: Duration, record: &mut Record) -> Outcome {
    rig.load.go_on_for(time);
    proxy.heal();
    rig.load.until_served();
    let (_cluster, outcome) = rig.conclude(name);
    record.exactly(
        format!("{name}: calls that failed"),
        outcome.failed() + outcome.refused(),
        0,
    );
    record.exactly(
        format!("{name}: links"),
        usize::try_from(proxy.connections()).unwrap_or(usize::MAX),
        2,
    );
    outcome
}

fn slices(strength: Strength, record: &mut Record) {
    let time = strength.pick(Duration::from_secs(2), Duration::from_secs(20));
    let slice = Way {
        slice: Some(1),
        ..Way::default()
    };
    // Held for 20 ms, the bytes of many frames come at once.
    let lump = Way {
        latency: Duration::from_millis(20),
        slice: Some(64 * 1024),
        ..Way::default()
    };
    for (name, way) in [("slices of one byte", slice), ("lumps", lump)] {
        // Byte by byte, the proxy passes on a few hundred requests a second.
        let (rig, proxy) = started(&["net", "game1"], Strength::Short);
        proxy.set(both(way));
        nothing_fails(name, rig, &proxy, time, record);
    }
}

fn slow(strength: Strength, record: &mut Record) {
    let time = strength.pick(Duration::from_secs(3), Duration::from_secs(30));
    let way = Way {
        latency: Duration::from_millis(100),
        jitter: Duration::from_millis(50),
        ..Way::default()
    };
    let (rig, proxy) = started(&["net", "game1"], strength);
    proxy.set(both(way));
    let begin = Instant::now() + Duration::from_millis(500);
    let outcome = nothing_fails("100 to 150 ms", rig, &proxy, time, record);
    let answers = outcome.answers_between(begin, begin + time - Duration::from_millis(500));
    // Two links, there and back, and what the handler keeps back.
    let longest = must(4.0 * 150.0 + 10.0 + 100.0);
    record.time("100 to 150 ms: p99 of the answers", answers.part(99.0), longest);
    record.told(
        "100 to 150 ms: p50 of the answers",
        millis(answers.part(50.0)),
        "ms",
    );
    let done = Routed::new().and_then(|hosts| hosts.on(0, || narrow(&hosts, time, record))?);
    if let Err(why) = done {
        record.skip(format!("1 Mbit/s: {why}"));
    }
}

/// More clients than the link can carry, each of which waits for its answers: the link is full, and no queue grows.
fn narrow(hosts: &Routed, time: Duration, record: &mut Record) -> Result<(), String> {
    let plan = Plan {
        clients: 64,
        every: Duration::from_millis(5),
        ..Plan::default()
    };
    let (rig, game) = rig_on(hosts, |clients| Load::closed(clients, plan))?;
    hosts.narrow("1mbit")?;
    let begin = Instant::now();
    rig.load.go_on_for(time.max(Duration::from_secs(5)));
    let end = Instant::now();
    rig.load.until_served();
    let (cluster, outcome) = rig.conclude("1 Mbit/s");
    record.exactly(
        "1 Mbit/s: calls that failed",
        outcome.failed() + outcome.refused(),
        0,
    );
    let lost = cluster.log("gate").matches("link lost peer=game1").count()
        + game.output().matches("link lost peer=gate").count();
    record.exactly("1 Mbit/s: links that were given up", lost, 0);
    let answers = outcome.answers_between(begin, end);
    let rate = answers.count() as f64 / (end - begin).as_secs_f64();
    record.told("1 Mbit/s: answers a second", rate, "");
    // The router's queue is 300 ms long.
    record.time("1 Mbit/s: p99 of the answers", answers.part(99.0), must(500.0));
    Ok(())
}
