//! The handlers of all nodes: how often they are called, how they end, how long they take.

use actix_web::web::{Data, Json, Query};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::admin::auth::Viewer;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::admin::views::{self, HandlerView};

/// What the list is sorted by, the most first.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::admin) enum Top {
    /// Calls a second.
    Calls,
    /// The time of 99 of 100 calls.
    Latency,
    /// Calls that ended by an error.
    Errors,
}

/// Which handlers.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct HandlersQuery {
    /// Only those of this node.
    node: Option<String>,
    /// Sorted by this, the most first.
    #[param(inline)]
    top: Option<Top>,
}

/// All handlers.
#[utoipa::path(get, path = "/api/v1/handlers", tag = "handlers", params(HandlersQuery),
    responses((status = 200, body = [HandlerView])))]
pub(in crate::admin) async fn handlers(
    _: Viewer,
    seat: Data<Seat>,
    query: Query<HandlersQuery>,
) -> Result<Json<Vec<HandlerView>>, Problem> {
    let mut all = Vec::new();
    for view in seat.nodes().await? {
        let name = view.supervision.name;
        if query.node.as_ref().is_none_or(|wanted| wanted == name.as_str()) {
            let own = seat
                .records
                .node(name.as_str(), |known| views::handlers(name.as_str(), known));
            all.extend(own.unwrap_or_default());
        }
    }
    let most = |handler: &HandlerView| match query.top {
        None => 0.0,
        Some(Top::Calls) => handler.calls_per_second.unwrap_or(handler.calls as f64),
        Some(Top::Latency) => handler.p99.unwrap_or(0.0),
        Some(Top::Errors) => handler.failed() as f64,
    };
    all.sort_by(|left, right| most(right).total_cmp(&most(left)));
    Ok(Json(all))
}
