//! The network between the game and its parent goes bad under load: both ends know, and nothing runs twice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::experiments::Strength;
use cluster_tests::proxy::{Faults, Proxy, Way};
use cluster_tests::rig::Rig;
use cluster_tests::tell::measured;
use cluster_tests::wait::until;
use serde_json::json;

/// Where the gate listens, and where the game finds it.
const GATE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const BAD_NETWORK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// How soon both ends must know of a silent link, and how soon a healed one must serve.
const NOTICED: Duration = Duration::from_millis(3500);
const HEALED: Duration = Duration::from_secs(1);

/// A cluster whose gate is reached by some of its children through a proxy.
fn started(children: &[&str]) -> (Rig, Proxy) {
    let mut cluster = Cluster::of_test_apps();
    let port = cluster.port_of("servers.gate.rootport");
    cluster
        .set("servers.gate.rootbind", GATE.to_string())
        .set("servers.gate.host", GATE.to_string());
    for child in children {
        cluster.set(
            &format!("servers.{child}.remoteport"),
            json!([{"rootname": "gate", "rootport": port, "roothost": BAD_NETWORK.to_string()}]),
        );
    }
    let proxy = Proxy::start(SocketAddr::new(BAD_NETWORK, port), SocketAddr::new(GATE, port));
    cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    assert_eq!(
        proxy.connections(),
        children.len() as u64,
        "the links go through it"
    );
    (rig, proxy)
}

/// How often a node has lost or got its link to another one.
fn count(cluster: &Cluster, name: &str, news: &str, peer: &str) -> usize {
    let text = format!("{news} peer={peer} ");
    cluster
        .log(name)
        .lines()
        .filter(|line| line.contains(&text))
        .count()
}

const BLACK: Way = Way {
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    slice: None,
    limit: None,
    blackhole: true,
};

#[track_caller]
fn both_ends_know_of_a_blackhole(name: &str, faults: Faults) {
    let (rig, proxy) = started(&["game1"]);
    rig.load.go_on_for(Duration::from_millis(200));
    let before = Instant::now();
    proxy.set(faults);
    let lost = |node, peer| (count(&rig.cluster, node, "link lost", peer) == 1).then(|| before.elapsed());
    let known = until("both ends know", || {
        Some((lost("gate", "game1")?, lost("game1", "gate")?))
    });
    rig.load.go_on_for(Duration::from_millis(1500));
    let healed = Instant::now();
    proxy.heal();
    rig.load.until_served();
    let (cluster, outcome) = rig.conclude(name);
    let served = outcome.served_after(healed);
    measured(format_args!(
        "{name}: both ends knew after {known:.1?}, served {served:.1?} after it"
    ));
    assert!(known.0 < NOTICED && known.1 < NOTICED, "{known:?}");
    assert!(served < HEALED, "{served:?}");
    for (node, peer) in [("gate", "game1"), ("game1", "gate")] {
        assert_eq!(count(&cluster, node, "link up", peer), 2, "{node}: one new link");
        assert_eq!(
            count(&cluster, node, "link lost", peer),
            1,
            "{node}: one lost link"
        );
    }
    assert_eq!(outcome.count("closed") + outcome.refused(), 0, "{outcome}");
    let typed = ["link_lost", "not_sent", "timeout"].map(|error| outcome.count(error));
    assert_eq!(outcome.failed(), typed.iter().sum::<usize>(), "{outcome}");
}

#[test]
fn a_blackhole_is_noticed_at_both_ends() {
    both_ends_know_of_a_blackhole(
        "blackhole both ways",
        Faults {
            up: BLACK,
            down: BLACK,
        },
    );
}

#[test]
fn a_blackhole_towards_the_parent_is_noticed_at_both_ends() {
    let down = Way::default();
    both_ends_know_of_a_blackhole("blackhole to the parent", Faults { up: BLACK, down });
}

#[test]
fn a_blackhole_towards_the_child_is_noticed_at_both_ends() {
    let up = Way::default();
    both_ends_know_of_a_blackhole("blackhole to the child", Faults { up, down: BLACK });
}

#[test]
fn a_short_silence_fails_nothing() {
    let (rig, proxy) = started(&["net", "game1"]);
    for _ in 0..2 {
        proxy.set(Faults {
            up: BLACK,
            down: BLACK,
        });
        rig.load.go_on_for(Duration::from_secs(1));
        proxy.heal();
        rig.load.until_served();
    }
    let (_cluster, outcome) = rig.conclude("two blackholes of 1 s");
    assert_eq!(outcome.failed() + outcome.refused(), 0, "{outcome}");
    assert_eq!(proxy.connections(), 2, "the same links");
}

#[test]
fn a_link_that_is_reset_again_and_again_serves_between() {
    const EVERY: Duration = Duration::from_millis(200);
    const RESETS: u64 = 25;
    let (rig, proxy) = started(&["net", "game1"]);
    for _ in 0..RESETS {
        rig.load.go_on_for(EVERY);
        proxy.reset();
    }
    rig.load.until_served();
    let most = rig.load.most_in_flight();
    let (_cluster, outcome) = rig.conclude("a reset each 200 ms for 5 s");
    measured(format_args!(
        "{RESETS} resets, {} connections",
        proxy.connections()
    ));
    assert_eq!(outcome.count("closed") + outcome.refused(), 0, "{outcome}");
    let typed = ["link_lost", "not_sent"].map(|error| outcome.count(error));
    assert_eq!(outcome.failed(), typed.iter().sum::<usize>(), "{outcome}");
    assert!(outcome.failed() <= most * RESETS as usize, "{outcome}");
    assert!(outcome.count("ok") > outcome.failed(), "{outcome}");
}

#[test]
fn slices_of_one_byte_and_a_slow_unsteady_network_change_no_answer() {
    let (rig, proxy) = started(&["net", "game1"]);
    let slice = Some(1);
    let sliced = Way {
        slice,
        ..Way::default()
    };
    proxy.set(Faults {
        up: sliced,
        down: sliced,
    });
    rig.load.go_on_for(Duration::from_secs(2));
    let slow = Way {
        latency: Duration::from_millis(100),
        jitter: Duration::from_millis(50),
        ..Way::default()
    };
    proxy.set(Faults { up: slow, down: slow });
    rig.load.go_on_for(Duration::from_secs(2));
    let narrow = Way {
        limit: Some(40_000),
        ..Way::default()
    };
    proxy.set(Faults {
        up: narrow,
        down: narrow,
    });
    rig.load.go_on_for(Duration::from_secs(2));
    let (_cluster, outcome) = rig.conclude("slices, latency and a narrow way");
    assert_eq!(outcome.failed() + outcome.refused(), 0, "{outcome}");
    assert_eq!(proxy.connections(), 2, "the same links");
}

#[test]
fn a_bad_network_to_the_clients_changes_no_answer_and_runs_nothing_twice() {
    let mut cluster = Cluster::of_test_apps();
    let clients = SocketAddr::new(BAD_NETWORK, cluster.port());
    cluster.start();
    let proxy = Proxy::start(clients, cluster.netport());
    let rig = Rig::by_way_of(clients, cluster, Strength::Short);
    let slice = Some(1);
    let sliced = Way {
        slice,
        ..Way::default()
    };
    proxy.set(Faults {
        up: sliced,
        down: sliced,
    });
    rig.load.go_on_for(Duration::from_secs(2));
    for _ in 0..10 {
        rig.load.go_on_for(Duration::from_millis(200));
        proxy.reset();
    }
    rig.load.until_served();
    let (_cluster, outcome) = rig.conclude("clients' connections in slices, and reset ten times");
    assert_eq!(outcome.failed(), outcome.count("closed"), "{outcome}");
    assert_eq!(outcome.refused(), 0, "{outcome}");
}
