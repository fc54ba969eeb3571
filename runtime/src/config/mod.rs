//! File and environment to a checked tree of nodes, or all faults at once, each with its place.
//!
//! ```text
//! file ── json / toml ──┐
//!                       ├─ tree (every value with its spot) ── sections ── model ── check ── Config
//! environment ── env ───┘
//! ```
//!
//! | module | what it is for |
//! | --- | --- |
//! | `load` | the whole way, from file and environment to a configuration or all its faults |
//! | `file` | the bytes of the file, or why not |
//! | `json`, `toml` | a text to the tree |
//! | `env` | overrides by variables, `${VARIABLE}` in texts |
//! | `tree` | values with their spots |
//! | `read`, `shape`, `units` | one key of a section as a checked value |
//! | `sections`, `nodes`, `data`, `admin` | which keys there are |
//! | `model` | the typed result, with the defaults |
//! | `check`, `parents`, `ports`, `exposure`, `certificates` | rules that concern several values, or the machine |
//! | `machine` | what this process may do here |
//! | `effective` | what holds for a node, with where each value comes from |
//! | `written` | the tree and the text, kept for later questions |
//! | `diff` | what differs between two configurations, and what it takes for that to hold |
//! | `applied` | the text that a master has applied, kept for the nodes that it starts |
//! | `finding`, `render`, `explain` | one fault or warning, how people see it, and what its code means |
//! | `schema` | the same keys as a JSON Schema, for editors |
//! | `secret` | the secret of the links |
//!
//! It starts nothing and binds nothing.

mod admin;
mod applied;
mod certificates;
mod check;
mod data;
mod diff;
mod effective;
mod env;
mod explain;
mod exposure;
mod file;
mod finding;
mod json;
mod load;
mod machine;
mod model;
mod nodes;
mod parents;
mod ports;
mod read;
mod render;
mod schema;
mod secret;
mod sections;
mod shape;
mod toml;
mod tree;
mod units;
mod written;

use std::path::PathBuf;

use crate::name::NodeName;

use load::Loaded;
use tree::Spot;
use written::Written;

pub use admin::{AdminConfig, AdminToken, Role, TraceConfig};
pub use applied::{applied_copy, keep_applied};
pub use certificates::{BadCertificate, EXPIRES_SOON, NamedCertificate};
pub use data::{DataConfig, DbConfig, JournalConfig, MemcachedConfig, RedisConfig, StoreConfig};
pub use diff::{Change, Effect, RULES, Rule, diff, refused_while_running};
pub use effective::Setting;
pub use finding::{Code, Finding, Origin, Place, Severity, Stretch};
pub use load::Rejected;
pub use machine::Machine;
pub use model::{
    BusyPoll, ClientConfig, ClientErrors, DEFAULT_MASTER_PORT, LinkConfig, LogConfig, LogFormat,
    MasterConfig, NodeConfig, OnMasterLoss, Parent,
};
pub use render::render_human;
pub use schema::schema;
pub use secret::{MIN_SECRET, Secret, link_secret, make_run_dir, share_secret};

/// A configuration that has passed every check.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of the cluster: key `name`, else the file's name without its ending.
    pub name: String,
    /// The file, as an absolute path.
    pub file: PathBuf,
    /// Where secret, tokens, locks, logs and sockets are kept, as an absolute path.
    pub run_dir: PathBuf,
    /// Section `master`.
    pub master: MasterConfig,
    /// Section `servers`, in the order of the file.
    pub nodes: Vec<NodeConfig>,
    /// Section `link`.
    pub link: LinkConfig,
    /// Section `log`.
    pub log: LogConfig,
    /// Sections `db`, `memcached`, `redis`, `store` and `journal`.
    pub data: DataConfig,
    /// Section `admin`.
    pub admin: AdminConfig,
    /// Section `trace`.
    pub trace: TraceConfig,
    /// The secret of the links as configured (`secret`, or the content of `secret_file`); see [`link_secret`].
    pub secret: Option<Secret>,
    /// What is odd, but no fault.
    pub warnings: Vec<Finding>,
    written: Written,
    loaded: Loaded,
}

impl Config {
    /// The nodes whose application is not among those that the program has registered, a fault for each.
    pub fn check_apps(&self, registered: &[&str]) -> Vec<Finding> {
        check::apps(self, registered)
    }

    /// A fault of the value of a key that others have found, such as those who have tried to use it.
    pub fn fault(&self, kind: Code, key: &str) -> Finding {
        Finding::fault(kind, self.written.value_place_or_file(key), key)
    }

    /// The keys whose secret texts stand in the file itself, and do not come from a variable.
    pub fn written_secrets(&self) -> Vec<String> {
        let tokens = (0..self.admin.tokens.len()).map(|at| format!("admin.tokens[{at}].token"));
        let others = ["secret", "db.passwd", "db.url", "redis.passwd"].map(str::to_owned);
        let stands_there = |key: &String| {
            let value = self.written.value(key);
            value.is_some_and(|node| !node.loose && matches!(node.spot, Spot::File(_)))
        };
        others.into_iter().chain(tokens).filter(stands_there).collect()
    }

    /// Where the value of a key such as `servers.gate.rootport` comes from: `file config.json:3:5`,
    /// `env LAMPYRIS__SERVERS__GATE__ROOTPORT`, or `default`.
    pub fn origin(&self, key: &str) -> String {
        match self.written.value_place(key) {
            Some(
                place @ Place {
                    origin: Origin::File(_),
                    ..
                },
            ) => format!("file {place}"),
            Some(place) => place.to_string(),
            None => "default".to_owned(),
        }
    }

    /// The text of the file for [`render_human`]. It may hold secrets.
    pub fn source_text(&self) -> &str {
        self.written.source.text()
    }

    /// The node of a name.
    pub fn node(&self, name: &str) -> Option<&NodeConfig> {
        self.nodes.iter().find(|node| node.name.as_str() == name)
    }

    /// The nodes that dial `parent`, in the order of the file.
    pub fn children_of<'a>(&'a self, parent: &'a NodeName) -> impl Iterator<Item = &'a NodeConfig> {
        self.nodes
            .iter()
            .filter(move |node| node.parents.iter().any(|p| p.name == *parent))
    }

    /// The nodes that `child` dials, in the order of its `remoteport`.
    pub fn parents_of<'a>(&'a self, child: &'a NodeName) -> impl Iterator<Item = &'a NodeConfig> {
        let parents = self.node(child.as_str()).map_or(&[][..], |node| &node.parents);
        parents
            .iter()
            .filter_map(|parent| self.node(parent.name.as_str()))
    }

    /// The nodes in the order in which they can be started: nodes of one level do not need each other, and the
    /// parents of each stand in an earlier level.
    pub fn start_order(&self) -> Vec<Vec<NodeName>> {
        let mut left: Vec<&NodeConfig> = self.nodes.iter().collect();
        let mut levels = Vec::new();
        while !left.is_empty() {
            let waits = |node: &NodeConfig| {
                node.parents
                    .iter()
                    .any(|parent| left.iter().any(|other| other.name == parent.name))
            };
            let (later, ready): (Vec<_>, Vec<_>) = left.iter().copied().partition(|node| waits(node));
            // No level can be empty: a circle of parents is a fault.
            let level = if ready.is_empty() { &left } else { &ready };
            levels.push(level.iter().map(|node| node.name.clone()).collect());
            left = if ready.is_empty() { Vec::new() } else { later };
        }
        levels
    }
}
