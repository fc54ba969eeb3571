//! What is asked of a node or of the cluster. With `dry_run` nothing is done: the answer says what would be.

pub(in crate::admin) mod cluster;
pub(in crate::admin) mod force;
pub(in crate::admin) mod node;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(in crate::admin) use node::NodeAction;

use crate::admin::effect::Situation;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::master::NodeView;
use lampyris_runtime::config::Config;

/// Whether to do it, in the query.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct DryRun {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// What is being done, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct ActionAnswer {
    /// The action.
    action: String,
    /// The node; `null` for the cluster.
    node: Option<String>,
    /// Whether nothing was done.
    dry_run: bool,
    /// What it does, in words.
    effect: String,
    /// By which `/api/v1/operations/{id}` tells how far it is; only of what takes its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
}

impl ActionAnswer {
    fn respond(self) -> HttpResponse {
        match self.dry_run {
            true => HttpResponse::Ok().json(self),
            false => HttpResponse::Accepted().json(self),
        }
    }
}

fn situation<'a>(seat: &Seat, config: &'a Config, nodes: &'a [NodeView], name: &str) -> Situation<'a> {
    let numbers = seat.records.node(name, |known| {
        let clients = known
            .report
            .clients
            .as_ref()
            .map_or(0, |clients| clients.connected);
        (known.report.depth(), clients)
    });
    let (in_flight, clients) = numbers.unwrap_or_default();
    Situation {
        config,
        nodes,
        in_flight,
        clients,
    }
}

fn stopping() -> Problem {
    let text = "the whole cluster is stopping; nothing is started any more";
    Problem::conflict("stopping", text)
}

fn no_such_action(word: &str) -> Problem {
    let text = format!(
        "no action is called {word:?}; a node has start, stop, restart, reload, drain, undrain, kill and force, the \
         cluster has stop, reload and rolling-restart"
    );
    Problem::new(StatusCode::NOT_FOUND, "no such action", text)
}

/// A reason, as it stands behind an action in the events.
fn because(reason: Option<&str>) -> String {
    reason.map(|why| format!(" ({why})")).unwrap_or_default()
}
