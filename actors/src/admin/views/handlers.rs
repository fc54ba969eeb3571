//! The handlers of a node as the API tells them, with rates and quantiles of the last seconds.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::records::Known;
use crate::report::{HandlerReport, is_internal};

/// One handler.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::admin) struct HandlerView {
    /// On which node.
    pub(in crate::admin) node: String,
    /// Of which service.
    service: String,
    /// Its name.
    pub(in crate::admin) name: String,
    /// The command of clients that it answers to.
    command: Option<u32>,
    /// Calls since the node's start.
    pub(in crate::admin) calls: u64,
    /// Calls that ended by an error, by its kind.
    errors: BTreeMap<String, u64>,
    /// Calls a second, in the last 10 to 20 seconds.
    pub(in crate::admin) calls_per_second: Option<f64>,
    /// The time of half of the calls, in seconds, in the last 10 to 20.
    p50: Option<f64>,
    /// The time of 90 of 100 calls.
    p90: Option<f64>,
    /// The time of 99 of 100 calls.
    pub(in crate::admin) p99: Option<f64>,
}

impl HandlerView {
    pub(in crate::admin) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// The handlers of a node, those of the runtime's own not among them.
pub(in crate::admin) fn handlers(node: &str, known: &Known) -> Vec<HandlerView> {
    let all = known.report.handlers.iter();
    all.filter(|handler| !is_internal(&handler.service))
        .map(|handler| view_of(node, known, handler))
        .collect()
}

fn view_of(node: &str, known: &Known, handler: &HandlerReport) -> HandlerView {
    let (calls_per_second, times) = known.recent(handler);
    HandlerView {
        node: node.to_owned(),
        service: handler.service.clone(),
        name: handler.name.clone(),
        command: handler.command,
        calls: handler.calls,
        errors: handler.errors.iter().cloned().collect(),
        calls_per_second,
        p50: times.quantile(0.5),
        p90: times.quantile(0.9),
        p99: times.quantile(0.99),
    }
}
