//! A child of two parents, one of which is dead.

use std::time::Duration;

use serde_json::json;

use super::super::{Experiment, Record, Strength};
use super::count;
use crate::Cluster;
use crate::process::kill_pid;
use crate::rig::Rig;

/// The net node has a second gate for a parent, which dies and stays down. Requests go by the first.
pub(super) const PARENTS: Experiment = Experiment {
    id: "R-27",
    title: "one of two parents is dead",
    must: "only the link to it drops; no call by the other fails",
    best: "",
    run: parents,
};

fn parents(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    let (first, second) = (cluster.port_of("servers.gate.rootport"), cluster.port());
    cluster.set(
        "servers.gate2",
        json!({"rootport": second, "app": "test.gate", "restart": "temporary"}),
    );
    let parents = json!([
        {"rootport": first, "rootname": "gate"},
        {"rootport": second, "rootname": "gate2"},
    ]);
    cluster.set("servers.net.remoteport", parents);
    cluster.start();
    let rig = Rig::on(cluster, strength);
    let admin = rig.cluster.admin();
    kill_pid(admin.pid("gate2"));
    admin.until("gate2", "its end", |node| node["pid"].is_null());
    rig.load
        .go_on_for(strength.pick(Duration::from_secs(4), Duration::from_secs(30)));
    rig.load.until_served();
    let (cluster, outcome) = rig.conclude("one of two parents is dead");
    record.exactly("calls that failed", outcome.failed() + outcome.refused(), 0);
    record.exactly(
        "links lost to the dead parent",
        count(&cluster, "net", "link lost", "gate2"),
        1,
    );
    let others: usize = [
        ("net", "gate"),
        ("game1", "gate"),
        ("gate", "net"),
        ("gate", "game1"),
    ]
    .map(|(node, peer)| count(&cluster, node, "link lost", peer))
    .iter()
    .sum();
    record.exactly("other links lost", others, 0);
}
