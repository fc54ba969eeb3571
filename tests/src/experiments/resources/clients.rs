//! Very many clients of one node.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::process::kill_pid;
use crate::visitors::{Habits, Visitors, room_for};
use crate::vitals::Vitals;
use crate::wait::{PATIENCE, until};

/// Clients that hardly say anything: they come, each asks for an echo now and then, and they leave.
pub(super) const MANY: Experiment = Experiment {
    id: "R-58",
    title: "10,000 clients of one node (1,000 in the short form), a message each in 10 s",
    must: "connected in 5 s; 8 KiB of memory for each; p99 10 ms; gone in 2 s",
    best: "3 KiB",
    run: many,
};

/// The net node with all those clients is killed: they dial again at once, and another time each after a second or two. A
/// second net node has a few clients of its own.
pub(super) const STORM: Experiment = Experiment {
    id: "R-60",
    title: "a node with 10,000 clients (1,000 in the short form) is killed, and they come back at once",
    must: "all back in 5 s; p99 of another net node's clients twice as long",
    best: "2 s",
    run: storm,
};

fn clients(strength: Strength) -> usize {
    strength.pick(1000, 10_000)
}

/// Enough clients, or why not.
fn started(strength: Strength, record: &mut Record) -> Option<Cluster> {
    if let Err(why) = room_for(clients(strength)) {
        record.skip(why);
        return None;
    }
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.max_clients", 15_000);
    Some(cluster)
}

/// Waits until all are served.
#[track_caller]
fn all_served(crowd: &Visitors, count: usize) -> Duration {
    let served = crowd.until_served(count, 2 * PATIENCE);
    served.unwrap_or_else(|| panic!("{} of {count} clients are served", crowd.served()))
}

fn many(strength: Strength, record: &mut Record) {
    let Some(cluster) = started(strength, record) else {
        return;
    };
    cluster.start();
    let (net, count) = (cluster.admin().pid("net"), clients(strength));
    let before = Vitals::of(net).expect("a process");
    let habits = Habits {
        clients: count,
        every: Duration::from_secs(10),
        again: Duration::from_millis(100),
        jitter: Duration::ZERO,
    };
    let crowd = Visitors::gather(cluster.netport(), habits);
    record.time(
        "all connected and served",
        all_served(&crowd, count),
        must(5000.0),
    );
    let full = Vitals::of(net).expect("a process");
    let each = (full.rss.saturating_sub(before.rss)) as f64 / count as f64 / 1024.0;
    record.at_most("memory of the node for each", each, "KiB", must(8.0).best(3.0));
    let time = strength.pick(Duration::from_secs(6), Duration::from_secs(60));
    crowd.forget_echoes();
    std::thread::park_timeout(time);
    record.time("p99 of the echoes", crowd.echoes().part(99.0), must(10.0));
    record.exactly("connections lost", count - crowd.served(), 0);
    record.exactly("connections refused", crowd.refused(), 0);
    let begin = Instant::now();
    drop(crowd);
    until("no connections", || {
        (Vitals::of(net).expect("a process").descriptors <= before.descriptors).then_some(())
    });
    record.time("all gone", begin.elapsed(), must(2000.0));
}

fn storm(strength: Strength, record: &mut Record) {
    let Some(mut cluster) = started(strength, record) else {
        return;
    };
    let second = cluster.port();
    let gate = cluster.get("servers.net.remoteport").clone();
    cluster.set(
        "servers.net2",
        json!({"app": "test.net", "netport": second, "remoteport": gate}),
    );
    cluster.start();
    let (admin, count) = (cluster.admin(), clients(strength));
    let few = Habits {
        clients: 50,
        every: Duration::from_millis(100),
        again: Duration::from_millis(10),
        jitter: Duration::ZERO,
    };
    let others = Visitors::gather(([127, 0, 0, 1], second).into(), few);
    all_served(&others, few.clients);
    for (name, jitter) in [
        ("at once", Duration::ZERO),
        ("within a second", Duration::from_secs(1)),
    ] {
        let habits = Habits {
            clients: count,
            every: Duration::from_secs(10),
            again: Duration::ZERO,
            jitter,
        };
        let crowd = Visitors::gather(cluster.netport(), habits);
        all_served(&crowd, count);
        others.forget_echoes();
        std::thread::park_timeout(Duration::from_secs(2));
        let calm = others.echoes().part(99.0);
        admin.until("net", "ready for a second", |node| {
            node["since"].as_f64().is_some_and(|since| since > 1.05)
        });
        let (pid, begin) = (admin.pid("net"), Instant::now());
        kill_pid(pid);
        until("the clients notice", || (crowd.served() < count).then_some(()));
        all_served(&crowd, count);
        let limits = must(5000.0).best(2000.0);
        record.time(
            format!("{name}: kill to all served again"),
            begin.elapsed(),
            limits,
        );
        let storm = others.echoes().part(99.0);
        record.told(format!("{name}: p99 of the others before"), millis(calm), "ms");
        record.time(
            format!("{name}: p99 of the others"),
            storm,
            must(2.0 * millis(calm)),
        );
        record.exactly(format!("{name}: connections refused"), crowd.refused(), 0);
    }
    record.exactly(
        "clients of the other node that lost their connection",
        few.clients - others.served(),
        0,
    );
}
