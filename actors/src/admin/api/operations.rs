//! What was asked for and takes its time: how far it is.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};

use crate::admin::auth::Viewer;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::master::{FindOperation, Operation};

/// How far a restart, a node's reload or a rolling restart is, or how it ended.
#[utoipa::path(get, path = "/api/v1/operations/{id}", tag = "actions",
    params(("id" = String, Path, description = "As the action was answered")),
    responses((status = 200, body = Operation)))]
pub(in crate::admin) async fn operation(
    _: Viewer,
    seat: Data<Seat>,
    id: Path<String>,
) -> Result<Json<Operation>, Problem> {
    let found = seat.master.send(FindOperation(id.clone())).await;
    let found = found.map_err(|_| Problem::unavailable())?;
    found.map(Json).ok_or_else(|| {
        let text = format!("this master knows no operation {id:?}, or has forgotten it");
        Problem::new(StatusCode::NOT_FOUND, "no such operation", text)
    })
}
