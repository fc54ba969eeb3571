//! What is asked of the cluster as a whole.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ActionAnswer, DryRun, because, no_such_action, situation, stopping};
use crate::admin::auth::Admin;
use crate::admin::body::Body;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::master::{Leave, NotReloaded, Reload, RollingRestart, StopCluster};

/// Who has asked for an end, for the master's terminal.
const BY: &str = "the admin API";

/// How an action is to be done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct ClusterRequest {
    /// Why, for the events.
    reason: Option<String>,
    /// Only say what would be done.
    dry_run: bool,
    /// Of stop: the master ends alone, and the nodes go on for the next one.
    keep_nodes: bool,
    /// Of stop: kill all nodes at once.
    now: bool,
}

/// Asks something of the cluster: stop, rolling-restart, or reload, which applies the configuration as it stands in the
/// file. A reload is answered when it is done, with the keys that are applied and those that wait for a restart.
#[utoipa::path(post, path = "/api/v1/cluster/actions/{action}", tag = "actions",
    params(("action" = String, Path, description = "stop, rolling-restart or reload"), DryRun),
    request_body(content = Option<ClusterRequest>),
    responses((status = 202, description = "It is being done", body = ActionAnswer),
              (status = 200, description = "What would be done, or what the reload has done", body = Object)))]
pub(in crate::admin) async fn of_cluster(
    Admin(who): Admin,
    seat: Data<Seat>,
    word: Path<String>,
    query: Query<DryRun>,
    Body(request): Body<Option<ClusterRequest>>,
) -> Result<HttpResponse, Problem> {
    let (word, request) = (word.into_inner(), request.unwrap_or_default());
    let (config, nodes) = (seat.config(), seat.nodes().await?);
    let situation = situation(&seat, &config, &nodes, "");
    let effect = match word.as_str() {
        "stop" if request.keep_nodes => situation.of_leave(),
        "stop" if request.now => situation.of_kill(),
        "stop" => situation.of_stop(),
        "rolling-restart" => situation.of_rolling_restart(),
        "reload" => situation.of_reload(),
        _ => return Err(no_such_action(&word)),
    };
    if (request.keep_nodes || request.now) && word != "stop" {
        return Err(Problem::bad_request(
            "keep_nodes and now belong to the action stop",
        ));
    }
    if request.keep_nodes && request.now {
        return Err(Problem::bad_request(
            "nodes that are kept are not killed: keep_nodes or now",
        ));
    }
    let mut answer = ActionAnswer {
        effect,
        action: word.clone(),
        node: None,
        dry_run: query.dry_run || request.dry_run,
        operation: None,
    };
    if answer.dry_run {
        return Ok(answer.respond());
    }
    let why = because(request.reason.as_deref());
    seat.audit(&who.name, None, format!("{word} of the cluster{why}"));
    match word.as_str() {
        "reload" => return reload(&seat).await,
        "rolling-restart" => answer.operation = Some(rolling_restart(&seat).await?),
        _ => stop(&seat, &request).await?,
    }
    Ok(answer.respond())
}

async fn stop(seat: &Seat, request: &ClusterRequest) -> Result<(), Problem> {
    let done = match request.keep_nodes {
        true => seat.master.send(Leave { by: BY }).await,
        false => {
            let (by, now) = (BY, request.now);
            let stop = StopCluster { by, now };
            seat.master.send(stop).await.map(Ok)
        }
    };
    done.map_err(|_| Problem::unavailable())?.map_err(|_| stopping())
}

async fn rolling_restart(seat: &Seat) -> Result<String, Problem> {
    let done = seat.master.send(RollingRestart).await;
    done.map_err(|_| Problem::unavailable())?.map_err(|_| stopping())
}

async fn reload(seat: &Seat) -> Result<HttpResponse, Problem> {
    let done = seat.master.send(Reload).await;
    match done.map_err(|_| Problem::unavailable())? {
        Ok(done) => Ok(HttpResponse::Ok().json(done)),
        Err(NotReloaded::Faults { findings, text }) => Err(Problem::not_applied(text, &findings)),
        Err(NotReloaded::Stopping) => Err(stopping()),
        Err(NotReloaded::RunDir(text)) => Err(Problem::run_dir(text)),
    }
}
