//! What a client costs that says nothing, and a node that nobody asks.

use std::time::Duration;

use super::{ECHO, Experiment, NODES, Record, Strength, let_pass, must, pids, used};
use crate::Cluster;
use crate::guests::Guests;
use crate::vitals::Vitals;

/// Clients that have had one answer each, and nodes that nobody has asked anything.
pub(super) const IDLE: Experiment = Experiment {
    id: "R-80",
    title: "10,000 clients that are idle (1,000 in the short form), and nodes that nobody asks",
    must: "3 KiB of memory of the node for each client; 0.1 % of a processor for a node",
    best: "1.5 KiB",
    run: idle,
};

/// After so long nothing of what a client asked is waited for any more.
const CALM: Duration = Duration::from_secs(8);

fn idle(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.max_clients", 15_000);
    cluster.start();
    let (nodes, count) = (pids(&cluster, &NODES), strength.pick(1000, 10_000));
    let time = strength.pick(Duration::from_secs(4), Duration::from_secs(60));
    let_pass(CALM / 4);
    for (name, percent) in NODES.iter().zip(rest(&nodes, time)) {
        record.at_most(
            format!("processor of {name}, nobody asks"),
            percent,
            "%",
            must(0.1),
        );
    }
    let before = Vitals::of(nodes[0]).expect("a process");
    let guests = Guests::invite(cluster.netport(), count, ECHO);
    guests.served();
    let_pass(CALM);
    let full = Vitals::of(nodes[0]).expect("a process");
    let each = full.rss.saturating_sub(before.rss) as f64 / count as f64 / 1024.0;
    record.at_most(
        "memory of the node for each client",
        each,
        "KiB",
        must(3.0).best(1.5),
    );
    let percent = rest(&nodes[..1], time)[0];
    record.at_most("processor of net, its clients idle", percent, "%", must(0.1));
    guests.ask();
}

/// How much of a processor each takes for some time, in percent.
#[track_caller]
fn rest(pids: &[u32], time: Duration) -> Vec<f64> {
    let times = || pids.iter().map(|pid| used(&[*pid]));
    let before: Vec<Duration> = times().collect();
    let_pass(time);
    let spent = times().zip(before).map(|(after, before)| after - before);
    spent
        .map(|spent| spent.as_secs_f64() / time.as_secs_f64() * 100.0)
        .collect()
}
