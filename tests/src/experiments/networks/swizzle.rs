//! Clogs that come and go over a whole tree.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::{Experiment, Record, Strength, must};
use super::blackhole::BLACK;
use super::{GATE, behind_a_proxy};
use crate::Cluster;
use crate::cluster::random;
use crate::proxy::{Faults, Proxy};
use crate::rig::Rig;
use crate::spread::Spread;
use crate::wait::{PATIENCE, within};

/// A gate with seven children, each behind a proxy of its own. In each round some of them, drawn at random, are cut off one by
/// one within five seconds, and reached again one by one in another order. Then all must be well.
pub(super) const SWIZZLE: Experiment = Experiment {
    id: "R-28",
    title: "swizzle: eight nodes are clogged and unclogged at random",
    must: "all ready, linked and serving within 3 s after the last; the checker finds nothing",
    best: "1 s",
    run: swizzle,
};

/// Children beside the net node and the game.
const OTHERS: std::ops::RangeInclusive<u8> = 2..=6;

fn swizzle(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    let port = cluster.port_of("servers.gate.rootport");
    let mut proxies = Vec::new();
    for (number, name) in (10..).zip(
        ["net", "game1"]
            .map(str::to_owned)
            .into_iter()
            .chain(OTHERS.map(|n| format!("game{n}"))),
    ) {
        let way = IpAddr::V4(Ipv4Addr::new(127, 0, 0, number));
        let parents = json!([{"rootname": "gate", "rootport": port, "roothost": way.to_string()}]);
        if cluster.get(&format!("servers.{name}")).is_null() {
            cluster.set(&format!("servers.{name}"), json!({"app": "test.game"}));
        }
        cluster.set(&format!("servers.{name}.remoteport"), parents);
        proxies.push(Proxy::start(
            SocketAddr::new(way, port),
            SocketAddr::new(GATE, port),
        ));
    }
    drop(behind_a_proxy(&mut cluster, &[]));
    cluster.start();
    let rig = Rig::on(cluster, strength);
    let rounds = strength.pick(5, 100);
    let within_time = strength.pick(Duration::from_secs(2), Duration::from_secs(5));
    let mut well = Vec::new();
    for _ in 0..rounds {
        well.push(round(&rig, &proxies, within_time));
    }
    let (cluster, outcome) = rig.conclude("swizzle");
    let (must_p50, must_p99) = (must(3000.0).best(1000.0), must(3000.0).best(1000.0));
    record.times(
        "last unclogged to all well",
        &Spread::of(well),
        must_p50,
        must_p99,
    );
    let restarts = cluster.admin().restarts();
    record.exactly("restarts", restarts, 0);
    record.no_connection_lost(&outcome);
    record.note(outcome.to_string());
}

/// One round; how long it took from the last unclogging until all was well.
fn round(rig: &Rig, proxies: &[Proxy], time: Duration) -> Duration {
    let mut chosen: Vec<&Proxy> = proxies.iter().filter(|_| random().is_multiple_of(2)).collect();
    shuffle(&mut chosen);
    let step = time / u32::try_from(chosen.len().max(1)).expect("because there are seven");
    for proxy in &chosen {
        proxy.set(Faults {
            up: BLACK,
            down: BLACK,
        });
        rig.load.go_on_for(step);
    }
    shuffle(&mut chosen);
    for proxy in &chosen {
        rig.load.go_on_for(step.min(Duration::from_millis(300)));
        proxy.heal();
    }
    let healed = Instant::now();
    let admin = rig.cluster.admin();
    let well = within(PATIENCE, || {
        let nodes = admin.nodes();
        let ready = nodes.iter().all(|node| node["state"] == "ready");
        (ready && links_up(rig)).then_some(())
    });
    assert!(well.is_some(), "not all links are up again: {:?}", admin.nodes());
    rig.load.until_served();
    healed.elapsed()
}

/// Whether the gate has a link to each of its children, as its log says.
fn links_up(rig: &Rig) -> bool {
    let log = rig.cluster.log("gate");
    let balance = |name: &str| {
        let count = |news: &str| log.matches(&format!("{news} peer={name} ")).count();
        count("link up") == count("link lost") + 1
    };
    balance("net") && balance("game1") && OTHERS.into_iter().all(|n| balance(&format!("game{n}")))
}

fn shuffle<T>(all: &mut [T]) {
    for last in (1..all.len()).rev() {
        let other = usize::try_from(random() % (last as u64 + 1)).expect("because it is small");
        all.swap(last, other);
    }
}
