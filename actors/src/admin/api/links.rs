//! The links between nodes, as the ends see them.

use std::time::Instant;

use actix_web::web::{Data, Json, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::admin::auth::Viewer;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::report::LinkReport;

/// Which links.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct LinksQuery {
    /// Only those of this node, as it sees them.
    node: Option<String>,
}

/// A link as one of its ends sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct LinkView {
    /// The end that tells it.
    node: String,
    /// How old this is, in seconds.
    report_age: Option<f64>,
    #[serde(flatten)]
    link: LinkReport,
}

/// All links, each as both of its ends see it.
#[utoipa::path(get, path = "/api/v1/links", tag = "links", params(LinksQuery),
    responses((status = 200, body = [LinkView])))]
pub(in crate::admin) async fn links(
    _: Viewer,
    seat: Data<Seat>,
    query: Query<LinksQuery>,
) -> Result<Json<Vec<LinkView>>, Problem> {
    view(&seat, query.node.as_deref()).await.map(Json)
}

/// The links of all nodes, or of one.
pub(in crate::admin) async fn view(seat: &Seat, node: Option<&str>) -> Result<Vec<LinkView>, Problem> {
    let now = Instant::now();
    let mut all = Vec::new();
    for view in seat.nodes().await? {
        let name = view.supervision.name;
        if node.is_some_and(|wanted| wanted != name.as_str()) {
            continue;
        }
        seat.records.node(name.as_str(), |known| {
            let report_age = known.age(now).map(|age| age.as_secs_f64());
            all.extend(known.report.links.iter().map(|link| LinkView {
                node: name.to_string(),
                report_age,
                link: link.clone(),
            }));
        });
    }
    Ok(all)
}
