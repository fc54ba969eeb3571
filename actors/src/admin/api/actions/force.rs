//! The action force: the entities of a node that does not come back, or has lost its journal, are freed.
//!
//! The master has no database. A node that has one does it: the node itself if it is up, which spares what it owns now;
//! else any other.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use lampyris_runtime::config::Config;
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DryRun, because};
use crate::admin::auth::Admin;
use crate::admin::body::Body;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::master::NodeView;
use crate::protocol::Force;

/// How it is to be done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct ForceRequest {
    /// Why, for the events, the log and the leases themselves.
    reason: Option<String>,
    /// Only say what would be done.
    dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct ForceAnswer {
    /// Always `force`.
    action: &'static str,
    /// Whose entities.
    node: String,
    /// Whether nothing was done.
    dry_run: bool,
    /// What it does, in words.
    effect: String,
    /// The node that does it.
    by: String,
    /// How many entities it frees.
    entities: u64,
}

/// Frees the entities that a node owns and does not come back for; needs the role admin. What is in its journal alone is
/// lost, and should it come back, it cannot write them any more. Of a node that is up, only those that it owns under a
/// journal that it has lost. The node need not be in the configuration any more.
#[utoipa::path(post, path = "/api/v1/nodes/{name}/actions/force", tag = "actions",
    params(("name" = String, Path, description = "The node"), DryRun),
    request_body(content = Option<ForceRequest>),
    responses((status = 200, description = "It is done, or would be", body = ForceAnswer)))]
pub(in crate::admin) async fn of_node(
    Admin(who): Admin,
    seat: Data<Seat>,
    name: Path<String>,
    query: Query<DryRun>,
    Body(request): Body<Option<ForceRequest>>,
) -> Result<HttpResponse, Problem> {
    let request = request.unwrap_or_default();
    let owner = NodeName::new(&name).map_err(|_| Problem::no_such_node(&name))?;
    let (config, nodes) = (seat.config(), seat.nodes().await?);
    let known: Vec<Known> = nodes.iter().map(|node| Known::of(&config, node)).collect();
    let by = carrier(owner.as_str(), &known)?;
    let dry_run = query.dry_run || request.dry_run;
    let why = because(request.reason.as_deref());
    if !dry_run {
        seat.audit(&who.name, Some(owner.as_str()), format!("force{why}"));
    }
    let force = Force {
        owner: owner.to_string(),
        reason: format!("{} has asked for it{why}", who.name),
        dry_run,
    };
    let entities = seat.ask_slowly(by, force).await?;
    Ok(HttpResponse::Ok().json(ForceAnswer {
        action: "force",
        effect: effect(owner.as_str(), by, entities),
        by: by.to_owned(),
        node: owner.to_string(),
        dry_run,
        entities,
    }))
}

/// What matters of a node here.
struct Known<'a> {
    name: &'a str,
    /// Whether it has a store.
    has_store: bool,
    /// Whether it serves.
    is_up: bool,
    /// Whether it lacks nothing, as a database that is down.
    is_ready: bool,
    /// Whether it has a process, or a link.
    is_there: bool,
}

impl<'a> Known<'a> {
    fn of(config: &Config, node: &'a NodeView) -> Self {
        let (name, state) = (node.supervision.name.as_str(), node.supervision.state);
        Self {
            name,
            has_store: config.node(name).is_some_and(|own| own.db),
            is_up: state.is_up(),
            is_ready: state == State::Ready,
            is_there: node.supervision.pid.is_some() || state.is_up(),
        }
    }
}

/// The node that is to free the entities of `owner`.
fn carrier<'a>(owner: &str, nodes: &[Known<'a>]) -> Result<&'a str, Problem> {
    let own = nodes.iter().find(|node| node.name == owner && node.has_store);
    match own {
        Some(node) if node.is_up => return Ok(node.name),
        Some(node) if node.is_there => {
            let text = format!("{owner} has a process, and may still write what it owns");
            let problem = Problem::conflict("still runs", text).node(owner);
            return Err(problem.hint("wait until it is ready, or stop or kill it"));
        }
        _ => {}
    }
    let able = || nodes.iter().filter(|node| node.has_store && node.is_up);
    let by = able().find(|node| node.is_ready).or(able().next());
    by.map(|node| node.name).ok_or_else(|| {
        let text = format!("no other node is up with a database, to free what {owner} owns");
        let problem = Problem::conflict("no database", text).node(owner);
        problem.hint(format!(
            "start one; {owner} itself will do, and frees what it owns under journals that it has lost"
        ))
    })
}

fn effect(owner: &str, by: &str, entities: u64) -> String {
    let is_itself = owner == by;
    let some = match entities {
        1 => "1 entity".to_owned(),
        many => format!("{many} entities"),
    };
    match (entities, is_itself) {
        (0, true) => format!("Nothing: {owner} owns no entities under a journal that it has lost."),
        (0, false) => format!("Nothing: {owner} owns no entities."),
        (_, true) => format!(
            "Frees {some} that {owner} owns under a journal that it has lost; what was in that alone is \
             lost."
        ),
        (_, false) => format!(
            "Frees {some} of {owner}; what is in its journal alone is lost, and should it come back, it \
             cannot write them."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> Known<'_> {
        Known {
            name,
            has_store: true,
            is_up: true,
            is_ready: true,
            is_there: true,
        }
    }

    fn gone(name: &str) -> Known<'_> {
        Known {
            is_up: false,
            is_ready: false,
            is_there: false,
            ..node(name)
        }
    }

    #[test]
    fn a_node_that_is_up_frees_its_own_and_another_one_those_of_a_node_that_is_gone() {
        let by = |owner, nodes: &[Known<'static>]| carrier(owner, nodes).ok();
        assert_eq!(by("game1", &[node("game2"), node("game1")]), Some("game1"));
        assert_eq!(by("game1", &[gone("game1"), node("game2")]), Some("game2"));
        assert_eq!(by("forgotten", &[gone("game1"), node("game2")]), Some("game2"));
        let without = Known {
            has_store: false,
            ..node("game1")
        };
        assert_eq!(by("game1", &[without, node("game2")]), Some("game2"));
        let degraded = Known {
            is_ready: false,
            ..node("game2")
        };
        let game3 = [degraded, gone("game1"), node("game3")];
        assert_eq!(by("game1", &game3), Some("game3"), "its database is surely up");
        assert_eq!(by("game1", &game3[..2]), Some("game2"));
    }

    #[test]
    fn a_node_that_may_still_write_is_let_alone_and_without_a_database_nobody_can() {
        let refusal = |nodes: &[Known<'_>]| carrier("game1", nodes).unwrap_err().to_string();
        let silent = Known {
            is_there: true,
            ..gone("game1")
        };
        let refused = refusal(&[silent, node("game2")]);
        assert!(refused.starts_with("still runs: game1"), "{refused}");
        let refused = refusal(&[gone("game1"), gone("game2")]);
        assert!(refused.starts_with("no database: no other node"), "{refused}");
    }
}
