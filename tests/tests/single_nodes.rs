//! Each node can be started alone, in any order, with or without a master.

use cluster_tests::Cluster;
use cluster_tests::client::Frame;
use cluster_tests::process::End;
use nix::sys::signal::Signal;

const ORDERS: [[&str; 3]; 6] = [
    ["gate", "net", "game1"],
    ["gate", "game1", "net"],
    ["net", "gate", "game1"],
    ["net", "game1", "gate"],
    ["game1", "gate", "net"],
    ["game1", "net", "gate"],
];

fn round_trip(cluster: &Cluster) {
    cluster.until_answered(300, "msgdata", "game1Handle completed");
    cluster.until_answered(200, "msgdata", "gateHandle Completed");
}

#[test]
fn three_nodes_find_each_other_in_any_order_without_a_master() {
    for order in ORDERS {
        let cluster = Cluster::study();
        let nodes = order.map(|name| cluster.run_node(name));
        round_trip(&cluster);
        for node in nodes.iter().rev() {
            node.signal(Signal::SIGTERM);
            assert_eq!(node.end(), End::Code(0), "{order:?}");
        }
        cluster.assert_nothing_left();
    }
}

#[test]
fn three_nodes_find_each_other_in_any_order_with_a_master() {
    for order in ORDERS {
        let cluster = Cluster::study();
        let _master = cluster.run(&["--only"]);
        let _nodes = order.map(|name| cluster.run_node(name));
        round_trip(&cluster);
        cluster.admin().until_all_ready();
    }
}

#[test]
fn a_net_node_alone_answers_what_it_can() {
    let mut cluster = Cluster::study();
    cluster.set("link.wait", "200ms");
    cluster.run_node("net");
    let mut client = cluster.client();
    let own = client.ask(100, "msgdata").expect("an answer");
    assert_eq!(own, Frame::new(100, "netHandle_100 completed"));
    let other = client.ask(300, "msgdata").expect("an error frame");
    assert_eq!(other.error_of(), (300, "not_sent".into(), "no".into()));
}

#[test]
fn a_gate_and_a_game_alone_wait_for_the_others() {
    for name in ["gate", "game1"] {
        let cluster = Cluster::study();
        let node = cluster.run_node(name);
        assert_eq!(node.has_ended(), None);
        node.signal(Signal::SIGINT);
        assert_eq!(node.end(), End::Code(0));
    }
}
