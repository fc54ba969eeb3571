//! Whether the process answers, and whether the cluster serves; for whoever watches processes from outside.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::problem::Problem;
use super::seat::Seat;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let get = |path| {
        web::resource(path).default_service(web::to(|| async { Problem::not_allowed("GET").response() }))
    };
    config
        .service(get("/healthz").route(web::get().to(|| async { "ok\n" })))
        .service(get("/readyz").route(web::get().to(ready)));
}

/// 200 when every node that this master is to keep running is ready; else 503 with the reasons.
async fn ready(seat: web::Data<Seat>) -> Result<HttpResponse, Problem> {
    let nodes = seat.nodes().await?;
    let stopping = seat.standing().await?.stopping;
    let mut reasons: Vec<String> = nodes
        .iter()
        .map(|node| &node.supervision)
        .filter(|node| !node.state.is_up())
        .map(|node| format!("{} is {}: {}", node.name, node.state, node.reason))
        .collect();
    if stopping {
        reasons.push("the whole tree is stopping".to_owned());
    }
    Ok(match reasons.is_empty() {
        true => HttpResponse::Ok().json(json!({ "ready": true, "reasons": [] })),
        false => HttpResponse::ServiceUnavailable().json(json!({ "ready": false, "reasons": reasons })),
    })
}
