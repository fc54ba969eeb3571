//! The cluster as a whole.

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::auth::Viewer;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::admin::verdict::{Verdict, judge};
use crate::admin::views::{NodeSummary, summary};
use crate::meter::Times;

/// The cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct ClusterView {
    /// Its name.
    name: String,
    /// The version of the runtime.
    version: &'static str,
    /// The configuration's file.
    config: String,
    /// For how long the master has been running, in seconds.
    pub(in crate::admin) uptime: f64,
    /// How it is, in one line and with all reasons.
    verdict: Verdict,
    /// All nodes taken together.
    totals: Totals,
    /// The number of the last event.
    last_event: u64,
}

/// All nodes taken together; of those that report.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Totals {
    /// Nodes.
    nodes: usize,
    /// Nodes that are ready.
    ready: usize,
    /// Nodes whose last report is fresh.
    reporting: usize,
    /// Game clients.
    clients: u64,
    /// Calls a second, of all handlers.
    calls_per_second: f64,
    /// Calls a second that ended by an error.
    errors_per_second: f64,
    /// The time of half of the calls in the last 10 to 20 seconds, in seconds.
    p50: Option<f64>,
    /// The time of 99 of 100 of them.
    p99: Option<f64>,
    /// How often nodes were started again.
    restarts: u64,
    /// Resident memory of the nodes, in bytes.
    rss: u64,
}

/// How the cluster is.
#[utoipa::path(get, path = "/api/v1/cluster", tag = "cluster", responses((status = 200, body = ClusterView)))]
pub(in crate::admin) async fn cluster(_: Viewer, seat: Data<Seat>) -> Result<Json<ClusterView>, Problem> {
    view(&seat).await.map(Json)
}

/// The cluster at this moment.
pub(in crate::admin) async fn view(seat: &Seat) -> Result<ClusterView, Problem> {
    let nodes: Vec<_> = seat
        .nodes()
        .await?
        .into_iter()
        .map(|node| summary(seat, node))
        .collect();
    let standing = seat.standing().await?;
    Ok(ClusterView {
        name: seat.config().name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        config: seat.config().file.display().to_string(),
        uptime: standing.uptime,
        verdict: judge(&nodes, standing.stopping),
        totals: totals(seat, &nodes),
        last_event: *seat.records.last_event().borrow(),
    })
}

fn totals(seat: &Seat, nodes: &[NodeSummary]) -> Totals {
    let mut totals = Totals {
        nodes: nodes.len(),
        ready: nodes.iter().filter(|node| node.state == "ready").count(),
        restarts: nodes.iter().map(|node| node.restarts).sum(),
        ..Totals::default()
    };
    let mut times = Times::default();
    for node in nodes.iter().filter(|node| node.reports()) {
        totals.reporting += 1;
        totals.rss += node.rss.unwrap_or(0);
        totals.clients += node.clients.unwrap_or(0);
        if let Some(last) = node.last {
            totals.calls_per_second += f64::from(last.calls_per_second.unwrap_or(0.0));
            totals.errors_per_second += f64::from(last.errors_per_second.unwrap_or(0.0));
        }
        seat.records.node(&node.name, |known| {
            let own = known.report.handlers.iter();
            own.filter(|handler| !crate::report::is_internal(&handler.service))
                .for_each(|handler| times.add(&known.recent(handler).1));
        });
    }
    (totals.p50, totals.p99) = (times.quantile(0.5), times.quantile(0.99));
    totals
}
