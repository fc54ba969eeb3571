//! The nodes, all of them or one.

use actix_web::web::{Data, Json, Path, Query};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::admin::auth::Viewer;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::admin::views::{NodeDetail, NodeSummary, detail, summary};
use crate::records::Known;

/// Which nodes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct NodesQuery {
    /// Only those in this state.
    state: Option<String>,
    /// Only those that run this application.
    app: Option<String>,
    /// Only those whose name contains this.
    q: Option<String>,
}

/// All nodes, in the order of the configuration.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "nodes", params(NodesQuery),
    responses((status = 200, body = [NodeSummary])))]
pub(in crate::admin) async fn nodes(
    _: Viewer,
    seat: Data<Seat>,
    query: Query<NodesQuery>,
) -> Result<Json<Vec<NodeSummary>>, Problem> {
    let fits = |node: &NodeSummary| {
        query.state.as_ref().is_none_or(|state| node.state == *state)
            && query.app.as_ref().is_none_or(|app| node.app == *app)
            && query
                .q
                .as_ref()
                .is_none_or(|text| node.name.contains(text.as_str()))
    };
    let nodes = seat.nodes().await?.into_iter().map(|node| summary(&seat, node));
    Ok(Json(nodes.filter(fits).collect()))
}

/// One node with all that is known of it.
#[utoipa::path(get, path = "/api/v1/nodes/{name}", tag = "nodes",
    params(("name" = String, Path, description = "The node")),
    responses((status = 200, body = NodeDetail)))]
pub(in crate::admin) async fn node(
    _: Viewer,
    seat: Data<Seat>,
    name: Path<String>,
) -> Result<Json<NodeDetail>, Problem> {
    let node = seat.node(&name).await?;
    let points = seat.records.node(&name, Known::points);
    let mut detail = detail(&seat, node);
    detail.points = points.unwrap_or_default();
    Ok(Json(detail))
}
