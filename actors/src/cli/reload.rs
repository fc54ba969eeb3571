//! `reload`: asks the master, by its API, to apply the configuration as it now stands, and tells what came of it.
//!
//! What is applied, and what is refused, is the master's decision.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use lampyris_runtime::config::{Config, applied_copy};
use serde_json::Value;

use super::args::Format;
use crate::admin::Token;
use crate::console::{eprint_line, print_line};

/// How long the master may take: longer than its nodes may.
const PATIENCE: Duration = Duration::from_secs(10);

/// It was refused, but not for a fault of the configuration.
const FAILED: u8 = 1;
/// Nobody answers.
const NOT_RUNNING: u8 = 3;
/// The token is not the master's.
const EX_NOPERM: u8 = 77;
/// The configuration is refused, or names no port of the API.
const EX_CONFIG: u8 = 78;

/// Asks for the reload; gives the exit code.
pub(super) fn run(config: &Config, format: Format) -> u8 {
    // Where the master listens stands in what it has applied; the file may name another port by now.
    let applied = config.load_copy_again(&applied_copy(&config.run_dir)).ok();
    let section = &applied.as_ref().unwrap_or(config).master;
    let Some(port) = section.webport else {
        eprint_line("error: the master has no webport, by which it could be asked");
        return EX_CONFIG;
    };
    let addr = SocketAddr::new(reachable(section.webbind), port);
    let token = match Token::known(config) {
        Ok(token) => token,
        Err(error) => {
            eprint_line(&format!("error: the administrator's token: {error}"));
            return NOT_RUNNING;
        }
    };
    match post(addr, "/api/v1/cluster/actions/reload", &token) {
        Ok((status, body)) => tell(status, &body, format),
        Err(error) => {
            eprint_line(&format!("error: no master answers at {addr}: {error}"));
            NOT_RUNNING
        }
    }
}

/// An address to connect to, for one that is bound.
fn reachable(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

fn post(addr: SocketAddr, path: &str, token: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let split = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    });
    split.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "this is no answer of a master"))
}

fn tell(status: u16, body: &str, format: Format) -> u8 {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    if format == Format::Json {
        print_line(body.trim_end());
    } else if status == 200 {
        lines(&answer).iter().for_each(|line| print_line(line));
    } else {
        let text = answer["detail"].as_str().unwrap_or(body);
        let before = if status == 422 { "" } else { "error: " };
        eprint_line(&format!("{before}{text}"));
    }
    match status {
        200 => 0,
        401 => EX_NOPERM,
        422 => EX_CONFIG,
        _ => FAILED,
    }
}

/// What was done, a line for each key.
fn lines(done: &Value) -> Vec<String> {
    if done["changed"] != true {
        return vec!["unchanged: the cluster goes by this configuration already".to_owned()];
    }
    let list = |key: &str| done[key].as_array().cloned().unwrap_or_default();
    let change = |change: &Value| {
        let shown = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
        let key = shown(&change["key"]);
        format!("{key}: {} -> {}", shown(&change["old"]), shown(&change["new"]))
    };
    let names = |nodes: &Value| {
        let names = nodes.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.collect::<Vec<_>>().join(", ")
    };
    let applied = list("applied").into_iter().map(|one| change(&one));
    let waiting = list("restart")
        .into_iter()
        .map(|one| format!("{}; needs a restart of {}", change(&one), names(&one["of"])));
    let unreached = Some(names(&done["unreached"])).filter(|names| !names.is_empty());
    applied
        .chain(waiting)
        .chain(unreached.map(|names| format!("not reached: {names}")))
        .collect()
}
