//! Dialers at a link port that are no nodes, or not the right one, or of another version.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use super::Memory;
use crate::Cluster;
use crate::rig::Rig;
use crate::spread::Spread;
use crate::stranger::{Claim, Outcome, Stranger};

pub(super) const VERSIONS: Experiment = Experiment {
    id: "R-29",
    title: "a node of the protocol's version before, and one of a later version",
    must: "the version before works; a later one is refused, and both versions are named",
    best: "",
    run: versions,
};

pub(super) const STRANGERS: Experiment = Experiment {
    id: "R-36",
    title: "dialers without the secret, with another, with replayed and reflected words, HTTP, TLS, 2,000 that are silent",
    must: "refused within 2 s, with the same bytes and after the same time whatever is wrong; links and calls go on; at most \
           10 lines of log a second",
    best: "",
    run: strangers,
};

pub(super) const SECOND: Experiment = Experiment {
    id: "R-37",
    title: "a second process of a living node's name, under load",
    must: "refused, and told who has the name; no call fails",
    best: "",
    run: second,
};

/// Time for a handshake.
const HANDSHAKE: f64 = 2000.0;

/// The port under a key, on loopback.
pub(super) fn port(cluster: &Cluster, key: &str) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, cluster.port_of(key)).into()
}

/// The secret that the cluster has drawn for itself.
pub(super) fn secret(cluster: &Cluster) -> Vec<u8> {
    let text = std::fs::read_to_string(cluster.run_dir().join("secret")).expect("a secret");
    text.trim().as_bytes().to_vec()
}

/// A cluster in which one more node may dial the gate, and is played by hand.
fn with_a_place() -> Cluster {
    let mut cluster = Cluster::of_test_apps();
    for key in ["app", "remoteport"] {
        let value = cluster.get(&format!("servers.game1.{key}")).clone();
        cluster.set(&format!("servers.game2.{key}"), value);
    }
    cluster.set("servers.game2.start", false);
    cluster.start();
    cluster
}

#[track_caller]
fn dial(to: SocketAddr, claim: &Claim<'_>, secret: &[u8]) -> (Outcome, Vec<u8>) {
    let stranger = Stranger::connect(to).expect("because the gate listens");
    stranger.shake(claim, secret).expect("an answer in time")
}

fn versions(_: Strength, record: &mut Record) {
    let cluster = with_a_place();
    let (gate, secret) = (port(&cluster, "servers.gate.rootport"), secret(&cluster));
    let speaking = |oldest, newest| {
        let versions = (oldest, newest);
        let claim = Claim {
            versions,
            ..Claim::new("game2", "gate")
        };
        dial(gate, &claim, &secret).0
    };
    let refusal = speaking(u16::MAX, u16::MAX).refusal();
    assert!(refusal.contains("Version"), "{refusal}");
    let current = (1..100)
        .rev()
        .find(|version| matches!(speaking(*version, *version), Outcome::Welcome(_)));
    let current = current.expect("because the gate speaks some version");
    record.told("the version of this build", f64::from(current), "");
    assert!(
        matches!(speaking(current, current + 7), Outcome::Welcome(_)),
        "a range that has it"
    );
    let later = speaking(current + 2, current + 2).refusal();
    for part in ["Version", "theirs", "oldest", "newest"] {
        assert!(later.contains(part), "{later}");
    }
    record.exactly("later versions that were refused", 1, 1);
    match speaking(current - 1, current - 1) {
        Outcome::Welcome(_) => record.exactly("versions before that work", 1, 1),
        _ if current == 1 => {
            record.note("there is no version before the first; a node that speaks it beside others works")
        }
        other => panic!("the version before is refused: {other:?}"),
    }
    assert!(
        matches!(speaking(current - 1, current), Outcome::Welcome(_)),
        "the one before and this"
    );
}

fn strangers(strength: Strength, record: &mut Record) {
    let cluster = with_a_place();
    let (gate, right) = (port(&cluster, "servers.gate.rootport"), secret(&cluster));
    let epoch = |name: &str| cluster.admin().node(name)["incarnation"].clone();
    let before = ["gate", "net", "game1"].map(epoch);
    let lines = || cluster.log("gate").lines().count();
    let (begun, lines_before) = (Instant::now(), lines());
    let memory = Memory::of(&cluster, &["gate"]);
    let known = Claim::new("game2", "gate");
    let unknown = Claim::new("nobody_knows", "gate");

    // The same bytes, whatever is wrong.
    let refused = dial(gate, &known, b"another secret").0.refusal();
    assert_eq!(refused, dial(gate, &unknown, b"another secret").0.refusal());
    assert_eq!(refused, dial(gate, &unknown, &right).0.refusal());
    assert_eq!(refused, dial(gate, &known, b"").0.refusal());
    let (outcome, proof) = dial(gate, &known, &right);
    assert!(matches!(outcome, Outcome::Welcome(_)), "{outcome:?}");
    drop(outcome);
    let stranger = || Stranger::connect(gate).expect("because the gate listens");
    assert_eq!(
        refused,
        stranger().replay(&known, &proof).expect("an answer").refusal()
    );
    assert!(matches!(
        stranger().reflect(&known).expect("an end"),
        Outcome::Closed
    ));
    for words in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[0xff; 64],
    ] {
        let mut stranger = stranger();
        stranger.send_bytes(words).expect("to send");
        let sent = Instant::now();
        assert_eq!(stranger.until_closed().expect("an end"), 0, "{words:02x?}");
        record.time("garbage, to the end", sent.elapsed(), must(HANDSHAKE));
    }
    let each = strength.pick(16, 5000);
    let [of_known, of_unknown] = [&known, &unknown].map(|claim| times(gate, claim, each));
    let (one, other) = (millis(of_known.part(50.0)), millis(of_unknown.part(50.0)));
    record.told("a refusal, p50", one, "ms");
    record.at_most(
        "difference of a known and an unknown name",
        (one - other).abs() / one * 100.0,
        "%",
        must(5.0),
    );

    let silent = strength.pick(150, 2000);
    // Seven by name, three that are garbage, those that are timed, and the silent ones.
    let inputs = 7 + 3 + of_known.count() + of_unknown.count() + silent;
    let begun_silence = Instant::now();
    let silent: Vec<Stranger> = (0..silent).map(|_| stranger()).collect();
    cluster.until_answered(3, "1 x", "x");
    for one in silent {
        one.until_closed().expect("an end");
    }
    record.time(
        "silent connections, to the end of the last",
        begun_silence.elapsed(),
        must(HANDSHAKE * 1.2),
    );
    cluster.until_answered(3, "1 x", "x");
    assert_eq!(
        ["gate", "net", "game1"].map(epoch),
        before,
        "a node was started again"
    );
    memory.tell(inputs, record);
    let rate = (lines() - lines_before) as f64 / begun.elapsed().as_secs_f64().max(1.0);
    record.at_most("lines of the gate's log a second", rate, "", must(10.0));
}

/// How long refusals take, from many at one time.
fn times(gate: SocketAddr, claim: &Claim<'_>, count: usize) -> Spread {
    const AT_ONCE: usize = 16;
    let one = || {
        let asked = Instant::now();
        dial(gate, claim, b"another secret").0.refusal();
        asked.elapsed()
    };
    let some = || {
        (0..count.div_ceil(AT_ONCE))
            .map(|_| one())
            .collect::<Vec<Duration>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(some)).collect();
        let times = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("an answer"));
        Spread::of(times.collect::<Vec<_>>())
    })
}

fn second(strength: Strength, record: &mut Record) {
    let rig = Rig::start(strength);
    let (master, gate) = (
        port(&rig.cluster, "master.rootport"),
        port(&rig.cluster, "servers.gate.rootport"),
    );
    let secret = secret(&rig.cluster);
    let first = rig.cluster.admin().node("game1");
    let count = strength.pick(3, 100);
    let mut times = Vec::new();
    for _ in 0..count {
        for (to, name) in [(gate, "gate"), (master, "master")] {
            let asked = Instant::now();
            let refusal = dial(to, &Claim::new("game1", name), &secret).0.refusal();
            times.push(asked.elapsed());
            let pid = format!("pid {}", first["pid"]);
            for part in ["game1 is already connected", &pid] {
                assert!(refusal.contains(part), "{refusal}");
            }
        }
    }
    rig.load.until_served();
    let times = Spread::of(times);
    record.exactly("second processes that were refused", times.count(), 2 * count);
    record.time("a refusal, longest", times.longest(), must(HANDSHAKE));
    assert_eq!(
        rig.cluster.admin().node("game1")["incarnation"],
        first["incarnation"]
    );
    let (_cluster, outcome) = rig.conclude("second processes of game1");
    record.exactly("calls that failed", outcome.failed(), 0);
}
