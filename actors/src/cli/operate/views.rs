//! What the API tells, as far as the commands show it, and how it looks. A master of another version may leave things out.

use lampyris_runtime::supervisor::policy::FINAL_CODES;
use serde::Deserialize;

use super::table::Cell;
use crate::console::Paint;

/// How something stands. A state that this version does not know is [`Tone::Odd`]: worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    /// On its way to be good.
    Coming,
    Odd,
    Bad,
    /// Neither good nor bad: it is not wanted.
    Idle,
}

impl Tone {
    /// Of a state of nodes or links.
    pub(super) fn of_state(state: &str) -> Self {
        match state {
            "ready" | "up" => Self::Good,
            "starting" => Self::Coming,
            "failed" | "unreachable" | "down" => Self::Bad,
            "stopped" => Self::Idle,
            _ => Self::Odd,
        }
    }

    /// Of the health of a cluster.
    pub(super) fn of_health(health: &str) -> Self {
        match health {
            "healthy" => Self::Good,
            "down" => Self::Bad,
            _ => Self::Odd,
        }
    }

    /// Its colour.
    pub(super) fn paint(self) -> Paint {
        match self {
            Self::Good => Paint::Green,
            Self::Coming => Paint::Blue,
            Self::Odd => Paint::Yellow,
            Self::Bad => Paint::Red,
            Self::Idle => Paint::Dim,
        }
    }
}

/// The cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) uptime: f64,
    pub(super) verdict: Verdict,
    pub(super) totals: Totals,
}

/// How it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Verdict {
    pub(super) health: String,
    pub(super) line: String,
}

/// All nodes taken together.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
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
#[cfg_attr(test, derive(serde::Serialize))]
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
    /// Oldest first.
    pub(super) last_exits: Vec<Exit>,
}

/// One end of a node's process.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Exit {
    /// The exit code, if it ended by itself.
    pub(super) code: Option<i32>,
}

/// The last second of a node.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Last {
    pub(super) calls_per_second: Option<f64>,
    pub(super) errors_per_second: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) cpu: Option<f64>,
}

impl Node {
    /// The state in a word, and whether an operator has taken the node out of service.
    pub(super) fn standing(&self) -> Cell {
        let text = match self.drained {
            Some(true) => format!("{} (drained)", self.state),
            _ => self.state.clone(),
        };
        Cell::state(text, Tone::of_state(&self.state))
    }

    /// What there is to say besides the state: why it is not ready, or what to look at.
    pub(super) fn remark(&self) -> &str {
        match self.state.as_str() {
            "ready" => self.warnings.first().map_or("", String::as_str),
            _ => &self.reason,
        }
    }

    /// The exit code for which it has failed: one after which another attempt would not help.
    pub(super) fn fatal_code(&self) -> Option<u8> {
        let code = self.last_exits.last()?.code?;
        let is_fatal = self.state == "failed" && FINAL_CODES.contains(&code);
        u8::try_from(code).ok().filter(|_| is_fatal)
    }

    /// Whether it serves.
    pub(super) fn is_up(&self) -> bool {
        self.state == "ready" || self.state == "degraded"
    }
}

/// The database, journal and cache of a node.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Data {
    /// Whether it holds now. It stands beside the rest, not in it.
    #[serde(skip)]
    pub(super) is_current: bool,
    pub(super) database_up: bool,
    pub(super) database_down: Option<Outage>,
    pub(super) last_failure: Option<String>,
    pub(super) entities: u64,
    pub(super) backlog: u64,
    pub(super) backlog_age: f64,
    pub(super) journal_bytes: u64,
    pub(super) journal_failures: u64,
    pub(super) write_failures: u64,
    pub(super) fenced: u64,
    pub(super) cache: Option<Cache>,
}

/// A database that is down.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Outage {
    pub(super) since: f64,
    pub(super) why: String,
}

/// A cache.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Cache {
    pub(super) up: bool,
    pub(super) hits: u64,
    pub(super) misses: u64,
}

/// A link as one of its ends sees it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
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
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Handler {
    pub(super) node: String,
    pub(super) name: String,
    pub(super) command: Option<u32>,
    pub(super) calls: u64,
    pub(super) errors: std::collections::BTreeMap<String, u64>,
    pub(super) calls_per_second: Option<f64>,
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
}

/// How far an operation is.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Operation {
    pub(super) state: String,
    pub(super) error: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The names of the fields of a view.
    fn fields<T: Default + serde::Serialize>() -> Vec<String> {
        let Ok(Value::Object(view)) = serde_json::to_value(T::default()) else {
            panic!("a view is an object");
        };
        view.keys().cloned().collect()
    }

    #[test]
    fn every_field_that_is_read_is_one_that_the_api_describes() {
        let api = crate::admin::description();
        for (schema, fields) in [
            ("ClusterView", fields::<Cluster>()),
            ("Verdict", fields::<Verdict>()),
            ("Totals", fields::<Totals>()),
            ("NodeSummary", fields::<Node>()),
            ("Point", fields::<Last>()),
            ("ExitView", fields::<Exit>()),
            ("DataReport", fields::<Data>()),
            ("OutageReport", fields::<Outage>()),
            ("CacheReport", fields::<Cache>()),
            ("LinkView", fields::<Link>()),
            ("HandlerView", fields::<Handler>()),
            ("Operation", fields::<Operation>()),
        ] {
            let described = properties(&api, schema);
            for field in fields {
                assert!(
                    described.contains(&field),
                    "{schema} has no {field}; it has {described:?}"
                );
            }
        }
    }

    /// The properties of a schema, those of its parts included.
    fn properties(api: &Value, schema: &str) -> Vec<String> {
        let schema = &api["components"]["schemas"][schema];
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let mut all = Vec::new();
        for part in std::iter::once(schema).chain(parts) {
            if let Some(path) = part["$ref"].as_str() {
                all.extend(properties(api, path.rsplit('/').next().unwrap_or_default()));
            }
            all.extend(
                part["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone()),
            );
        }
        all
    }

    #[test]
    fn a_node_that_another_attempt_would_not_help_has_a_code_to_tell() {
        let node = |state: &str, codes: &[Option<i32>]| Node {
            state: state.to_owned(),
            last_exits: codes.iter().map(|&code| Exit { code }).collect(),
            ..Node::default()
        };
        assert_eq!(node("failed", &[Some(1), Some(78)]).fatal_code(), Some(78));
        for other in [
            node("failed", &[Some(78), Some(1)]),
            node("failed", &[Some(78), None]),
            node("failed", &[]),
            node("backoff", &[Some(78)]),
        ] {
            assert_eq!(other.fatal_code(), None, "{other:?}");
        }
    }

    #[test]
    fn states_and_verdicts_have_the_same_colours_everywhere_and_unknown_ones_are_seen() {
        for (state, paint) in [
            ("ready", Paint::Green),
            ("starting", Paint::Blue),
            ("draining", Paint::Yellow),
            ("unreachable", Paint::Red),
            ("stopped", Paint::Dim),
            ("of a later version", Paint::Yellow),
        ] {
            assert_eq!(Tone::of_state(state).paint(), paint, "{state}");
        }
        assert_eq!(Tone::of_health("degraded"), Tone::Odd);
    }
}
