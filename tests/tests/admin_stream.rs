//! The operator's seat tells news as they come, all of them, and not more often than anybody can read.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use serde_json::{Value, json};

#[test]
fn news_come_by_the_stream_and_those_that_were_missed_too() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let mut stream = TcpStream::connect(cluster.webport()).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("to set it");
    let request = format!(
        "GET /api/v1/stream?topics=cluster,nodes,events,logs:game1 HTTP/1.1\r\nHost: {}\r\n\
         Authorization: Bearer {}\r\nLast-Event-ID: 0\r\n\r\n",
        cluster.webport(),
        cluster.token()
    );
    stream.write_all(request.as_bytes()).expect("to send");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut wait_for = |text: &str| lines.by_ref().find(|line| line.contains(text)).expect("it comes");
    assert_eq!(wait_for("HTTP/1.1"), "HTTP/1.1 200 OK");
    wait_for("content-type: text/event-stream");
    assert_eq!(wait_for("id: "), "id: 1", "what was missed comes first");
    wait_for("event: cluster");
    admin.act("nodes/game1/actions/restart");
    wait_for("\"text\":\"restart\"");
    wait_for("event: log");
    wait_for("event: nodes");
}

#[test]
fn however_much_happens_the_whole_is_told_twenty_times_a_second_at_most() {
    let cluster = Cluster::study();
    cluster.start();
    let begin = Instant::now();
    let mut stream = TcpStream::connect(cluster.webport()).expect("a connection");
    let request = format!(
        "GET /api/v1/stream?topics=cluster,events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        cluster.webport(),
        cluster.token()
    );
    stream.write_all(request.as_bytes()).expect("to send");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "event: cluster"), "the stream begins");
    let token = json!({"token": cluster.token()});
    for _ in 0..50 {
        assert_eq!(
            cluster.admin().send("POST", "/api/v1/session", &token).status,
            200
        );
    }
    let last = cluster.admin().get("events")["last"].as_u64();
    let whole = |line: &str| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok();
    let until_last =
        lines.take_while(|line| whole(line).is_none_or(|whole| whole["last_event"].as_u64() < last));
    let told = until_last.filter(|line| line == "event: cluster").count();
    let steps = begin.elapsed().as_millis() / 50;
    assert!(told as u128 <= steps + 2, "{told} times in {steps} times 50 ms");
}
