//! Another configuration for a cluster that runs, and what it must not touch.

use serde_json::{Value, json};

use crate::admin::Admin;
use crate::cluster::Cluster;
use crate::http::Answer;

/// The command of the test's net node that names the game which answered.
pub const NAME_OF_ANY: u32 = 27;

/// Writes the configuration as it stands, and asks for a reload.
///
/// # Panics
/// When there is no answer.
#[track_caller]
pub fn reload(cluster: &Cluster) -> Answer {
    cluster.config_file();
    cluster.admin().request("POST", "/api/v1/cluster/actions/reload")
}

/// The same; gives what was done.
///
/// # Panics
/// When it is refused.
#[track_caller]
pub fn reloaded(cluster: &Cluster) -> Value {
    let answer = reload(cluster);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Process, incarnation and restarts of each node: what must not change of those that a change does not concern.
///
/// # Panics
/// When there is no such node.
#[track_caller]
pub fn lives(admin: &Admin, names: &[&str]) -> Vec<Value> {
    let life = |name: &&str| {
        let node = admin.node(name);
        json!([node["pid"], node["incarnation"], node["restarts"]])
    };
    names.iter().map(life).collect()
}

/// How often a node's link to another has come up.
pub fn links(cluster: &Cluster, of: &str, to: &str) -> usize {
    let log = cluster.log(of);
    let peer = format!("peer={to} ");
    let up = |line: &&str| line.contains(" link up ") && format!("{line} ").contains(&peer);
    log.lines().filter(up).count()
}

/// The section of a game below one parent.
pub fn game_below(parent: &str, port: u16) -> Value {
    json!({"app": "test.game", "remoteport": [{"rootport": port, "rootname": parent}]})
}
