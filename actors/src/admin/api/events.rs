//! What has happened in the cluster.

use actix_web::web::{Data, Json, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::admin::auth::Viewer;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::records::{Event, EventKind};

/// Events of one answer, unless a number is given.
const PAGE: usize = 500;

/// The greatest number that JSON keeps exact.
const MOST_EXACT: u64 = (1 << 53) - 1;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct EventsQuery {
    /// Only those behind this number.
    #[param(minimum = 0, maximum = 9007199254740991i64)]
    since: Option<u64>,
    /// Only those of this node.
    node: Option<String>,
    /// Only those of this kind.
    #[param(inline)]
    kind: Option<EventKind>,
    /// At most so many, the newest.
    #[param(minimum = 1, maximum = 5000)]
    limit: Option<usize>,
}

/// Some events.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct EventsPage {
    /// Oldest first.
    events: Vec<Event>,
    /// The number of the last event there is.
    last: u64,
}

/// The last events.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventsQuery),
    responses((status = 200, body = EventsPage)))]
pub(in crate::admin) async fn events(
    _: Viewer,
    seat: Data<Seat>,
    query: Query<EventsQuery>,
) -> Result<Json<EventsPage>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=5000).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "limit is {limit}; allowed are 1 to 5000"
        )));
    }
    let since = query.since.unwrap_or(0);
    if since > MOST_EXACT {
        return Err(Problem::bad_request(format!(
            "since is {since}; allowed are 0 to {MOST_EXACT}"
        )));
    }
    let fits = |event: &Event| {
        query
            .node
            .as_ref()
            .is_none_or(|node| event.node.as_ref() == Some(node))
            && query.kind.is_none_or(|kind| event.kind == kind)
    };
    Ok(Json(EventsPage {
        events: seat.records.events(since, limit, fits),
        last: *seat.records.last_event().borrow(),
    }))
}
