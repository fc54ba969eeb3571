//! Links: strangers, second peers of a name, and peers that fall silent.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use nix::sys::signal::Signal;

use super::{WAIT_IN_GAME, until_counted};
use crate::Cluster;
use crate::client::Frame;
use crate::process::signal_pid;
use crate::stranger::{Claim, Outcome, Stranger};

fn gate(cluster: &Cluster) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, cluster.port_of("servers.gate.rootport")).into()
}

fn dial(cluster: &Cluster, name: &str, secret: &[u8]) -> Outcome {
    let stranger = Stranger::connect(gate(cluster)).expect("because the gate listens");
    let shaken = stranger.shake(&Claim::new(name, "gate"), secret);
    shaken.expect("an answer in time").0
}

fn secret(cluster: &Cluster) -> Vec<u8> {
    let text = std::fs::read_to_string(cluster.run_dir().join("secret")).expect("a secret");
    text.trim().as_bytes().to_vec()
}

pub(super) fn stranger(cluster: &Cluster) -> (usize, String) {
    let names = ["game1", "net", "anybody", "master"];
    for name in names {
        let refusal = dial(cluster, name, b"a guess at the secret").refusal();
        assert!(refusal.contains("Unauthorized"), "{refusal}");
    }
    let refusal = dial(cluster, "anybody", &secret(cluster)).refusal();
    assert!(refusal.contains("Unauthorized"), "{refusal}");
    until_counted(
        cluster,
        &format!(
            "link_refused_total{{node=\"gate\",reason=\"unauthorized\"}} {}",
            names.len() + 1
        ),
    );
    (
        names.len() + 1,
        "refused; without the secret under every name, with it under one that is not configured".to_owned(),
    )
}

pub(super) fn second_peer(cluster: &Cluster) -> (usize, String) {
    let before = cluster.admin().node("game1");
    let secret = secret(cluster);
    for _ in 0..5 {
        let refusal = dial(cluster, "game1", &secret).refusal();
        assert!(refusal.contains("already connected"), "{refusal}");
        let answer = cluster.ask(WAIT_IN_GAME, "1 x").expect("an answer");
        assert_eq!(answer, Frame::new(WAIT_IN_GAME, "x"));
    }
    assert_eq!(
        cluster.admin().node("game1")["incarnation"],
        before["incarnation"]
    );
    (
        5,
        "refused: it is already connected, with pid and address; the first goes on".to_owned(),
    )
}

pub(super) fn half_dead_link(cluster: &Cluster) -> (usize, String) {
    let pid = cluster.admin().pid("game1");
    signal_pid(pid, Signal::SIGSTOP);
    let dialled = Instant::now();
    let outcome = dial(cluster, "game1", &secret(cluster));
    let took = dialled.elapsed();
    signal_pid(pid, Signal::SIGCONT);
    assert!(matches!(outcome, Outcome::Welcome(_)), "{outcome:?}");
    drop(outcome);
    (
        1,
        format!("the next process has the name after {} ms", took.as_millis()),
    )
}

pub(super) fn silent_peer(cluster: &Cluster) -> (usize, String) {
    let admin = cluster.admin();
    let before = admin.node("game1");
    let pid = admin.pid("game1");
    signal_pid(pid, Signal::SIGSTOP);
    let stopped = Instant::now();
    admin.until_state("game1", "unreachable");
    let noticed = stopped.elapsed();
    signal_pid(pid, Signal::SIGCONT);
    let woken = Instant::now();
    admin.until_state("game1", "ready");
    cluster.until_answered(WAIT_IN_GAME, "1 x", "x");
    let back = woken.elapsed();
    assert_eq!(
        admin.node("game1")["incarnation"],
        before["incarnation"],
        "it was started again"
    );
    (
        1,
        format!(
            "unreachable after {} ms; {} ms after it is woken its links are back and it answers",
            noticed.as_millis(),
            back.as_millis()
        ),
    )
}

pub(super) fn false_master(cluster: &Cluster) -> (usize, String) {
    const UNAUTHORIZED: u8 = 10;
    let pid = cluster.admin().pid("game1");
    signal_pid(pid, Signal::SIGSTOP);
    // In the place of a node, with the secret.
    let outcome = dial(cluster, "game1", &secret(cluster));
    signal_pid(pid, Signal::SIGCONT);
    let Outcome::Welcome(mut peer) = outcome else {
        panic!("it is not let in: {outcome:?}")
    };
    let orders: [(&str, &[u8]); 4] = [
        // `{owner: "net", reason: "", dry_run: false}`
        (
            "lampyris.node.force",
            b"\x83\xa5owner\xa3net\xa6reason\xa0\xa7dry_run\xc2",
        ),
        // `{drained: true}`
        ("lampyris.node.set_drained", b"\x81\xa7drained\xc3"),
        // A struct without fields.
        ("lampyris.node.reload", b"\xc0"),
        ("lampyris.node.stop", b"\xc0"),
    ];
    for (name, order) in orders {
        let code = peer.call(name, order).expect("an answer in time");
        assert_eq!(code, UNAUTHORIZED, "{name}");
    }
    drop(peer);
    cluster.admin().until_state("game1", "ready");
    (
        orders.len(),
        "`unauthorized`: only the master gives orders".to_owned(),
    )
}
