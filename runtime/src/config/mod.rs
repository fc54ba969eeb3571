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
//! | `file` | the bytes of the file, or why not |
//! | `json`, `toml` | a text to the tree |
//! | `env` | overrides by variables, `${VARIABLE}` in texts |
//! | `tree` | values with their spots |
//! | `read`, `units` | one key of a section as a checked value |
//! | `sections` | which keys there are |
//! | `model` | the typed result, with the defaults |
//! | `check`, `ports`, `exposure` | rules that concern several values, or the machine |
//! | `finding`, `render` | one fault or warning, and how people see it |
//! | `secret` | the secret of the links |
//!
//! It starts nothing and binds nothing.

mod finding;
mod model;
mod secret;
mod tree;

use std::path::PathBuf;

use crate::name::NodeName;

pub use finding::{Code, Finding, Origin, Place, Severity, Stretch};
pub use model::{
    ClientConfig, ClientErrors, DEFAULT_MASTER_PORT, DbConfig, LinkConfig, LogConfig, LogFormat,
    MasterConfig, MemcachedConfig, NodeConfig, OnCrashLoop, OnMasterLoss, Parent, Restart, RestartPolicy,
};
pub use secret::{MIN_SECRET, Secret, link_secret};

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
    /// Section `db`.
    pub db: Option<DbConfig>,
    /// Section `memcached`.
    pub memcached: Option<MemcachedConfig>,
    /// The secret of the links as configured (`secret`, or the content of `secret_file`); see [`link_secret`].
    pub secret: Option<Secret>,
    /// What is odd, but no fault.
    pub warnings: Vec<Finding>,
}

impl Config {
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
