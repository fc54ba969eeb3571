//! What somebody does who meets the program for the first time, in order: start it, open the page, make a call, kill a
//! node, break the configuration. A game of one's own is the next step: tests/tests/new_project.rs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use cluster_tests::Cluster;
use cluster_tests::client::Frame;
use cluster_tests::http;
use cluster_tests::process::{End, kill_pid};
use cluster_tests::wait::until;

const CLIENTS: u64 = 4;

#[test]
fn the_first_ten_minutes() {
    let mut cluster = Cluster::study();
    let master = cluster.run(&[]);
    let ready = master.line("master | ready in ");
    opens(&cluster, &ready);
    calls(&cluster);
    kills_a_node(&cluster);
    breaks_the_configuration(&mut cluster);
    assert_eq!(cluster.run(&["stop"]).end(), End::Code(0));
    assert_eq!(master.end(), End::Code(0));
    cluster.assert_nothing_left();
}

/// The address that the master has printed opens the page, which shows the nodes before any script has run.
fn opens(cluster: &Cluster, ready: &str) {
    let (_, code) = ready.split_once("#code=").expect("a one-time code");
    let body = format!("{{\"code\":\"{}\"}}", code.trim());
    let to = cluster.webport();
    let session = http::send(to, "POST", "/api/v1/session", &[], &body).expect("an answer");
    assert_eq!(session.status, 200, "{}", session.body);
    let cookie = session.header("set-cookie").expect("a cookie").to_owned();
    let cookie = cookie.split(';').next().unwrap_or_default();
    let page = http::send(to, "GET", "/", &[("Cookie", cookie)], "").expect("an answer");
    assert_eq!(page.status, 200);
    for name in ["gate", "net", "game1"] {
        assert!(
            page.body.contains(&format!("data-node=\"{name}\"")),
            "{}",
            page.body
        );
    }
}

/// One call by hand, and the three nodes that it went through.
fn calls(cluster: &Cluster) {
    let call = cluster.run(&["call", "net", "300", "msgdata"]);
    assert_eq!(call.end(), End::Code(0), "{}", call.output());
    assert_eq!(call.stdout(), "game1Handle completed\n");
    assert!(call.stderr().contains("3 hops"), "{}", call.stderr());
}

/// A node that is killed under load is back at once; nothing fails but the calls that it had.
fn kills_a_node(cluster: &Cluster) {
    let (done, answered, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let expected = Frame::new(300, "game1Handle completed");
    let admin = cluster.admin();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = cluster.client();
                while !done.load(Ordering::Relaxed) {
                    let answer = client.ask(300, "msgdata").expect("the connection stays");
                    let count = if answer == expected { &answered } else { &failed };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let served = |more: u64| {
            let before = answered.load(Ordering::Relaxed);
            until("answers", || {
                (answered.load(Ordering::Relaxed) >= before + more).then_some(())
            });
        };
        served(100);
        // Else its start counts as a failed one, and the next waits.
        admin.until_proven();
        let old = admin.node("game1");
        kill_pid(admin.pid("game1"));
        admin.until_next_life("game1", &old);
        served(100);
        done.store(true, Ordering::Relaxed);
    });
    let failed = failed.into_inner();
    assert!(failed <= CLIENTS, "{failed} calls failed, of {CLIENTS} under way");
}

/// A reload says what is wrong and where, and nothing changes.
fn breaks_the_configuration(cluster: &mut Cluster) {
    cluster.set("servers.game1.netprt", 1);
    let reload = cluster.run(&["reload"]);
    assert_eq!(reload.end(), End::Code(78), "{}", reload.output());
    let said = reload.stderr();
    for part in [
        "unknown key: servers.game1.netprt",
        "config.json:",
        "did you mean",
    ] {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
    let answer = cluster.ask(300, "msgdata").expect("an answer");
    assert_eq!(
        answer,
        Frame::new(300, "game1Handle completed"),
        "the cluster runs on"
    );
    cluster.unset("servers.game1.netprt");
    assert_eq!(cluster.run(&["reload"]).end(), End::Code(0), "mended");
}
