//! Nobody but those who may get in by the administrator's port, whatever they send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::http::{self, Answer};
use cluster_tests::wait::until;
use serde_json::json;

const VIEWER: &str = "viewer-0123456789-token";
const OPERATOR: &str = "operator-0123456789-token";

/// The study's cluster with a token for each role.
fn with_roles() -> Cluster {
    let mut cluster = Cluster::study();
    let token = |name: &str, token: &str| json!({"name": name, "role": name, "token": token});
    cluster.set(
        "admin",
        json!({"tokens": [token("viewer", VIEWER), token("operator", OPERATOR)]}),
    );
    cluster.start();
    cluster.admin();
    cluster
}

fn send(cluster: &Cluster, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    http::send(cluster.webport(), method, path, headers, body)
        .unwrap_or_else(|why| panic!("{method} {path}: {why}"))
}

#[track_caller]
fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{answer:?}"
    );
    assert_eq!(answer.json()["status"], status);
}

#[test]
fn each_role_may_do_what_it_may() {
    let cluster = with_roles();
    let restart = ("POST", "/api/v1/nodes/game1/actions/restart?dry_run=true");
    let asked = [
        ("GET", "/api/v1/nodes", [200, 200, 200]),
        ("GET", "/api/v1/whoami", [200, 200, 200]),
        ("GET", "/api/v1/config", [403, 200, 200]),
        ("GET", "/api/v1/clients", [403, 200, 200]),
        ("DELETE", "/api/v1/clients/net:1", [403, 404, 404]),
        (restart.0, restart.1, [403, 200, 200]),
        (
            "POST",
            "/api/v1/nodes/game1/actions/kill?dry_run=true",
            [403, 403, 200],
        ),
        (
            "POST",
            "/api/v1/nodes/game1/actions/force?dry_run=true",
            [403, 403, 409],
        ),
        (
            "POST",
            "/api/v1/cluster/actions/stop?dry_run=true",
            [403, 403, 200],
        ),
        ("POST", "/api/v1/calls", [403, 403, 400]),
        ("GET", "/metrics", [200, 200, 200]),
    ];
    for (method, path, statuses) in asked {
        for (token, status) in [VIEWER, OPERATOR, cluster.token()].into_iter().zip(statuses) {
            let bearer = format!("Bearer {token}");
            let answer = send(&cluster, method, path, &[("Authorization", &bearer)], "");
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        }
    }
    assert_problem(&send(&cluster, "GET", "/metrics", &[], ""), 401);
}

#[test]
fn a_name_or_a_page_of_somebody_else_is_refused() {
    let cluster = with_roles();
    let bearer = format!("Bearer {}", cluster.token());
    let own = format!("http://{}", cluster.webport());
    let with = |name: &str, value: &str| {
        send(
            &cluster,
            "GET",
            "/api/v1/nodes",
            &[("Authorization", &bearer), (name, value)],
            "",
        )
    };
    for host in ["evil.example", "127.evil.example:80", "localhost.evil.example"] {
        assert_problem(&with("Host", host), 403);
        assert_problem(&send(&cluster, "GET", "/", &[("Host", host)], ""), 403);
        assert_problem(&send(&cluster, "GET", &format!("http://{host}/"), &[], ""), 403);
    }
    assert_eq!(
        with("Host", &format!("localhost:{}", cluster.webport().port())).status,
        200
    );
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert_problem(&with("Origin", origin), 403);
    }
    assert_eq!(with("Origin", &own).status, 200);
}

#[test]
fn a_session_is_opened_by_a_code_once_and_its_cookie_needs_an_origin_to_change_anything() {
    let cluster = Cluster::study();
    let master = cluster.start();
    let line = master.line("#code=");
    let code = line.rsplit("#code=").next().expect("a code").trim();
    let body = json!({ "code": code }).to_string();
    let own = format!("http://{}", cluster.webport());
    let open = || send(&cluster, "POST", "/api/v1/session", &[("Origin", &own)], &body);
    let opened = open();
    assert_eq!(opened.status, 200, "{}", opened.body);
    assert_eq!(opened.json()["role"], "admin");
    let cookie = opened.header("set-cookie").expect("a cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "it is no TLS: {cookie}");
    assert_problem(&open(), 401);
    let cookie = cookie.split(';').next().expect("a pair");
    let restart = "/api/v1/nodes/game1/actions/restart?dry_run=true";
    let with = |method: &str, path: &str, more: &[(&str, &str)]| {
        let headers: Vec<_> = [("Cookie", cookie)].iter().chain(more).copied().collect();
        send(&cluster, method, path, &headers, "")
    };
    assert_eq!(with("GET", "/api/v1/nodes", &[]).status, 200);
    assert_problem(&with("POST", restart, &[]), 403);
    assert_problem(&with("POST", restart, &[("Origin", &own)]), 403);
    assert_problem(&with("POST", restart, &[("X-Lampyris", "1")]), 403);
    assert_problem(
        &with(
            "POST",
            restart,
            &[("Origin", "http://evil.example"), ("X-Lampyris", "1")],
        ),
        403,
    );
    let both = [("Origin", own.as_str()), ("X-Lampyris", "1")];
    assert_eq!(with("POST", restart, &both).status, 200);
    assert_eq!(with("DELETE", "/api/v1/session", &both).status, 204);
    assert_problem(&with("GET", "/api/v1/nodes", &[]), 401);
}

#[test]
fn who_guesses_is_stopped_and_the_api_is_not() {
    let cluster = with_roles();
    let guess = || {
        send(
            &cluster,
            "POST",
            "/api/v1/session",
            &[],
            &json!({"token": "guess"}).to_string(),
        )
    };
    for _ in 0..5 {
        assert_problem(&guess(), 401);
    }
    let stopped = guess();
    assert_problem(&stopped, 429);
    let events = cluster.admin().get("events?kind=session");
    let told = events["events"].as_array().expect("a list");
    assert_eq!(told.len(), 1, "one of several at once: {events}");
    assert_eq!(told[0]["text"], "a log-in was refused: 127.0.0.1");
    assert!(stopped.header("retry-after").is_some(), "{stopped:?}");
    assert_eq!(
        cluster.admin().nodes().len(),
        3,
        "tokens in headers are not counted"
    );
}

#[test]
fn what_is_too_large_or_no_sense_is_refused_in_the_same_form() {
    let cluster = with_roles();
    let admin = cluster.admin();
    let bearer = format!("Bearer {}", cluster.token());
    let path = "/api/v1/nodes/game1/actions/restart?dry_run=true";
    let post = |headers: &[(&str, &str)], body: &str| {
        let all: Vec<_> = [("Authorization", bearer.as_str())]
            .iter()
            .chain(headers)
            .copied()
            .collect();
        send(&cluster, "POST", path, &all, body)
    };
    assert_problem(&post(&[], &" ".repeat(300 * 1024)), 413);
    assert_problem(&post(&[], "{"), 400);
    assert_problem(&post(&[], "{\"dry\": true}"), 400);
    for (method, path, status) in [
        ("GET", "/api/v1/nodes?sort=up", 400),
        ("GET", "/api/v1/events?limit=0", 400),
        ("GET", "/api/v1/logs?node=../../etc/passwd", 404),
        ("GET", "/api/v1/logs?node=game9", 404),
        ("GET", "/api/v1/stream?topics=all", 400),
        ("GET", "/api/v1/nodes/game1/actions/restart", 405),
        ("PUT", "/api/v1/cluster", 405),
        ("POST", "/metrics", 405),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/assets/..%2f..%2fCargo.toml", 404),
        ("GET", "/api/v1/traces/00", 404),
    ] {
        assert_problem(&admin.request(method, path), status);
    }
    let other = admin.request("DELETE", "/api/v1/cluster");
    assert_eq!(other.header("allow"), Some("GET"), "{other:?}");
}

/// Sends a beginning, then nothing; gives what came back until the end, and when that was.
fn stall(cluster: &Cluster, beginning: &str) -> (String, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(cluster.webport()).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("to set it");
    stream.write_all(beginning.as_bytes()).expect("to send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an end");
    (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
}

#[test]
fn slow_headers_and_slow_bodies_are_not_waited_for() {
    let cluster = with_roles();
    let (answer, _) = stall(
        &cluster,
        "GET /api/v1/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    );
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
    let request = format!(
        "POST /api/v1/nodes/game1/actions/restart?dry_run=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\
         Connection: close\r\n\r\n{{\"dry",
        cluster.token()
    );
    let (answer, took) = stall(&cluster, &request);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(took >= Duration::from_secs(4), "{took:?}");
    assert_eq!(cluster.admin().nodes().len(), 3);
}

#[test]
fn readers_that_never_read_do_not_hold_up_the_others() {
    let cluster = with_roles();
    let admin = cluster.admin();
    let request = format!(
        "GET /api/v1/stream?topics=cluster,nodes,links,events,node:net,node:gate,node:game1 HTTP/1.1\r\n\
         Host: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\r\n",
        cluster.token()
    );
    let open = || {
        let mut stream = TcpStream::connect(cluster.webport()).expect("a connection");
        stream.write_all(request.as_bytes()).expect("to send");
        stream
    };
    let mut deaf: Vec<TcpStream> = (0..200).map(|_| open()).collect();
    for _ in 0..5 {
        assert_eq!(admin.nodes().len(), 3);
        cluster.until_answered(300, "x", "game1Handle completed");
    }
    let mut late: Vec<TcpStream> = (0..100).map(|_| open()).collect();
    let mut first = [0; 12];
    let answers: Vec<Vec<u8>> = late
        .iter_mut()
        .map(|stream| {
            stream
                .read_exact(&mut first)
                .map(|()| first[9..].to_vec())
                .expect("an answer")
        })
        .collect();
    assert!(answers.contains(&b"429".to_vec()), "there is a limit of streams");
    assert!(answers.contains(&b"200".to_vec()), "but not below 256");
    deaf.clear();
    late.clear();
    cluster_tests::wait::until("room for a stream", || {
        let mut stream = open();
        stream.read_exact(&mut first).ok()?;
        (first[9..] == *b"200").then_some(())
    });
}

#[test]
fn a_reader_that_lets_too_much_gather_is_cut_off() {
    /// Of 4 KiB, at a time: less than a follower may be behind.
    const LINES: usize = 250;
    let cluster = with_roles();
    let request = format!(
        "GET /api/v1/stream?topics=logs:game1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\r\n",
        cluster.token()
    );
    let mut stream = TcpStream::connect(cluster.webport()).expect("a connection");
    stream.write_all(request.as_bytes()).expect("to send");
    let mut first = [0; 12];
    stream.read_exact(&mut first).expect("an answer");
    let log = cluster.run_dir().join("logs").join("game1.log");
    let lines = [&[b'x'; 4000][..], b"\n"].concat().repeat(LINES);
    let (admin, mut sent) = (cluster.admin(), 0);
    // It says so before anything is read here. A log that grows is put aside, so it is opened anew each time.
    until("the end of the reader", || {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&log)
            .expect("the log");
        file.write_all(&lines).expect("to write");
        sent += lines.len();
        let told = admin.get("logs?node=master&q=too%20slow");
        told.as_array().is_some_and(|told| !told.is_empty()).then_some(())
    });
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("to set it");
    let (mut rest, mut read) = (vec![0; 1 << 20], 0);
    while let Ok(count @ 1..) = stream.read(&mut rest) {
        read += count;
    }
    assert!(read < sent, "{read} bytes came");
}
