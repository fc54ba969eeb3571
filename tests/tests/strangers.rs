//! Whoever does not belong to the cluster is kept out, and the cluster does not notice.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cluster_tests::Cluster;
use cluster_tests::client::Frame;
use cluster_tests::process::End;
use cluster_tests::wait::until;

/// Calls game1 again and again while something else happens, and gives how many calls there were.
fn while_calling(cluster: &Cluster, something: impl FnOnce()) -> usize {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let calls = scope.spawn(|| {
            let mut client = cluster.client();
            let mut calls = 0;
            while !over.load(Ordering::Relaxed) {
                let frame = client.ask(300, "x").expect("an answer");
                assert_eq!(frame, Frame::new(300, "game1Handle completed"), "call {calls}");
                calls += 1;
            }
            calls
        });
        something();
        over.store(true, Ordering::Relaxed);
        calls.join().expect("no call fails")
    })
}

/// A file with a secret that is not the cluster's.
fn other_secret(cluster: &Cluster) -> PathBuf {
    let file = cluster.folder().join("other.secret");
    let mut options = std::fs::OpenOptions::new();
    let mut open = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&file)
        .expect("to open");
    open.write_all(b"never-the-right-one-4711-xyz").expect("to write");
    file
}

#[test]
fn a_second_node_of_a_name_is_refused_and_the_first_goes_on() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let first = admin.node("game1");
    let calls = while_calling(&cluster, || {
        let second = cluster.run(&["--role", "game1"]);
        assert_eq!(second.end(), End::Code(75));
        let said = second.stderr();
        assert!(said.contains("game1 is already connected"), "{said}");
        assert!(said.contains(&format!("pid {}", first["pid"])), "{said}");
    });
    assert!(calls > 10, "{calls} calls");
    let after = admin.node("game1");
    for key in ["pid", "incarnation", "restarts", "state"] {
        assert_eq!(first[key], after[key], "{key}");
    }
}

#[test]
fn a_node_with_another_secret_is_refused_and_says_why() {
    let cluster = Cluster::study();
    cluster.start();
    let calls = while_calling(&cluster, || {
        let mut other = Cluster::study();
        for key in ["master", "servers"] {
            other.set(key, cluster.get(key).clone());
        }
        other.set("secret_file", other_secret(&other).to_string_lossy().into_owned());
        let stranger = other.run(&["--role", "game1"]);
        assert_eq!(stranger.end(), End::Code(77));
        let said = stranger.stderr();
        assert!(said.contains("secret"), "{said}");
        assert!(!said.contains("never-the-right-one"), "{said}");
    });
    assert!(calls > 10, "{calls} calls");
    assert_eq!(cluster.admin().node("game1")["restarts"], 0);
}

#[test]
fn a_node_that_the_others_do_not_know_is_refused() {
    let mut cluster = Cluster::study();
    cluster.start();
    let known = cluster.get("servers.game1").clone();
    cluster
        .set("servers.game2", known)
        .set("servers.game2.name", "game2");
    let stranger = cluster.run(&["--role", "game2"]);
    assert_eq!(stranger.end(), End::Code(77));
    assert!(
        stranger.stderr().contains("refuses this node"),
        "{}",
        stranger.stderr()
    );
    cluster.until_answered(300, "x", "game1Handle completed");
    assert_eq!(cluster.admin().nodes().len(), 3);
}

#[test]
fn garbage_at_the_ports_of_links_hurts_nobody() {
    let cluster = Cluster::study();
    cluster.start();
    let garbage: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0xff; 4096],
        &[0; 64],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"",
    ];
    while_calling(&cluster, || {
        for key in ["master.rootport", "servers.gate.rootport"] {
            for bytes in garbage {
                let mut stream = TcpStream::connect(("127.0.0.1", cluster.port_of(key))).expect("it listens");
                // It may be closed before all is written.
                stream.write_all(bytes).unwrap_or_default();
            }
        }
    });
    let admin = cluster.admin();
    until("the strangers are counted", || {
        let text = admin.request("GET", "/metrics").body;
        let counted = ["master", "gate"].map(|node| {
            let series = format!("lampyris_link_refused_total{{node=\"{node}\",reason=\"garbled\"}} ");
            let count = text
                .lines()
                .find_map(|line| line.strip_prefix(&series)?.parse::<u32>().ok());
            count >= Some(2)
        });
        (counted == [true; 2]).then_some(())
    });
    assert!(admin.get("nodes/gate")["strangers"]["garbled"].as_u64() >= Some(2));
    for node in cluster.admin().nodes() {
        assert_eq!(
            (&node["state"], &node["restarts"]),
            (&"ready".into(), &0.into()),
            "{node}"
        );
    }
}
