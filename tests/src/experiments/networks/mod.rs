//! The network between nodes goes bad under load: both ends know, nothing is silent, and nothing runs twice.

mod bad;
mod blackhole;
mod clock;
mod large;
mod parents;
mod swizzle;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::json;

use super::{Experiment, Strength};
use crate::Cluster;
use crate::proxy::Proxy;
use crate::rig::Rig;

/// The experiments of this group.
pub const EXPERIMENTS: &[Experiment] = &[
    blackhole::BOTH_WAYS,
    blackhole::ONE_WAY,
    bad::RESETS,
    bad::SLICES,
    bad::SLOW,
    clock::CLOCKS,
    large::LARGE,
    parents::PARENTS,
    swizzle::SWIZZLE,
];

/// Where the gate listens.
const GATE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// The address of a proxy in front of others.
pub const BAD_NETWORK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// Has some children reach the gate by a proxy, which is started now.
fn behind_a_proxy(cluster: &mut Cluster, children: &[&str]) -> Proxy {
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
    Proxy::start(SocketAddr::new(BAD_NETWORK, port), SocketAddr::new(GATE, port))
}

/// A cluster under load whose gate is reached by some of its children through a proxy.
///
/// # Panics
/// When it does not start, or the links do not go through the proxy.
pub fn started(children: &[&str], strength: Strength) -> (Rig, Proxy) {
    let mut cluster = Cluster::of_test_apps();
    let proxy = behind_a_proxy(&mut cluster, children);
    cluster.start();
    let rig = Rig::on(cluster, strength);
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
