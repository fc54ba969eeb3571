//! 100,000 clients at one time, on one machine.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{CHAIN, Experiment, Record, Strength, must};
use crate::Cluster;
use crate::guests::Guests;
use crate::vitals::{Vitals, mib};

/// As many clients as eight net nodes have, below one gate.
pub(super) const FULL: Experiment = Experiment {
    id: "R-59",
    title: "100,000 clients over eight net nodes (400 over two in the short form), each asks the game",
    must: "all are served, and all again; 3 KiB of memory of a node for each",
    best: "1.5 KiB",
    run: full,
};

fn full(strength: Strength, record: &mut Record) {
    let (nets, each) = (strength.pick(2, 8), strength.pick(200, 12_500));
    let mut cluster = Cluster::of_test_apps();
    let gate = cluster.get("servers.net.remoteport").clone();
    cluster.unset("servers.net");
    let names: Vec<String> = (1..=nets).map(|number| format!("net{number}")).collect();
    for name in &names {
        let port = cluster.port();
        cluster.set(
            &format!("servers.{name}"),
            json!({"app": "test.net", "netport": port, "remoteport": gate, "max_clients": each + 100}),
        );
    }
    // What all ask at the same moment waits for one service at the gate.
    cluster.set("servers.gate.max_in_flight", nets * each);
    cluster.set("servers.game1.max_in_flight", nets * each);
    cluster.start();
    let admin = cluster.admin();
    let memory = || -> u64 {
        let of = |name: &String| Vitals::of(admin.pid(name)).expect("a process").rss;
        names.iter().map(of).sum()
    };
    let (before, begin) = (memory(), Instant::now());
    let invite = |name: &String| {
        let port = cluster.port_of(&format!("servers.{name}.netport"));
        Guests::invite(([127, 0, 0, 1], port).into(), each, CHAIN)
    };
    let guests: Vec<Guests> = names.iter().map(invite).collect();
    let times: Vec<Duration> = guests.iter().map(Guests::served).collect();
    record.exactly("clients served", times.len() * each, nets * each);
    let seconds = begin.elapsed().as_secs_f64();
    record.told("from the first connection to the last answer", seconds, "s");
    record.told("memory of all net nodes", mib(memory()), "MiB");
    // All of them are still there: each asks once more, the clients of one net node after those of another.
    let begin = Instant::now();
    let times: Vec<Duration> = guests.iter().map(Guests::ask).collect();
    record.exactly("clients served once more", times.len() * each, nets * each);
    record.told("all of them once more", begin.elapsed().as_secs_f64(), "s");
    let each = memory().saturating_sub(before) as f64 / (nets * each) as f64 / 1024.0;
    record.at_most(
        "memory of the net nodes for each client",
        each,
        "KiB",
        must(3.0).best(1.5),
    );
}
