//! Payloads that cannot be.

use super::super::{Experiment, Record, Strength};
use super::links::{port, secret};
use super::{ECHO, Memory};
use crate::Cluster;
use crate::client::{Frame, encode};
use crate::stranger::{Claim, Outcome, Stranger};
use crate::wait::until;

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-38",
    title: "unknown commands; payloads nested 10,000 deep, maps of 2^32-1 entries, 1 MiB of 0xC1, from clients and from a \
            node that knows the secret",
    must: "an error to that client or node alone; no stack overflows",
    best: "",
    run,
};

/// A command whose payload is a recursive type in MessagePack.
const TYPED: u32 = 42;
/// A number that no service answers.
const UNKNOWN: u32 = 4_000_000_000;
/// The code of `bad_payload` on a link, and that of `no_such_handler`.
const BAD_PAYLOAD: u8 = 8;

fn run(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.max_frame", "2MiB");
    // A child of the gate that is played by hand.
    let app = cluster.get("servers.game1.app").clone();
    let remote = cluster.get("servers.game1.remoteport").clone();
    cluster
        .set("servers.game2.app", app)
        .set("servers.game2.remoteport", remote)
        .set("servers.game2.start", false);
    cluster.start();
    let admin = cluster.admin();
    let before = ["gate", "net", "game1"].map(|name| admin.pid(name));
    let bad = bad_payloads();
    let rounds = strength.pick(3, 200);
    let mut client = cluster.client();
    let mut other = cluster.client();
    // What is made at the first request is made now.
    assert_eq!(other.ask(ECHO, "x").expect("an answer"), Frame::new(ECHO, "x"));
    let memory = Memory::of(&cluster, &["gate", "net", "game1"]);
    for _ in 0..rounds {
        let error = client.ask(UNKNOWN, "x").expect("an error frame").error_of();
        assert_eq!(error.1, "no_such_command");
        for payload in &bad {
            let mut frame = encode(TYPED, "");
            let length = u32::try_from(payload.len() + 4).expect("because it is short");
            frame[9..13].copy_from_slice(&length.to_be_bytes());
            frame.extend(payload);
            client.send_bytes(&frame).expect("to send");
            let error = client.receive().expect("an error frame").error_of();
            assert_eq!(error, (u64::from(TYPED), "bad_payload".into(), "no".into()));
            assert_eq!(other.ask(ECHO, "x").expect("an answer"), Frame::new(ECHO, "x"));
        }
    }
    record.exactly(
        "bad payloads of clients that were answered",
        rounds * (bad.len() + 1),
        rounds * (bad.len() + 1),
    );
    let mut node = until("the played child", || {
        let stranger = Stranger::connect(port(&cluster, "servers.gate.rootport")).ok()?;
        match stranger
            .shake(&Claim::new("game2", "gate"), &secret(&cluster))
            .ok()?
            .0
        {
            Outcome::Welcome(node) => Some(node),
            _ => None,
        }
    });
    for payload in &bad {
        let code = node.call("gate.ask_game", payload).expect("an error");
        assert_eq!(code, BAD_PAYLOAD, "{} bytes", payload.len());
    }
    record.exactly("bad payloads of a node that were answered", bad.len(), bad.len());
    memory.tell(rounds * (bad.len() + 1) + bad.len(), record);
    assert_eq!(
        ["gate", "net", "game1"].map(|name| admin.pid(name)),
        before,
        "a node was restarted"
    );
}

fn bad_payloads() -> Vec<Vec<u8>> {
    vec![
        [vec![0x91; 10_000], vec![0xc0]].concat(),
        [b"\x81\xa4Node".repeat(10_000), b"\xa4Leaf".to_vec()].concat(),
        b"\xdf\xff\xff\xff\xff\x01\x02".to_vec(),
        b"\xdd\xff\xff\xff\xff".to_vec(),
        vec![0xc1; 1 << 20],
        b"\xc6\xff\xff\xff\xff".to_vec(),
        Vec::new(),
    ]
}
