//! A command through the real port for clients, over a connection of its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use lampyris_runtime::config::NodeConfig;
use lampyris_runtime::hex;
use lampyris_runtime::packet::{Decoded, Dialect, Packet};
use lampyris_runtime::reply::Wrote;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::request::CommandCall;
use super::{Failure, Outcome, Reply};
use crate::admin::body::MAX_BODY;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;
use crate::net::NetSettings;
use crate::protocol::FollowClient;
use crate::report::trace_text;

/// The longest answer of a command that is taken, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// A command over a connection of its own, as any client's.
pub(super) async fn as_client(
    seat: &Seat,
    node: &NodeConfig,
    call: &CommandCall,
    time: Duration,
    trace: Option<u128>,
) -> Result<Outcome, Problem> {
    let (command, payload) = (call.command, call.payload()?);
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
                hex: hex::encode(&packet.payload),
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
        .encode(command, &mut write, MAX_BODY, &mut frame)
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

fn error_frame(payload: &[u8]) -> Failure {
    let frame: Value = serde_json::from_slice(payload).unwrap_or_default();
    let text = |key: &str| frame[key].as_str().unwrap_or("unknown").to_owned();
    Failure {
        error: text("error"),
        ran: text("ran"),
        message: text("message"),
    }
}
