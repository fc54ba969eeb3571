//! What the API tells, as far as the commands show it. A master of another version may leave things out.

use serde::Deserialize;

/// The cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) uptime: f64,
    pub(super) verdict: Verdict,
    pub(super) totals: Totals,
}

/// How it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Verdict {
    pub(super) health: String,
    pub(super) line: String,
}

/// All nodes taken together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Totals {
    pub(super) clients: u64,
    pub(super) calls_per_second: f64,
    pub(super) errors_per_second: f64,
    pub(super) p99: Option<f64>,
    pub(super) restarts: u64,
    pub(super) rss: u64,
}

/// One node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) start: bool,
    pub(super) app: String,
    pub(super) pid: Option<u32>,
    pub(super) restarts: u64,
    pub(super) uptime: Option<f64>,
    pub(super) rss: Option<u64>,
    pub(super) clients: Option<u64>,
    pub(super) mailbox: Option<u64>,
    pub(super) drained: Option<bool>,
    pub(super) warnings: Vec<String>,
    pub(super) parents: Vec<String>,
    pub(super) last: Option<Last>,
}

/// The last second of a node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Last {
    pub(super) calls_per_second: Option<f64>,
    pub(super) errors_per_second: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) cpu: Option<f64>,
}

impl Node {
    /// The state in a word, and whether an operator has taken the node out of service.
    pub(super) fn standing(&self) -> String {
        match self.drained {
            Some(true) => format!("{} (drained)", self.state),
            _ => self.state.clone(),
        }
    }

    /// What there is to say besides the state: why it is not ready, or what to look at.
    pub(super) fn remark(&self) -> &str {
        match self.state.as_str() {
            "ready" => self.warnings.first().map_or("", String::as_str),
            _ => &self.reason,
        }
    }

    /// Whether it serves.
    pub(super) fn is_up(&self) -> bool {
        self.state == "ready" || self.state == "degraded"
    }
}

/// A link as one of its ends sees it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    pub(super) node: String,
    pub(super) peer: String,
    pub(super) relation: String,
    pub(super) up: bool,
    pub(super) epoch: u64,
    pub(super) rtt_us: Option<u64>,
    pub(super) calls: u64,
    pub(super) queued: u64,
    pub(super) held: u64,
    pub(super) why_down: Option<String>,
}

/// A handler.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Handler {
    pub(super) node: String,
    pub(super) name: String,
    pub(super) command: Option<u32>,
    pub(super) calls: u64,
    pub(super) running: u64,
    pub(super) errors: std::collections::BTreeMap<String, u64>,
    pub(super) calls_per_second: Option<f64>,
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
}

/// How far an operation is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Operation {
    pub(super) state: String,
    pub(super) error: Option<String>,
}
