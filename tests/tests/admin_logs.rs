//! What clients write into logs cannot steer a terminal, forge a line, or run in a browser.

use std::io::Write;
use std::net::TcpStream;

use cluster_tests::Cluster;

/// A frame of the study's protocol, with the command 100.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 4).expect("it is short");
    [&[0; 9][..], &length.to_be_bytes(), &100u32.to_be_bytes(), payload].concat()
}

#[test]
fn lines_of_the_log_are_whole_escaped_and_bounded() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let log = cluster.run_dir().join("logs").join("game1.log");
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(log)
        .expect("the log");
    let forged = b"2026-01-01T00:00:00.000001Z  INFO harmless \x1b[2J\x1b]0;owned\x07 <script>alert(1)</script> \xff\xfe\n";
    file.write_all(forged).expect("to write");
    file.write_all(&[b'x'; 1 << 20]).expect("to write");
    file.write_all(b"\nmarker of the end\n").expect("to write");
    let lines = admin.get("logs?node=game1&lines=3");
    let lines: Vec<_> = lines
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["text"].as_str())
        .collect();
    assert_eq!(lines.last().copied(), Some("marker of the end"));
    for line in &lines {
        assert!(line.len() <= 4100, "{} bytes", line.len());
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
    }
    let found = admin.get("logs?node=game1&q=harmless&level=info");
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found[0]["at"], "2026-01-01T00:00:00.000001Z");
    let text = found[0]["text"].as_str().expect("a text");
    assert!(text.contains("\\u{1b}[2J") && text.contains("\u{fffd}"), "{text}");
    let answer = admin.request("GET", "/api/v1/logs?node=game1&lines=1");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "no browser takes it for a page"
    );
    let errors = admin.get("logs?level=error");
    assert_eq!(errors.as_array().map(Vec::len), Some(0), "{errors}");
}

#[test]
fn what_a_client_sends_makes_no_line_of_its_own() {
    let mut cluster = Cluster::study();
    cluster.set("log.level", "trace");
    cluster.start();
    let texts: [&[u8]; 4] = [
        b"a\n2026-01-01T00:00:00Z ERROR forged",
        b"\x1b[31mred",
        b"\xff\xfe\x00",
        b"<script>alert(1)</script>",
    ];
    for text in texts {
        let mut stream = TcpStream::connect(cluster.netport()).expect("a connection");
        stream.write_all(&frame(text)).expect("to send");
        stream
            .write_all(b"this is no frame\n2026-01-01T00:00:00Z ERROR forged too\x1b[2J")
            .expect("to send");
    }
    cluster.until_answered(300, "x", "game1Handle completed");
    let admin = cluster.admin();
    admin.until_told("logs?node=net&q=are%20no%20frame", "the refusal", |lines| {
        lines.as_array().is_some_and(|lines| !lines.is_empty())
    });
    for node in ["net", "gate", "game1", "master"] {
        let lines = admin.get(&format!("logs?node={node}&lines=5000"));
        for line in lines.as_array().expect("lines") {
            let text = line["text"].as_str().expect("a text");
            assert!(!text.starts_with("2026-01-01T00:00:00Z"), "forged: {text}");
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }
}
