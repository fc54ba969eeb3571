//! Very large messages on a link, and the signs of life between them.

use std::time::{Duration, Instant};

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use super::count;
use crate::Cluster;
use crate::client::Client;
use crate::spread::Spread;

/// The gate sends the game messages of nearly 16 MiB, one behind the other. The heartbeats of the same link tell how long a ping
/// takes between their parts. Small calls over the link are measured as well: they stand in line behind the large ones.
pub(super) const LARGE: Experiment = Experiment {
    id: "R-26",
    title: "messages of 16 MiB on a link that is pinged",
    must: "p99 of the pings 100 ms; the link holds",
    best: "20 ms",
    run: large,
};

/// Commands of the test's net node.
const LARGE_TO_GAME: u32 = 40;
const ROUND_TRIP: u32 = 41;
const WAIT_IN_GAME: u32 = 3;

/// The largest message, less what is written around the text.
const BYTES: u64 = (16 << 20) - 1024;

fn large(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    for name in ["net", "gate"] {
        cluster.set(&format!("servers.{name}.call_timeout"), "15s");
    }
    cluster.start();
    let time = strength.pick(Duration::from_secs(6), Duration::from_secs(60));
    let ask = |client: &mut Client, command, payload: &str| {
        client.ask(command, payload).expect("an answer").payload
    };
    let connect = || Client::connect(cluster.netport()).expect("because net listens");
    let (begin, mut sent) = (Instant::now(), 0);
    let goes_on = || begin.elapsed() < time;
    let (mut pings, mut calls) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut client, bytes) = (connect(), BYTES.to_string());
            while goes_on() {
                assert_eq!(ask(&mut client, LARGE_TO_GAME, &bytes), bytes);
                sent += 1;
            }
        });
        scope.spawn(|| {
            let mut client = connect();
            while goes_on() {
                let asked = Instant::now();
                assert_eq!(ask(&mut client, WAIT_IN_GAME, "0 small"), "small");
                calls.push(asked.elapsed());
            }
        });
        let mut client = connect();
        while goes_on() {
            let micros = ask(&mut client, ROUND_TRIP, "").parse().expect("a number");
            pings.push(Duration::from_micros(micros));
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    // The same heartbeat is seen many times.
    pings.dedup();
    assert!(
        sent > 0 && pings.len() > 4,
        "{sent} large messages, {} pings",
        pings.len()
    );
    record.told("large messages", f64::from(sent), "");
    let limits = must(100.0).best(20.0);
    record.times("pings", &Spread::of(pings), limits, limits);
    let calls = Spread::of(calls);
    record.told(
        "small calls over the same link, p50",
        millis(calls.part(50.0)),
        "ms",
    );
    record.told(
        "small calls over the same link, p99",
        millis(calls.part(99.0)),
        "ms",
    );
    let lost = count(&cluster, "gate", "link lost", "game1") + count(&cluster, "game1", "link lost", "gate");
    record.exactly("links lost", lost, 0);
}
