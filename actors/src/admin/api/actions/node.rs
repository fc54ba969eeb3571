//! What is asked of one node.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use lampyris_runtime::config::Role;
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::process::Sign;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ActionAnswer, DryRun, because, no_such_action, situation, stopping};
use crate::admin::auth::Operator;
use crate::admin::body::Body;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::master::{Act, Action, Kill, NodeView, Refused};
use crate::protocol::SetDrained;

/// What can be asked of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum NodeAction {
    Start,
    Stop,
    Restart,
    Reload,
    Drain,
    Undrain,
    Kill,
}

const NODE_ACTIONS: [(&str, NodeAction); 7] = [
    ("start", NodeAction::Start),
    ("stop", NodeAction::Stop),
    ("restart", NodeAction::Restart),
    ("reload", NodeAction::Reload),
    ("drain", NodeAction::Drain),
    ("undrain", NodeAction::Undrain),
    ("kill", NodeAction::Kill),
];

/// How an action is to be done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct ActionRequest {
    /// Why, for the events.
    reason: Option<String>,
    /// Only say what would be done.
    dry_run: bool,
    /// Of kill: the signal, SIGKILL unless it is given.
    signal: Option<KillSignal>,
}

/// The signals of kill.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::admin) enum KillSignal {
    /// SIGKILL, for the process and all that it has started.
    Kill,
    /// SIGTERM: it stops in order.
    Term,
    /// SIGABRT: it ends with a trace.
    Abrt,
}

impl KillSignal {
    fn sign(self) -> Sign {
        match self {
            Self::Kill => Sign::Kill,
            Self::Term => Sign::Terminate,
            Self::Abrt => Sign::Abort,
        }
    }
}

/// Asks something of a node: start, stop, restart, reload (a restart with the program that is on the disk now), drain,
/// undrain, or kill (which needs the role admin).
#[utoipa::path(post, path = "/api/v1/nodes/{name}/actions/{action}", tag = "actions",
    params(("name" = String, Path, description = "The node"),
           ("action" = String, Path, description = "start, stop, restart, reload, drain, undrain or kill"), DryRun),
    request_body(content = Option<ActionRequest>),
    responses((status = 202, description = "It is being done", body = ActionAnswer),
              (status = 200, description = "What would be done", body = ActionAnswer)))]
pub(in crate::admin) async fn of_node(
    Operator(who): Operator,
    seat: Data<Seat>,
    path: Path<(String, String)>,
    query: Query<DryRun>,
    Body(request): Body<Option<ActionRequest>>,
) -> Result<HttpResponse, Problem> {
    let request = request.unwrap_or_default();
    let (name, word) = path.into_inner();
    let known = NODE_ACTIONS.iter().find(|(known, _)| *known == word);
    let action = known
        .map(|(_, action)| *action)
        .ok_or_else(|| no_such_action(&word))?;
    if action == NodeAction::Kill && who.role < Role::Admin {
        seat.desk.refused_by_role();
        let text = "to kill a node is for the role admin";
        return Err(Problem::new(
            actix_web::http::StatusCode::FORBIDDEN,
            "forbidden",
            text,
        ));
    }
    if request.signal.is_some() && action != NodeAction::Kill {
        return Err(Problem::bad_request("signal belongs to the action kill"));
    }
    let nodes = seat.nodes().await?;
    let is_meant = |node: &&NodeView| node.supervision.name.as_str() == name;
    let node = nodes
        .iter()
        .find(is_meant)
        .ok_or_else(|| Problem::no_such_node(&name))?;
    let config = seat.config();
    let mut answer = ActionAnswer {
        effect: situation(&seat, &config, &nodes, &name).of_node(node, action),
        action: word.clone(),
        node: Some(name.clone()),
        dry_run: query.dry_run || request.dry_run,
        operation: None,
    };
    if matches!(action, NodeAction::Drain | NodeAction::Undrain) {
        check_drain(&seat, &name)?;
    }
    if !answer.dry_run {
        let why = because(request.reason.as_deref());
        seat.audit(&who.name, Some(&name), format!("{word}{why}"));
        answer.operation = carry_out(&seat, &node.supervision.name, action, request.signal).await?;
    }
    Ok(answer.respond())
}

async fn carry_out(
    seat: &Seat,
    node: &NodeName,
    action: NodeAction,
    signal: Option<KillSignal>,
) -> Result<Option<String>, Problem> {
    let drained = match action {
        NodeAction::Start => return act(seat, node, Action::Start).await,
        NodeAction::Stop => return act(seat, node, Action::Stop).await,
        NodeAction::Restart => return act(seat, node, Action::Restart).await,
        NodeAction::Reload => return act(seat, node, Action::Reload).await,
        NodeAction::Kill => return kill(seat, node, signal).await.map(|()| None),
        NodeAction::Drain => true,
        NodeAction::Undrain => false,
    };
    seat.ask(node.as_str(), SetDrained { drained }).await?;
    Ok(None)
}

async fn act(seat: &Seat, node: &NodeName, action: Action) -> Result<Option<String>, Problem> {
    let name = node.clone();
    let done = seat
        .master
        .send(Act { name, action })
        .await
        .map_err(|_| Problem::unavailable())?;
    done.map_err(|refused| match refused {
        Refused::NoSuchNode => Problem::no_such_node(node.as_str()),
        Refused::NotStartedHere => {
            let text =
                format!("{node} is started by hand, on this host or another (--only, or start = false)");
            Problem::conflict("not started here", text).node(node)
        }
        Refused::Stopping => stopping(),
    })
}

async fn kill(seat: &Seat, node: &NodeName, signal: Option<KillSignal>) -> Result<(), Problem> {
    let pid = seat
        .master
        .send(Kill(node.clone(), signal.map_or(Sign::Kill, KillSignal::sign)))
        .await
        .map_err(|_| Problem::unavailable())?;
    let none = || {
        let text = format!("{node} has no process that this master could kill");
        Problem::conflict("no process", text).node(node)
    };
    pid.map(drop).ok_or_else(none)
}

/// Only a node that nobody connects to can be taken out of service: its links are its own to make again.
fn check_drain(seat: &Seat, name: &str) -> Result<(), Problem> {
    let config = seat.config();
    let Some(node) = config.node(name) else {
        return Err(Problem::no_such_node(name));
    };
    if node.netport.is_none() && config.children_of(&node.name).next().is_none() {
        return Ok(());
    }
    let text = format!("{name} has clients or children, which would be without it");
    let problem = Problem::conflict("cannot be drained", text).node(name);
    Err(problem.hint("restart it: it finishes its calls first, and its successor takes over"))
}
