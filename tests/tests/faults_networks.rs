//! The network between the game and its parent goes bad under load: both ends know, and nothing runs twice.

use std::net::SocketAddr;
use std::time::Duration;

use cluster_tests::Cluster;
use cluster_tests::experiments::networks::{BAD_NETWORK, started};
use cluster_tests::experiments::{Strength, short};
use cluster_tests::proxy::{Faults, Proxy, Way};
use cluster_tests::rig::Rig;

const BLACK: Way = Way {
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    slice: None,
    limit: None,
    blackhole: true,
};

#[test]
fn a_blackhole_between_two_hosts_is_noticed_at_both_ends() {
    short("R-20");
}

#[test]
fn a_blackhole_in_one_direction_is_noticed_at_both_ends() {
    short("R-21");
}

#[test]
fn a_link_that_is_reset_again_and_again_serves_between() {
    short("R-22");
}

#[test]
fn slices_and_lumps_change_no_answer() {
    short("R-23");
}

#[test]
fn a_slow_unsteady_or_narrow_network_costs_time_and_nothing_else() {
    short("R-24");
}

#[test]
fn a_wrong_clock_changes_nothing() {
    short("R-25");
}

#[test]
fn very_large_messages_leave_room_for_signs_of_life() {
    short("R-26");
}

#[test]
fn a_dead_parent_is_no_matter_of_the_other() {
    short("R-27");
}

#[test]
fn clogs_that_come_and_go_leave_a_tree_that_is_well() {
    short("R-28");
}

#[test]
fn a_short_silence_fails_nothing() {
    let (rig, proxy) = started(&["net", "game1"], Strength::Short);
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
