//! How the cluster is, in one line and with the cause. Pure.

use serde::Serialize;
use utoipa::ToSchema;

use super::views::NodeSummary;

/// How the whole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// Every node that should run is ready.
    Healthy,
    /// Some are not, or not quite.
    Degraded,
    /// None is ready.
    Down,
    /// The whole tree is being stopped.
    Stopping,
}

impl Health {
    /// The word for it, as answers have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Stopping => "stopping",
        }
    }

    /// The same at the beginning of a line.
    fn heading(self) -> String {
        let (first, rest) = self.name().split_at(1);
        first.to_uppercase() + rest
    }
}

/// The whole in one line, and every reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Verdict {
    /// How it is.
    pub(super) health: Health,
    /// One line for a person, with the first cause.
    pub(super) line: String,
    /// All causes, the gravest first.
    pub(super) reasons: Vec<String>,
}

/// Judges the nodes.
pub(super) fn judge(nodes: &[NodeSummary], stopping: bool) -> Verdict {
    let mut causes: Vec<(u8, String)> = nodes.iter().filter_map(cause).collect();
    causes.sort_by_key(|(weight, _)| *weight);
    let reasons: Vec<String> = causes.into_iter().map(|(_, cause)| cause).collect();
    let ready = nodes.iter().filter(|node| node.state == "ready").count();
    let serving = nodes
        .iter()
        .any(|node| node.state == "ready" || node.state == "degraded");
    let health = match (stopping, serving, reasons.is_empty()) {
        (true, ..) => Health::Stopping,
        (_, false, _) => Health::Down,
        (_, true, true) => Health::Healthy,
        (_, true, false) => Health::Degraded,
    };
    let count = format!("{ready} of {} nodes ready", nodes.len());
    let line = match reasons.first() {
        Some(first) => format!("{}: {first} ({count})", health.heading()),
        None => format!("{}: {count}", health.heading()),
    };
    Verdict {
        health,
        line,
        reasons,
    }
}

/// What is wrong with a node, and how grave it is: 0 is the gravest. A node that an operator has stopped is no fault.
fn cause(node: &NodeSummary) -> Option<(u8, String)> {
    let NodeSummary {
        name, state, reason, ..
    } = node;
    let told = |weight| Some((weight, format!("{name} is {state}: {reason}")));
    match state.as_str() {
        "failed" => told(0),
        "backoff" => told(1),
        "unreachable" => told(2),
        "degraded" => told(3),
        "starting" | "draining" | "stopping" => told(4),
        "stopped" => told(5),
        _ if node.report_age.is_some() && !node.reports() => {
            let age = node.report_age.unwrap_or_default();
            Some((3, format!("{name} has not reported for {age:.0} s")))
        }
        _ if node.drained == Some(true) => {
            Some((6, format!("{name} is out of service: an operator has drained it")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, state: &str) -> NodeSummary {
        let mut node = NodeSummary::for_tests(name);
        (node.state, node.reason) = (state.to_owned(), format!("because of {name}"));
        node
    }

    #[test]
    fn the_line_names_the_gravest_cause() {
        let healthy = judge(&[node("gate", "ready"), node("net", "ready")], false);
        assert_eq!(
            (healthy.health, &healthy.line[..]),
            (Health::Healthy, "Healthy: 2 of 2 nodes ready")
        );
        let nodes = [
            node("gate", "degraded"),
            node("net", "ready"),
            node("game1", "failed"),
        ];
        let degraded = judge(&nodes, false);
        assert_eq!(
            degraded.line,
            "Degraded: game1 is failed: because of game1 (1 of 3 nodes ready)"
        );
        assert_eq!(degraded.reasons.len(), 2);
        assert_eq!(judge(&[node("gate", "backoff")], false).health, Health::Down);
        assert_eq!(judge(&nodes, true).health, Health::Stopping);
        assert_eq!(judge(&[], false).health, Health::Down);
    }

    #[test]
    fn silence_and_drained_nodes_are_told() {
        let (mut silent, mut drained) = (node("gate", "ready"), node("game1", "ready"));
        silent.report_age = Some(12.2);
        drained.drained = Some(true);
        let verdict = judge(&[drained, silent], false);
        assert_eq!(verdict.reasons[0], "gate has not reported for 12 s");
        assert!(verdict.reasons[1].contains("out of service"));
    }
}
