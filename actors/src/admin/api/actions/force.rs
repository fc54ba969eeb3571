//! The action force: the entities of a node that does not come back, or has lost its journal, are freed.
//!
//! The master has no database. A node that has one does it: the node itself if it is up, which spares what it owns now;
//! else any other, once it is certain that the node does not write any more.

use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::rt::time::sleep;
use actix_web::web::{Data, Path, Query};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::{NodeSnapshot, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DryRun, because};
use crate::admin::auth::Admin;
use crate::admin::body::Body;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::master::NodeView;
use crate::protocol::{Force, ReportNow};
use crate::records::Known as Report;

/// How it is to be done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct ForceRequest {
    /// Why, for the events, the log and the leases themselves. A dry run does without, though that is not described.
    #[schema(value_type = String, required = true, pattern = "\\S")]
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
/// journal that it has lost. Any other has to be stopped or failed for good. It need not be in the configuration any
/// more.
#[utoipa::path(post, path = "/api/v1/nodes/{name}/actions/force", tag = "actions",
    params(("name" = String, Path, description = "The node"), DryRun),
    request_body(content = ForceRequest),
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
    let dry_run = query.dry_run || request.dry_run;
    let reason = request.reason.filter(|reason| !reason.trim().is_empty());
    if reason.is_none() && !dry_run {
        return Err(Problem::bad_request(
            "force needs a reason; only a dry run does not",
        ));
    }
    let nodes = seat.nodes().await?;
    for node in &nodes {
        hear_from(&seat, &node.supervision).await;
    }
    let known: Vec<Known> = nodes.iter().map(|node| Known::of(&seat, node)).collect();
    let by = carrier(owner.as_str(), &known)?;
    let why = because(reason.as_deref());
    let force = Force {
        owner: owner.to_string(),
        reason: format!("{} has asked for it{why}", who.name),
        dry_run,
    };
    let tell = |text| seat.audit(&who.name, Some(owner.as_str()), text);
    if !dry_run {
        tell(format!("force{why}"));
    }
    let outcome = seat.ask_slowly(by, force).await;
    if !dry_run {
        tell(match &outcome {
            Ok(count) => format!("force has freed {}, by {by}", entities(*count)),
            Err(problem) => format!("force has failed, and may have freed some: {problem}"),
        });
    }
    let count = outcome?;
    Ok(HttpResponse::Ok().json(ForceAnswer {
        action: "force",
        effect: effect(owner.as_str(), by, count),
        by: by.to_owned(),
        node: owner.to_string(),
        dry_run,
        entities: count,
    }))
}

/// Waits for the first word of a node whose present life has told nothing yet, for a while.
async fn hear_from(seat: &Seat, node: &NodeSnapshot) {
    const PATIENCE: Duration = Duration::from_secs(1);
    const LOOK: Duration = Duration::from_millis(20);
    let name = node.name.as_str();
    let is_of_now = |known: &Report| Some(known.report.incarnation) == node.incarnation;
    let has_told = || seat.records.node(name, is_of_now).unwrap_or_default();
    if !node.state.is_up() || has_told() || seat.ask(name, ReportNow).await.is_err() {
        return;
    }
    let asked = Instant::now();
    while !has_told() && asked.elapsed() < PATIENCE {
        sleep(LOOK).await;
    }
}

/// What matters of a node here.
struct Known<'a> {
    name: &'a str,
    /// Whether the life that it is in has told of a store. What is configured now need not be what it was started with.
    has_store: bool,
    state: State,
    /// Whether it has no process that could write, and gets none unless somebody asks for it.
    is_dead: bool,
}

impl<'a> Known<'a> {
    fn of(seat: &Seat, node: &'a NodeView) -> Self {
        let NodeSnapshot {
            name, incarnation, ..
        } = &node.supervision;
        let tells =
            |known: &Report| *incarnation == Some(known.report.incarnation) && known.report.data.is_some();
        Self {
            name: name.as_str(),
            has_store: seat.records.node(name.as_str(), tells).unwrap_or_default(),
            state: node.supervision.state,
            is_dead: is_dead(&node.supervision),
        }
    }
}

/// Whether a node has ended for good. One that is waited for, looked for, or was lost sight of may write again.
fn is_dead(node: &NodeSnapshot) -> bool {
    let has_ended = match node.state {
        State::Failed => true,
        State::Stopped => !node.wanted,
        _ => false,
    };
    has_ended && node.pid.is_none() && node.beside.is_none()
}

/// The node that is to free the entities of `owner`.
fn carrier<'a>(owner: &str, nodes: &[Known<'a>]) -> Result<&'a str, Problem> {
    let refused = |text: String, hint: &str| {
        let problem = Problem::conflict("still runs", text).node(owner);
        Err(problem.hint(hint))
    };
    let own = nodes.iter().find(|node| node.name == owner);
    match own {
        Some(node) if node.state.is_up() && node.has_store => return Ok(node.name),
        Some(node) if node.state.is_up() => {
            let text =
                format!("{owner} is up and has not told of a database, so that it cannot do it itself");
            return refused(text, "stop it first");
        }
        Some(node) if !node.is_dead => {
            let state = node.state;
            let text = format!("{owner} is {state}; it may still write what it owns, or starts again");
            return refused(text, "wait until it is ready, or stop it first");
        }
        _ => {}
    }
    let able = || nodes.iter().filter(|node| node.has_store && node.state.is_up());
    let by = able().find(|node| node.state == State::Ready).or(able().next());
    by.map(|node| node.name).ok_or_else(|| {
        let text = format!("no other node is up with a database, to free what {owner} owns");
        let problem = Problem::conflict("no database", text).node(owner);
        problem.hint(format!(
            "start one; {owner} itself will do, and frees what it owns under journals that it has lost"
        ))
    })
}

fn entities(count: u64) -> String {
    match count {
        1 => "1 entity".to_owned(),
        many => format!("{many} entities"),
    }
}

fn effect(owner: &str, by: &str, count: u64) -> String {
    let is_itself = owner == by;
    let some = entities(count);
    match (count, is_itself) {
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
    use lampyris_runtime::name::Incarnation;
    use lampyris_runtime::supervisor::roster::{Event, NodeSpec, Roster};

    use super::*;

    fn node(name: &str) -> Known<'_> {
        Known {
            name,
            has_store: true,
            state: State::Ready,
            is_dead: false,
        }
    }

    fn gone(name: &str) -> Known<'_> {
        Known {
            has_store: false,
            state: State::Stopped,
            is_dead: true,
            ..node(name)
        }
    }

    #[test]
    fn a_node_that_is_up_frees_its_own_and_another_one_those_of_a_node_that_is_gone() {
        let by = |owner, nodes: &[Known<'static>]| carrier(owner, nodes).ok();
        assert_eq!(by("game1", &[node("game2"), node("game1")]), Some("game1"));
        assert_eq!(by("game1", &[gone("game1"), node("game2")]), Some("game2"));
        assert_eq!(by("forgotten", &[gone("game1"), node("game2")]), Some("game2"));
        let degraded = Known {
            state: State::Degraded,
            ..node("game2")
        };
        let game3 = [degraded, gone("game1"), node("game3")];
        assert_eq!(by("game1", &game3), Some("game3"), "its database is surely up");
        assert_eq!(by("game1", &game3[..2]), Some("game2"));
    }

    #[test]
    fn a_node_that_may_still_write_is_let_alone_and_without_a_database_nobody_can() {
        let refusal = |nodes: &[Known<'_>]| carrier("game1", nodes).unwrap_err().to_string();
        for state in [
            State::Unreachable,
            State::Backoff,
            State::Starting,
            State::Stopped,
        ] {
            let silent = Known {
                state,
                is_dead: false,
                ..gone("game1")
            };
            let refused = refusal(&[silent, node("game2")]);
            assert!(
                refused.starts_with(&format!("still runs: game1 is {state}")),
                "{refused}"
            );
        }
        // Started when it had a store, or another one.
        let without = Known {
            has_store: false,
            ..node("game1")
        };
        let refused = refusal(&[without, node("game2")]);
        assert!(refused.starts_with("still runs: game1 is up"), "{refused}");
        let refused = refusal(&[gone("game1"), gone("game2")]);
        assert!(refused.starts_with("no database: no other node"), "{refused}");
    }

    /// A node that its master starts, or that is started elsewhere, through what may become of it.
    #[test]
    fn a_node_is_dead_when_it_has_ended_and_nobody_waits_for_it() {
        let now = Instant::now();
        let name = NodeName::new("game1").unwrap();
        let life = Incarnation::draw().unwrap();
        for start in [true, false] {
            let spec = NodeSpec {
                start,
                ..NodeSpec::new(name.clone())
            };
            let mut roster = Roster::new(now, vec![spec], 1).unwrap();
            let mut told = |event: Option<Event>| {
                if let Some(event) = event {
                    drop(roster.on_event(now, event));
                }
                let node = roster.snapshot(now).remove(0);
                (node.state, is_dead(&node))
            };
            assert_eq!(told(None), (State::Stopped, true));
            if start {
                assert_eq!(told(Some(Event::StartAll)), (State::Starting, false));
                continue;
            }
            let joined = Event::Joined {
                name: name.clone(),
                incarnation: life,
                pid: 7,
            };
            assert_eq!(told(Some(joined)), (State::Starting, false));
            let lost = Event::LinkLost {
                name: name.clone(),
                incarnation: life,
            };
            assert_eq!(told(Some(lost)), (State::Unreachable, false));
            let stop = Event::Stop(name.clone());
            assert_eq!(told(Some(stop)), (State::Stopped, true), "an operator says so");
        }
    }
}
