//! One call by hand: a command through the real port for clients, or a message to a handler; with its spans.

mod client;
mod request;

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use bytes::Bytes;
use lampyris_runtime::codec;
use lampyris_runtime::config::Config;
use lampyris_runtime::error::Fault;
use lampyris_runtime::hex;
use lampyris_runtime::trace::{Context, Traced};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::admin::auth::{Admin, Viewer};
use crate::admin::body::Body;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::remote::call_traced;
use crate::report::{Span, is_internal, new_trace, trace_text};
use client::as_client;
use request::{CallRequest, HandlerCall, from_hex};

/// How long spans are waited for when the answer is there; and for how long none has come when they are all there.
const SPANS_WAIT: Duration = Duration::from_millis(1000);
const SPANS_QUIET: Duration = Duration::from_millis(60);

/// What came of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::admin) struct CallAnswer {
    /// The answer; `null` if there is none.
    reply: Option<Reply>,
    /// The error that stands for it.
    error: Option<Failure>,
    /// How long it took, in seconds.
    seconds: f64,
    /// The trace, for `GET /traces/{trace}`.
    trace: Option<String>,
    /// What each handler on the way did, by start.
    spans: Vec<Span>,
}

/// An answer in every form that it has.
#[derive(Debug, Serialize, ToSchema)]
struct Reply {
    /// As hexadecimal digits.
    hex: String,
    /// As text, if it is text.
    text: Option<String>,
    /// As JSON, of a handler's reply or a text that is JSON.
    json: Option<Value>,
}

/// An error that stands for an answer.
#[derive(Debug, Serialize, ToSchema)]
struct Failure {
    /// Which of the closed list.
    error: String,
    /// Whether the handler ran: no, yes or maybe.
    ran: String,
    /// One sentence.
    message: String,
}

enum Outcome {
    Reply(Reply),
    Failure(Failure),
}

/// Whether calls can be made: if so configured, else if the page is on loopback alone.
pub(in crate::admin) fn allowed(config: &Config) -> bool {
    config
        .admin
        .calls
        .unwrap_or_else(|| config.master.webbind.is_loopback())
}

/// Makes one call and gives what came of it, with what each handler on the way did.
#[utoipa::path(post, path = "/api/v1/calls", tag = "calls", request_body = CallRequest,
    responses((status = 200, body = CallAnswer)))]
pub(in crate::admin) async fn call(
    Admin(who): Admin,
    seat: Data<Seat>,
    Body(request): Body<CallRequest>,
) -> Result<Json<CallAnswer>, Problem> {
    if !allowed(&seat.config()) {
        let text = "calls are not allowed by this configuration (admin.calls)";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", text));
    }
    let no_such_node = || Problem::no_such_node(request.node());
    let config = seat.config();
    let node = config.node(request.node()).ok_or_else(no_such_node)?;
    let (time, trace) = (request.time()?, new_trace());
    // Before it is made: whoever asks may be gone before it has ended.
    let called = format!("call of {}", request.called());
    seat.audit(&who.name, Some(request.node()), called);
    let started = Instant::now();
    let outcome = match &request {
        CallRequest::Command(call) => as_client(&seat, node, call, time, trace).await?,
        CallRequest::Handler(call) => of_handler(&seat, call, time, trace).await?,
    };
    let seconds = started.elapsed().as_secs_f64();
    let trace = trace.map(trace_text);
    let spans = match &trace {
        Some(trace) => spans(&seat, trace).await,
        None => Vec::new(),
    };
    let (reply, error) = match outcome {
        Outcome::Reply(reply) => (Some(reply), None),
        Outcome::Failure(failure) => (None, Some(failure)),
    };
    Ok(Json(CallAnswer {
        reply,
        error,
        seconds,
        trace,
        spans,
    }))
}

/// The spans of a trace that are still known.
#[utoipa::path(get, path = "/api/v1/traces/{trace}", tag = "calls",
    params(("trace" = String, Path, description = "The trace, as 32 hexadecimal digits")),
    responses((status = 200, body = [Span])))]
pub(in crate::admin) async fn trace(
    _: Viewer,
    seat: Data<Seat>,
    trace: Path<String>,
) -> Result<Json<Vec<Span>>, Problem> {
    let spans = seat.records.trace(&trace);
    if spans.is_empty() {
        let text = format!("no span of trace {:?} is known", *trace);
        return Err(Problem::new(StatusCode::NOT_FOUND, "no such trace", text));
    }
    Ok(Json(spans))
}

/// Waits until the spans of a call have come, each by the link of its own node.
async fn spans(seat: &Seat, trace: &str) -> Vec<Span> {
    let (start, mut changed) = (Instant::now(), Instant::now());
    let mut spans = seat.records.trace(trace);
    while changed.elapsed() < SPANS_QUIET && start.elapsed() < SPANS_WAIT {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = seat.records.trace(trace);
        if now.len() != spans.len() {
            changed = Instant::now();
        }
        spans = now;
    }
    spans
}

async fn of_handler(
    seat: &Seat,
    call: &HandlerCall,
    time: Duration,
    trace: Option<u128>,
) -> Result<Outcome, Problem> {
    if is_internal(&call.handler) {
        let text = "the runtime's own messages are not for hand";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", text));
    }
    let body = match &call.hex {
        Some(hex) => from_hex(hex)?,
        None => {
            let message = codec::to_bytes(call.json.as_ref().unwrap_or(&Value::Null));
            message.map_err(|fault| Problem::bad_request(fault.to_string()))?
        }
    };
    let link = seat.link(&call.node).await?;
    let traced = trace.map(|trace| Traced {
        context: Context { trace, span: 0 },
        since: Instant::now(),
    });
    Ok(
        match call_traced(&link, &call.handler, body, time, traced).await {
            Ok(body) => Outcome::Reply(of_message(&body)),
            Err(fault) => Outcome::Failure(failure(&fault)),
        },
    )
}

/// A reply in MessagePack; one that is a client's payload is text, if it is any.
fn of_message(body: &Bytes) -> Reply {
    let json: Option<Value> = codec::decode(body).ok();
    let payload = || String::from_utf8(codec::decode::<Bytes>(body).ok()?.to_vec()).ok();
    Reply {
        hex: hex::encode(body),
        text: if json.is_none() { payload() } else { None },
        json,
    }
}

fn failure(fault: &Fault) -> Failure {
    Failure {
        error: fault.kind.name().to_owned(),
        ran: fault.ran().name().to_owned(),
        message: fault.message.to_string(),
    }
}
