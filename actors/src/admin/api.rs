//! What stands under /api/v1.

use actix::Addr;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use lampyris_runtime::name::NodeName;
use serde::Deserialize;
use serde_json::json;

use super::problem::{faults, not_found, problem, unavailable};
use crate::master::{
    Act, Action, FindOperation, Leave, Master, Nodes, NotReloaded, Refused, Reload, RollingRestart,
    StopCluster,
};

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/nodes").route(web::get().to(nodes)))
        .service(web::resource("/nodes/{name}/actions/{action}").route(web::post().to(act)))
        .service(web::resource("/operations/{id}").route(web::get().to(operation)))
        .service(web::resource("/cluster/actions/stop").route(web::post().to(stop)))
        .service(web::resource("/cluster/actions/rolling-restart").route(web::post().to(rolling_restart)))
        .service(web::resource("/cluster/actions/reload").route(web::post().to(reload)))
        .default_service(web::to(not_found));
}

async fn nodes(master: web::Data<Addr<Master>>) -> HttpResponse {
    match master.send(Nodes).await {
        Ok(nodes) => HttpResponse::Ok().json(nodes),
        Err(_) => unavailable(),
    }
}

async fn act(path: web::Path<(String, String)>, master: web::Data<Addr<Master>>) -> HttpResponse {
    let (name, word) = path.into_inner();
    let action = match word.as_str() {
        "start" => Action::Start,
        "stop" => Action::Stop,
        "restart" => Action::Restart,
        "reload" => Action::Reload,
        _ => {
            let text = format!("no action is called {word:?}; there are start, stop, restart and reload");
            return problem(StatusCode::NOT_FOUND, "no such action", text);
        }
    };
    let no_such_node = || {
        problem(
            StatusCode::NOT_FOUND,
            "no such node",
            format!("no node is called {name:?}"),
        )
    };
    let Ok(node) = NodeName::new(&name) else {
        return no_such_node();
    };
    match master.send(Act { name: node, action }).await {
        Ok(Ok(None)) => HttpResponse::Accepted().json(json!({ "node": name, "action": word })),
        Ok(Ok(Some(id))) => {
            HttpResponse::Accepted().json(json!({ "node": name, "action": word, "operation": id }))
        }
        Ok(Err(Refused::NoSuchNode)) => no_such_node(),
        Ok(Err(Refused::NotStartedHere)) => {
            let text =
                format!("{name} is started by hand, on this host or another (--only, or start = false)");
            problem(StatusCode::CONFLICT, "not started here", text)
        }
        Ok(Err(Refused::Stopping)) => stopping(),
        Err(_) => unavailable(),
    }
}

fn stopping() -> HttpResponse {
    let text = "the whole cluster is stopping; nothing is started any more";
    problem(StatusCode::CONFLICT, "stopping", text)
}

async fn operation(id: web::Path<String>, master: web::Data<Addr<Master>>) -> HttpResponse {
    let id = id.into_inner();
    match master.send(FindOperation(id.clone())).await {
        Ok(Some(operation)) => HttpResponse::Ok().json(operation),
        Ok(None) => {
            let text = format!("this master knows no operation {id:?}, or has forgotten it");
            problem(StatusCode::NOT_FOUND, "no such operation", text)
        }
        Err(_) => unavailable(),
    }
}

async fn rolling_restart(master: web::Data<Addr<Master>>) -> HttpResponse {
    match master.send(RollingRestart).await {
        Ok(Ok(id)) => HttpResponse::Accepted().json(json!({ "action": "rolling-restart", "operation": id })),
        Ok(Err(_)) => stopping(),
        Err(_) => unavailable(),
    }
}

/// What may be said of the stop of the cluster; nothing need be.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StopBody {
    /// The master ends alone.
    keep_nodes: bool,
}

async fn stop(body: web::Bytes, master: web::Data<Addr<Master>>) -> HttpResponse {
    const BY: &str = "the admin API";
    let wish = match body.as_ref() {
        [] => Ok(StopBody::default()),
        text => serde_json::from_slice(text),
    };
    let done = match wish {
        Err(error) => {
            let text = format!("the body is no JSON such as {{\"keep_nodes\": true}}: {error}");
            return problem(StatusCode::BAD_REQUEST, "bad body", text);
        }
        Ok(StopBody { keep_nodes: true }) => master.send(Leave { by: BY }).await,
        Ok(StopBody { keep_nodes: false }) => {
            let stop = StopCluster { by: BY, now: false };
            master.send(stop).await.map(Ok)
        }
    };
    match done {
        Ok(Ok(())) => HttpResponse::Accepted().json(json!({ "action": "stop" })),
        Ok(Err(_)) => stopping(),
        Err(_) => unavailable(),
    }
}

async fn reload(master: web::Data<Addr<Master>>) -> HttpResponse {
    match master.send(Reload).await {
        Ok(Ok(done)) => HttpResponse::Ok().json(done),
        Ok(Err(NotReloaded::Faults { findings, text })) => faults(&text, &findings),
        Ok(Err(NotReloaded::Stopping)) => stopping(),
        Ok(Err(NotReloaded::RunDir(text))) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the run folder cannot be written to",
            text,
        ),
        Err(_) => unavailable(),
    }
}
