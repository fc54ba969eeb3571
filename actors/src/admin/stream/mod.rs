//! News as they come, in one stream of server-sent events: `GET /stream?topics=cluster,nodes,events`.
//!
//! | topic | events |
//! | --- | --- |
//! | `cluster` | `cluster`: the whole, when it is another: twice a second, and when something has happened |
//! | `nodes` | `nodes`: those whose numbers or state are others, as often |
//! | `node:NAME` | `node`: all of one, without its points |
//! | `links` | `links` |
//! | `events` | `event`, each with its number as id; those behind `Last-Event-ID` first |
//! | `logs:NAME` | `log`: the lines that a node, or the `master`, writes from now on |
//!
//! A task writes, the connection reads. Events are told at once, the rest at most twenty times a second; a comment every
//! 15 s keeps proxies awake. A reader that lets a mebibyte gather, or takes nothing for ten seconds while something waits,
//! is cut off.

mod feed;
mod pipe;
mod told;
mod topics;

use actix_web::dev::Extensions;
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use lampyris_runtime::reply::Permit;
use serde::Deserialize;
use utoipa::IntoParams;

use super::auth::Viewer;
use super::problem::Problem;
use super::seat::Seat;
use topics::Topics;

/// Streams at one time.
const MOST: usize = 256;

/// What is to be told.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct StreamQuery {
    /// Topics with commas between: cluster, nodes, links, events, node:NAME, logs:NAME; `cluster,events` if absent.
    topics: Option<String>,
    /// Events behind this number come first, as with `Last-Event-ID`, which goes before it.
    #[param(minimum = 0, maximum = 9007199254740991i64)]
    since: Option<u64>,
}

/// News as they come, as server-sent events.
#[utoipa::path(get, path = "/api/v1/stream", tag = "stream", params(StreamQuery),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(in crate::admin) async fn stream(
    _: Viewer,
    request: HttpRequest,
    seat: Data<Seat>,
    query: Query<StreamQuery>,
) -> Result<HttpResponse, Problem> {
    let topics = Topics::parse(query.topics.as_deref(), |name| {
        name == "master" || seat.config().node(name).is_some()
    })?;
    let since = request
        .headers()
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok())
        .or(query.since);
    let socket = request.conn_data::<pipe::Socket>().cloned();
    let Some(place) = Permit::acquire(&seat.streams, MOST) else {
        let text = format!("{MOST} streams are open");
        return Err(Problem::new(
            actix_web::http::StatusCode::TOO_MANY_REQUESTS,
            "too many streams",
            text,
        )
        .retry_after(10));
    };
    let (writer, reader) = pipe::open(socket, place);
    actix::spawn(feed::run(seat.get_ref().clone(), topics, since, writer));
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // Proxies that gather answers would hold the news back.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .body(reader))
}

/// Keeps a handle of each connection's socket with it, so that a reader that does not read can be cut off.
pub(super) fn remember_socket(connection: &dyn std::any::Any, with: &mut Extensions) {
    let stream = connection.downcast_ref::<actix_web::rt::net::TcpStream>();
    if let Some(socket) = stream.and_then(pipe::Socket::of) {
        with.insert(socket);
    }
}
