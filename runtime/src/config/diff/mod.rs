//! What differs between two configurations that have passed every check, and what it takes for that to hold in a
//! running cluster. Pure.
//!
//! Values are compared, not texts: `60s` and `1m` are the same. [`RULES`] has every key there is; that none is
//! forgotten is seen to by the compiler, as [`items`] takes the model's types apart field by field, and by the tests.

mod data;
mod items;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::Serialize;

use crate::name::NodeName;

use super::Config;
use super::finding::{Code, Finding};
pub(super) use items::{Item, items};

/// What it takes for a changed key to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing: it holds as soon as it is applied.
    AtOnce,
    /// The next life of the node whose key it is.
    Node,
    /// The next life of every node.
    EveryNode,
    /// A new master: while one runs, it cannot change.
    Master,
}

impl Rule {
    /// In the words of the documents.
    pub const fn text(self) -> &'static str {
        match self {
            Self::AtOnce => "at once",
            Self::Node => "restart of the node",
            Self::EveryNode => "restart of every node",
            Self::Master => "restart of the master",
        }
    }
}

use Rule::{AtOnce, EveryNode, Master, Node};

/// Every key with its rule, in the order of the documents. `NAME` stands for the name of a node.
pub const RULES: &[(&str, Rule)] = &[
    ("name", Master),
    ("run_dir", Master),
    ("secret", Master),
    ("secret_file", Master),
    ("master.roothost", Master),
    ("master.rootport", Master),
    ("master.rootbind", Master),
    ("master.webport", Master),
    ("master.webbind", Master),
    ("master.log", Master),
    ("master.restart", AtOnce),
    ("master.intensity", AtOnce),
    ("master.period", AtOnce),
    ("servers.NAME", AtOnce),
    ("servers.NAME.app", Node),
    ("servers.NAME.netport", Node),
    ("servers.NAME.netbind", Node),
    ("servers.NAME.rootport", Node),
    ("servers.NAME.rootbind", Node),
    ("servers.NAME.webport", Node),
    ("servers.NAME.webbind", Node),
    ("servers.NAME.remoteport", AtOnce),
    ("servers.NAME.host", AtOnce),
    ("servers.NAME.db", Node),
    ("servers.NAME.mem", Node),
    ("servers.NAME.log", Node),
    ("servers.NAME.cpu", Node),
    ("servers.NAME.busy_poll", Node),
    ("servers.NAME.reload", AtOnce),
    ("servers.NAME.start", AtOnce),
    ("servers.NAME.restart", AtOnce),
    ("servers.NAME.intensity", AtOnce),
    ("servers.NAME.period", AtOnce),
    ("servers.NAME.on_crash_loop", AtOnce),
    ("servers.NAME.restart_children", AtOnce),
    ("servers.NAME.on_master_loss", AtOnce),
    ("servers.NAME.start_timeout", AtOnce),
    ("servers.NAME.drain_timeout", AtOnce),
    ("servers.NAME.stop_timeout", AtOnce),
    ("servers.NAME.hang_kill", AtOnce),
    ("servers.NAME.call_timeout", Node),
    ("servers.NAME.max_in_flight", Node),
    ("servers.NAME.errors", AtOnce),
    ("servers.NAME.max_clients", AtOnce),
    ("servers.NAME.max_frame", AtOnce),
    ("servers.NAME.client_in_flight", AtOnce),
    ("servers.NAME.idle_timeout", AtOnce),
    ("servers.NAME.rate", AtOnce),
    ("servers.NAME.out_buffer", AtOnce),
    ("servers.NAME.head", Node),
    ("servers.NAME.protocol_version", Node),
    ("servers.NAME.server_version", Node),
    ("servers.NAME.serial", AtOnce),
    ("servers.NAME.tls.cert", Node),
    ("servers.NAME.tls.key", Node),
    ("link.certs", Master),
    ("link.heartbeat", EveryNode),
    ("link.suspect_after", EveryNode),
    ("link.down_after", EveryNode),
    ("link.wait", EveryNode),
    ("link.held_calls", EveryNode),
    ("link.held_bytes", EveryNode),
    ("link.max_message", EveryNode),
    ("link.max_queue", EveryNode),
    ("link.max_calls", EveryNode),
    ("link.handshake_timeout", EveryNode),
    ("link.allow_plaintext", AtOnce),
    ("log.level", AtOnce),
    ("log.format", EveryNode),
    ("log.terminal", Master),
    ("log.dir", Master),
    ("log.max_size", AtOnce),
    ("log.max_files", AtOnce),
    ("admin.tokens", Master),
    ("admin.hosts", Master),
    ("admin.open_metrics", Master),
    ("admin.calls", Master),
    ("admin.behind_proxy", Master),
    ("trace.sample", EveryNode),
    ("trace.otlp", AtOnce),
    ("db.host", EveryNode),
    ("db.port", EveryNode),
    ("db.user", EveryNode),
    ("db.passwd", EveryNode),
    ("db.db", EveryNode),
    ("db.charset", EveryNode),
    ("db.engine", EveryNode),
    ("db.url", EveryNode),
    ("db.max_connections", EveryNode),
    ("db.acquire_timeout", EveryNode),
    ("db.timeout", EveryNode),
    ("db.migrations", EveryNode),
    ("memcached.urls", EveryNode),
    ("memcached.hostname", EveryNode),
    ("redis.server", EveryNode),
    ("redis.user", EveryNode),
    ("redis.passwd", EveryNode),
    ("redis.db", EveryNode),
    ("redis.hostname", EveryNode),
    ("store.idle", EveryNode),
    ("store.cache_ttl", EveryNode),
    ("store.cache_timeout", EveryNode),
    ("store.cache_rows", EveryNode),
    ("journal.sync", EveryNode),
    ("journal.interval", EveryNode),
    ("journal.batch", EveryNode),
    ("journal.max_backlog", EveryNode),
    ("journal.segment_size", EveryNode),
    ("journal.max_size", EveryNode),
    ("journal.dir", EveryNode),
];

/// Whose restart a change waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nobody's.
    AtOnce,
    /// This node's.
    Node(NodeName),
    /// That of every node.
    EveryNode,
    /// The master's.
    Master,
}

/// One key with another value, or a node that has come or gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The key, such as `servers.game1.drain_timeout`; `servers.game2` for a node as a whole.
    pub key: String,
    /// The value before, `None` if there was none. Secrets are covered.
    pub old: Option<String>,
    /// The value now, `None` if there is none.
    pub new: Option<String>,
    /// Whose restart it waits for.
    pub effect: Effect,
}

/// What differs, in the order of [`RULES`], node by node; the nodes that are gone at the end.
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let (before, after) = (items(old), items(new));
    let known: HashMap<&str, &Item> = before.iter().map(|item| (item.key.as_str(), item)).collect();
    let changed = after
        .iter()
        .filter_map(|item| match known.get(item.key.as_str()) {
            // Of a node that has come, its keys are not told one by one.
            None => item.is_node().then(|| change(item, None, item.shown())),
            Some(former) => {
                let differs = former.value != item.value && !item.is_node();
                differs.then(|| change(item, former.shown(), item.shown()))
            }
        });
    let is_gone = |item: &&Item| {
        let node = item.node.as_ref().filter(|_| item.is_node());
        node.is_some_and(|node| new.node(node.as_str()).is_none())
    };
    let gone = before
        .iter()
        .filter(is_gone)
        .map(|item| change(item, item.shown(), None));
    changed.chain(gone).collect()
}

fn change(item: &Item, old: Option<String>, new: Option<String>) -> Change {
    Change {
        key: item.key.clone(),
        old,
        new,
        effect: item.effect(),
    }
}

/// The faults of a configuration that is to follow another while the master runs: one for each key that would need
/// a new master.
pub fn refused_while_running(old: &Config, new: &Config) -> Vec<Finding> {
    let fixed = diff(old, new).into_iter();
    let fault = |change: Change| {
        let place = new.written.value_place_or_file(&change.key);
        let nothing = || "nothing".to_owned();
        Finding::fault(Code::NeedsMaster, place, change.key)
            .found(change.new.unwrap_or_else(nothing))
            .allowed(format!("{}, as it is", change.old.unwrap_or_else(nothing)))
            .help(Some(
                "a new master begins with it: end this one, and start it again".to_owned(),
            ))
    };
    fixed
        .filter(|change| change.effect == Effect::Master)
        .map(fault)
        .collect()
}
