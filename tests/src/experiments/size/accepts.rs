//! Clients that come as fast as they can, in turns at the net node and at a bare server.

use std::net::SocketAddr;

use super::{ECHO, Experiment, Record, Strength, apart, median, must, pids, used};
use crate::Cluster;
use crate::bare::Bare;
use crate::guests::Guests;
use crate::vitals::open_files;
use crate::wait::{PATIENCE, within};

/// Each client connects, asks for an echo and stays; 128 are on their way at a time. Each server has a processor of its
/// own, beside that of the clients, and a round begins when those of the one before have left.
pub(super) const ACCEPTS: Experiment = Experiment {
    id: "R-81",
    title: "10,000 clients come as fast as they can (500 in the short form), here and at a bare accept loop",
    must: "0.7 of the bare loop's connections a second",
    best: "",
    run: accepts,
};

/// What one round gives.
#[derive(Clone, Copy)]
struct Round {
    /// Connections a second.
    rate: f64,
    /// Processor time of the server for each, in microseconds.
    cost: f64,
}

fn accepts(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.max_clients", 15_000);
    cluster.start();
    let (net, bare) = (pids(&cluster, &["net"])[0], Bare::start());
    let (rounds, count) = (strength.pick(2, 7), strength.pick(500, 10_000));
    let both = [(cluster.netport(), net), (bare.addr(), bare.pid())];
    let rounds: Vec<[Round; 2]> = (0..rounds)
        .map(|_| both.map(|(addr, pid)| round(addr, pid, count)))
        .collect();
    let middle = |of: &dyn Fn(&[Round; 2]) -> f64| median(rounds.iter().map(of).collect());
    for (at, who) in ["the net node", "the bare loop"].into_iter().enumerate() {
        record.told(
            format!("{who}, connections a second"),
            middle(&|round| round[at].rate),
            "",
        );
        record.told(
            format!("{who}, processor time of each"),
            middle(&|round| round[at].cost),
            "µs",
        );
    }
    let part = middle(&|[net, bare]| net.rate / bare.rate);
    record.at_least(
        "connections a second, part of the bare loop's",
        part,
        "",
        must(0.7),
    );
    let part = middle(&|[net, bare]| bare.cost / net.cost.max(f64::MIN_POSITIVE));
    record.told("the bare loop's processor time, part of the net node's", part, "");
}

#[track_caller]
fn round(addr: SocketAddr, pid: u32, count: usize) -> Round {
    let before = used(&[pid]);
    let guests = Guests::invite(addr, count, ECHO);
    apart(&[pid], &[guests.pid()]);
    let time = guests.served();
    let cost = used(&[pid]) - before;
    let files = open_files(pid);
    drop(guests);
    // But for a few that it may have opened for itself.
    let most = (files + 16).saturating_sub(count);
    let left = within(4 * PATIENCE, || {
        (1..=most).contains(&open_files(pid)).then_some(())
    });
    assert!(
        left.is_some(),
        "the server is gone, or keeps connections whose clients are"
    );
    Round {
        rate: count as f64 / time.as_secs_f64(),
        cost: cost.as_secs_f64() * 1e6 / count as f64,
    }
}
