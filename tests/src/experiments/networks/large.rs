//! Very large messages on a link, and the signs of life between them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::{Experiment, Record, Strength, must};
use super::count;
use crate::Cluster;
use crate::client::Client;
use crate::spread::Spread;

/// The gate sends the game messages of nearly 16 MiB, one behind the other, while the same link is pinged. Beside the
/// pings, small calls over the link are measured: they stand in line behind the large ones.
pub(super) const LARGE: Experiment = Experiment {
    id: "R-26",
    title: "messages of 16 MiB on a link that is pinged",
    must: "p99 of the pings 100 ms; the link holds",
    best: "20 ms",
    run: large,
};

/// Commands of the test's net node.
const LARGE_TO_GAME: u32 = 40;
const PING_GAME: u32 = 41;
const WAIT_IN_GAME: u32 = 3;

/// The largest message, less what is written around the text.
const BYTES: u64 = (16 << 20) - 1024;

fn large(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    cluster
        .set("servers.net.call_timeout", "30s")
        .set("servers.gate.call_timeout", "30s");
    cluster.start();
    // The round trips of pings are told from those of heartbeats once the link is older than either.
    cluster.admin().until("game1", "ready for a while", |node| {
        node["since"].as_f64().is_some_and(|since| since > 1.0)
    });
    let time = strength.pick(Duration::from_secs(4), Duration::from_secs(60));
    let over = AtomicBool::new(false);
    let to = cluster.netport();
    let goes_on = || !over.load(Ordering::Relaxed);
    let (sent, pings, calls) = std::thread::scope(|scope| {
        let large = scope.spawn(|| {
            let (mut client, mut sent) = (Client::connect(to).expect("because net listens"), 0);
            while goes_on() {
                let answer = client.ask(LARGE_TO_GAME, &BYTES.to_string()).expect("an answer");
                assert_eq!(answer.payload, BYTES.to_string());
                sent += 1;
            }
            sent
        });
        let calls = scope.spawn(|| {
            let (mut client, mut times) = (Client::connect(to).expect("because net listens"), Vec::new());
            while goes_on() {
                let sent = Instant::now();
                let answer = client.ask(WAIT_IN_GAME, "0 small").expect("an answer");
                assert_eq!(answer.payload, "small");
                times.push(sent.elapsed());
            }
            times
        });
        let (mut client, mut pings) = (Client::connect(to).expect("because net listens"), Vec::new());
        let begin = Instant::now();
        // The first shows only how old the link is.
        client.ask(PING_GAME, "").expect("an answer");
        while begin.elapsed() < time {
            let micros = client.ask(PING_GAME, "").expect("an answer").payload;
            pings.push(Duration::from_micros(micros.parse().expect("a number")));
        }
        over.store(true, Ordering::Relaxed);
        let sent: u32 = large.join().expect("because answers come");
        (sent, pings, calls.join().expect("because answers come"))
    });
    record.told("large messages", f64::from(sent), "");
    record.times(
        "pings",
        &Spread::of(pings),
        must(100.0).best(20.0),
        must(100.0).best(20.0),
    );
    let calls = Spread::of(calls);
    record.told(
        "small calls over the same link, p50",
        calls.part(50.0).as_secs_f64() * 1e3,
        "ms",
    );
    record.told(
        "small calls over the same link, p99",
        calls.part(99.0).as_secs_f64() * 1e3,
        "ms",
    );
    assert!(sent > 0);
    let lost = count(&cluster, "gate", "link lost", "game1") + count(&cluster, "game1", "link lost", "gate");
    record.exactly("links lost", lost, 0);
}
