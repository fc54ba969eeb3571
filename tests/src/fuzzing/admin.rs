//! Requests to the administrator's port, with the right token. Unlike the targets it needs a master that runs, so
//! coverage does not guide it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::mutate::Mutator;
use super::replay::patience;
use crate::Cluster;
use crate::tell::measured;

/// A request that is not whole is waited for by the server; not so long here.
const PATIENCE: Duration = Duration::from_millis(30);

/// What must not be asked, as it is understood.
const STOP: &[u8] = b"cluster/actions";

/// Asks for a while; gives the number of requests.
///
/// # Panics
/// An answer says that the server failed, or the master has ended.
pub fn requests() -> u64 {
    let cluster = Cluster::study();
    cluster.start();
    let known = seeds(cluster.token());
    let mut mutator = Mutator::new(crate::cluster::random());
    let (started, mut tried) = (Instant::now(), 0);
    while started.elapsed() < patience() {
        let input = mutator.input(&known);
        if input.windows(STOP.len()).any(|window| window == STOP) {
            continue;
        }
        if let Some(status) = ask(&cluster, &input) {
            assert!(
                status < 500 || status == 503,
                "{status} for {:?}",
                String::from_utf8_lossy(&input)
            );
        }
        tried += 1;
    }
    measured(format_args!("admin: {tried} requests in {:?}", started.elapsed()));
    assert_eq!(cluster.admin().nodes().len(), 3);
    tried
}

/// Sends the bytes; the status of the answer, if one comes.
fn ask(cluster: &Cluster, input: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(cluster.webport()).expect("because the master listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("because it is not zero");
    // It may be closed before everything is sent.
    stream.write_all(input).unwrap_or_default();
    let mut line = [0; 12];
    stream.read_exact(&mut line).ok()?;
    std::str::from_utf8(line.get(9..)?).ok()?.parse().ok()
}

fn seeds(token: &str) -> Vec<Vec<u8>> {
    let lines = [
        ("GET", "/api/v1/nodes", ""),
        ("GET", "/api/v1/nodes/game1", ""),
        ("POST", "/api/v1/nodes/game1/actions/start", "{}"),
        (
            "POST",
            "/api/v1/nodes/game9/actions/restart",
            "{\"reason\": \"x\"}",
        ),
        ("POST", "/api/v1/nodes/%67ame1/actions/..%2f..%2fstop", "[1, 2]"),
        ("GET", "/", ""),
        ("GET", "/healthz", ""),
        ("GET", "/api/v1/../../etc/passwd", ""),
        ("PUT", "/api/v1/nodes?name=x&since=-1", "null"),
    ];
    let request = |(method, path, body): (&str, &str, &str)| {
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nX-Lampyris: 1\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    };
    lines.into_iter().map(request).collect()
}
