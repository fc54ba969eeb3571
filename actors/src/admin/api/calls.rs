//! One call by hand: a command through the real port for clients, or a message to a handler; with its spans.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Path};
use bytes::{Bytes, BytesMut};
use lampyris_runtime::codec;
use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::error::Fault;
use lampyris_runtime::packet::{Decoded, Dialect, Packet};
use lampyris_runtime::reply::Wrote;
use lampyris_runtime::trace::{Context, Traced};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use utoipa::ToSchema;

use crate::admin::auth::{Admin, Viewer};
use crate::admin::body::Body;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::net::NetSettings;
use crate::protocol::FollowClient;
use crate::remote::call_by_name;
use crate::report::{Span, new_trace, trace_text};

/// The time of a call, unless one is given, in milliseconds.
const TIME_MS: u64 = 5_000;

/// The longest time of a call, in milliseconds.
const MOST_MS: u64 = 60_000;

/// How long spans are waited for when the answer is there; and for how long none has come when they are all there.
const SPANS_WAIT: Duration = Duration::from_millis(1000);
const SPANS_QUIET: Duration = Duration::from_millis(60);

/// One call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::admin) enum CallRequest {
    /// A client's command, through the node's port for clients.
    Command(CommandCall),
    /// A message to a handler.
    Handler(HandlerCall),
}

/// A client's command. Its payload is the first of `hex`, `text` and `json` that is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct CommandCall {
    /// The node; it needs a port for clients.
    node: String,
    /// The number of the command.
    #[schema(minimum = 0, maximum = 4294967295i64)]
    #[serde(deserialize_with = "command")]
    command: u32,
    /// The payload as hexadecimal digits.
    #[schema(pattern = "^([0-9a-fA-F]{2})*$")]
    hex: Option<String>,
    /// The payload as text.
    text: Option<String>,
    /// The payload as JSON, which goes as its text.
    json: Option<Value>,
    /// How long the call may take, in milliseconds; 5000 if it is absent.
    #[schema(minimum = 1, maximum = 60000)]
    #[serde(default, deserialize_with = "whole")]
    deadline_ms: Option<u64>,
}

/// A message to a handler: the first of `hex` and `json` that is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct HandlerCall {
    /// The node.
    node: String,
    /// The name of the message, such as `game.play`.
    handler: String,
    /// The message in MessagePack, as hexadecimal digits.
    #[schema(pattern = "^([0-9a-fA-F]{2})*$")]
    hex: Option<String>,
    /// The message as JSON.
    json: Option<Value>,
    /// How long the call may take, in milliseconds; 5000 if it is absent.
    #[schema(minimum = 1, maximum = 60000)]
    #[serde(default, deserialize_with = "whole")]
    deadline_ms: Option<u64>,
}

impl CallRequest {
    fn node(&self) -> &str {
        match self {
            Self::Command(call) => &call.node,
            Self::Handler(call) => &call.node,
        }
    }

    fn time(&self) -> Result<Duration, Problem> {
        let time = match self {
            Self::Command(call) => call.deadline_ms,
            Self::Handler(call) => call.deadline_ms,
        };
        let time = time.unwrap_or(TIME_MS);
        if !(1..=MOST_MS).contains(&time) {
            return Err(Problem::bad_request(format!(
                "deadline_ms is {time}; allowed are 1 to {MOST_MS}"
            )));
        }
        Ok(Duration::from_millis(time))
    }

    /// What is called, in words.
    fn called(&self) -> String {
        match self {
            Self::Command(call) => format!("command {}", call.command),
            Self::Handler(call) => format!("handler {:?}", call.handler),
        }
    }
}

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
    if !allowed(&seat.config) {
        let text = "calls are not allowed by this configuration (admin.calls)";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", text));
    }
    let no_such_node = || Problem::no_such_node(request.node());
    let node = seat.config.node(request.node()).ok_or_else(no_such_node)?;
    let (time, trace) = (request.time()?, new_trace());
    let started = Instant::now();
    let outcome = match &request {
        CallRequest::Command(call) => as_client(&seat, node, call, time, trace).await?,
        CallRequest::Handler(call) => of_handler(&seat, call, time, trace).await?,
    };
    let seconds = started.elapsed().as_secs_f64();
    seat.audit(
        &who.name,
        Some(request.node()),
        format!("call of {}", request.called()),
    );
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
    if call.handler.starts_with("lampyris.") {
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
        match call_by_name(&link, &call.handler, body, time, traced).await {
            Ok(body) => Outcome::Reply(Reply {
                hex: to_hex(&body),
                text: None,
                json: codec::decode(&body).ok(),
            }),
            Err(fault) => Outcome::Failure(failure(&fault)),
        },
    )
}

fn failure(fault: &Fault) -> Failure {
    Failure {
        error: fault.kind.name().to_owned(),
        ran: fault.ran().name().to_owned(),
        message: fault.message.to_string(),
    }
}

fn payload(call: &CommandCall) -> Result<Bytes, Problem> {
    if let Some(hex) = &call.hex {
        return from_hex(hex);
    }
    let text = call
        .text
        .clone()
        .or_else(|| call.json.as_ref().map(Value::to_string));
    Ok(text.unwrap_or_default().into())
}

/// A command over a connection of its own, as any client's.
async fn as_client(
    seat: &Seat,
    node: &NodeConfig,
    call: &CommandCall,
    time: Duration,
    trace: Option<u128>,
) -> Result<Outcome, Problem> {
    let (command, payload) = (call.command, payload(call)?);
    let name = node.name.as_str();
    let no_port = || Problem::conflict("no port for clients", format!("{name} has no netport")).node(name);
    let port = node.netport.ok_or_else(no_port)?;
    let host = seat.node(name).await?.host;
    let host = Some(node.netbind).filter(|ip| !ip.is_unspecified()).or(host);
    let addr = SocketAddr::new(host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port);
    let talk = async {
        let mut stream = TcpStream::connect(addr).await?;
        if let Some(trace) = trace {
            let (addr, trace) = (stream.local_addr()?, trace_text(trace));
            // Without it the call is made all the same.
            drop(seat.ask(name, FollowClient { addr, trace }).await);
        }
        ask(&mut stream, &*NetSettings::of(node).dialect, command, &payload).await
    };
    let answer = tokio::time::timeout(time, talk).await;
    let none = |error: &str, message: String| {
        Outcome::Failure(Failure {
            error: error.to_owned(),
            ran: "maybe".to_owned(),
            message,
        })
    };
    Ok(match answer {
        Err(_) => none("timeout", format!("no answer within {} s", time.as_secs_f64())),
        Ok(Err(error)) => none("link_lost", format!("the connection to {addr}: {error}")),
        Ok(Ok(packet)) if packet.command == 0 && command != 0 => {
            Outcome::Failure(error_frame(&packet.payload))
        }
        Ok(Ok(packet)) => {
            let text = String::from_utf8(packet.payload.to_vec()).ok();
            Outcome::Reply(Reply {
                hex: to_hex(&packet.payload),
                json: text.as_ref().and_then(|text| serde_json::from_str(text).ok()),
                text,
            })
        }
    })
}

/// Sends one frame and waits for the answer, or the error frame that stands for it; pushes are passed over.
async fn ask(
    stream: &mut TcpStream,
    dialect: &dyn Dialect,
    command: u32,
    payload: &[u8],
) -> io::Result<Packet> {
    let mut frame = BytesMut::new();
    let mut write = |out: &mut BytesMut| {
        out.extend_from_slice(payload);
        Ok(Wrote::Reply)
    };
    dialect
        .encode(command, &mut write, super::super::body::MAX_BODY, &mut frame)
        .map_err(io::Error::other)?;
    stream.write_all(&frame).await?;
    let mut buffer = BytesMut::new();
    loop {
        match dialect
            .decode(&mut buffer, MAX_ANSWER)
            .map_err(io::Error::other)?
        {
            Decoded::Packet(packet) if packet.command == command || packet.command == 0 => return Ok(packet),
            Decoded::Packet(_) => {}
            Decoded::Partial(_) => {
                if stream.read_buf(&mut buffer).await? == 0 {
                    let text = "the node closed it without an answer";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
            }
        }
    }
}

/// The longest answer of a command that is taken, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

fn error_frame(payload: &[u8]) -> Failure {
    let frame: Value = serde_json::from_slice(payload).unwrap_or_default();
    let text = |key: &str| frame[key].as_str().unwrap_or("unknown").to_owned();
    Failure {
        error: text("error"),
        ran: text("ran"),
        message: text("message"),
    }
}

/// A whole number, which JSON may write with a fraction of nothing: `5.0`.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    const MOST_EXACT: f64 = 9_007_199_254_740_991.0;
    let Some(number) = Option::<f64>::deserialize(from)? else {
        return Ok(None);
    };
    if number.fract() != 0.0 || !(0.0..=MOST_EXACT).contains(&number) {
        return Err(D::Error::custom(format!("{number} is no whole number from 0 on")));
    }
    Ok(Some(number as u64))
}

fn command<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let number = whole(from)?.and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| D::Error::custom("command: a whole number from 0 to 4294967295"))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Bytes, Problem> {
    let bad = || Problem::bad_request("hex: an even number of hexadecimal digits");
    let digits = text.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        Some(digit(pair[0])? << 4 | digit(pair[1])?)
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes.filter(|_| rest.is_empty()).map(Bytes::from).ok_or_else(bad)
}
