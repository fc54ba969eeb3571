//! What brought Firefly down or left its players without an answer, tried against these nodes.
//!
//! Each is a test by its name; `cluster-tests attacks` does all of them and writes the table of docs/attacks.md.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Cluster;
use crate::client::{Client, Frame, encode};
use crate::http;
use crate::process::{kill_pid, signal_pid};
use crate::stranger::{Claim, Outcome, Stranger};
use crate::vitals::{Vitals, zombies_of};
use crate::wait::until;

/// Commands of the test's net node.
const ECHO: u32 = 1;
const WAIT_IN_GAME: u32 = 3;
const NEVER: u32 = 4;
const PANIC_IN_GAME: u32 = 5;
const UNKNOWN: u32 = 4_000_000_000;

/// The nodes whose memory is told.
const NODES: [&str; 3] = ["gate", "net", "game1"];

/// How often what is quick is tried.
const MANY: usize = 300;

/// One attack.
pub struct Attack {
    /// Its name, also of its test.
    pub name: &'static str,
    /// What it did to Firefly.
    pub in_firefly: &'static str,
    /// Does it; gives how many inputs were tried, and what happened. Panics if that is not as promised.
    pub run: fn(&Cluster) -> (usize, String),
}

/// All of them.
pub const ATTACKS: &[Attack] = &[
    Attack {
        name: "lengths from 0 to 3, and above the limit",
        in_firefly: "a negative payload length; up to 4 GiB are buffered",
        run: lengths,
    },
    Attack {
        name: "a command that nobody answers",
        in_firefly: "no answer, for ever",
        run: unknown_command,
    },
    Attack {
        name: "a handler that raises",
        in_firefly: "no answer, for ever",
        run: raising_handler,
    },
    Attack {
        name: "a child that is not connected",
        in_firefly: "no answer, for ever",
        run: absent_child,
    },
    Attack {
        name: "a handler that never answers",
        in_firefly: "no call has a deadline",
        run: silent_handler,
    },
    Attack {
        name: "a node is killed",
        in_firefly: "the master never looks at its children again",
        run: killed_node,
    },
    Attack {
        name: "nodes die again and again",
        in_firefly: "dead children are never reaped",
        run: many_deaths,
    },
    Attack {
        name: "the cluster is stopped with a call under way",
        in_firefly: "a call to each node, and half a second; in no order",
        run: stop_with_a_call,
    },
    Attack {
        name: "GET /stop and GET /reloadmodule",
        in_firefly: "anyone stops the cluster, on all addresses",
        run: unauthenticated_stop,
    },
    Attack {
        name: "a stranger at the root port",
        in_firefly: "anyone is taken under any name",
        run: stranger,
    },
    Attack {
        name: "a second peer of a living name",
        in_firefly: "it throws",
        run: second_peer,
    },
    Attack {
        name: "a half-dead link that keeps its name",
        in_firefly: "the restarted node is locked out",
        run: half_dead_link,
    },
    Attack {
        name: "a peer that falls silent, and comes back",
        in_firefly: "no heartbeat; nothing calls reconnect",
        run: silent_peer,
    },
];

/// Does one, on a cluster of its own, and gives its row of the table: name, Firefly, inputs, what happened, memory
/// before and after of all nodes together.
///
/// # Panics
/// What happened is not as promised, or ordinary clients noticed.
pub fn row(attack: &Attack) -> String {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.call_timeout", "1s");
    // To tell where a panic came from takes the memory of all debug information.
    cluster.variable("RUST_BACKTRACE", "0");
    cluster.start();
    let admin = cluster.admin();
    // What is made at the first request is made now.
    cluster.until_answered(WAIT_IN_GAME, "1 x", "x");
    let memory = || -> f64 {
        let pids = NODES.map(|name| admin.pid(name));
        pids.iter()
            .filter_map(|pid| Vitals::of(*pid))
            .map(|vitals| vitals.mib())
            .sum()
    };
    let before = memory();
    let (inputs, happened) = (attack.run)(&cluster);
    cluster.until_answered(WAIT_IN_GAME, "1 x", "x");
    admin.until_all_ready();
    let after = memory();
    let Attack { name, in_firefly, .. } = attack;
    format!("| {name} | {in_firefly} | {inputs} | {happened} | {before:.1} MiB | {after:.1} MiB |")
}

/// The whole table, as Markdown.
pub fn table() -> String {
    let mut table = String::from(
        "| attack | in Firefly | inputs | here | memory before | after |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for attack in ATTACKS {
        // A `String` takes every line.
        writeln!(table, "{}", row(attack)).unwrap_or_default();
    }
    table
}

fn lengths(cluster: &Cluster) -> (usize, String) {
    let lengths = [0, 1, 2, 3, 65_537, 1 << 31, u32::MAX];
    let mut longest = Duration::ZERO;
    for _ in 0..MANY / lengths.len() {
        for length in lengths {
            let mut header = encode(ECHO, "");
            header[9..13].copy_from_slice(&u32::to_be_bytes(length));
            let mut client = cluster.client();
            let sent = Instant::now();
            client.send_bytes(&header).expect("to send");
            assert!(client.is_closed_by_server(), "length {length}");
            longest = longest.max(sent.elapsed());
        }
    }
    let inputs = MANY / lengths.len() * lengths.len();
    (
        inputs,
        format!(
            "closed at the header, at most {} ms after it",
            longest.as_millis().max(1)
        ),
    )
}

/// Asks again and again, and expects this error each time.
fn errors(client: &mut Client, command: u32, payload: &str, count: usize, error: (&str, &str)) -> String {
    let mut longest = Duration::ZERO;
    for _ in 0..count {
        let asked = Instant::now();
        let (of, name, ran) = client.ask(command, payload).expect("an error frame").error_of();
        assert_eq!(
            (of, name.as_str(), ran.as_str()),
            (u64::from(command), error.0, error.1)
        );
        longest = longest.max(asked.elapsed());
    }
    format!("`{}`, after at most {} ms", error.0, longest.as_millis().max(1))
}

fn unknown_command(cluster: &Cluster) -> (usize, String) {
    (
        MANY,
        errors(
            &mut cluster.client(),
            UNKNOWN,
            "x",
            MANY,
            ("no_such_command", "no"),
        ),
    )
}

fn raising_handler(cluster: &Cluster) -> (usize, String) {
    let before = cluster.admin().pid("game1");
    let happened = errors(
        &mut cluster.client(),
        PANIC_IN_GAME,
        "x",
        MANY,
        ("handler_panic", "yes"),
    );
    assert_eq!(cluster.admin().pid("game1"), before, "the node ended");
    (MANY, happened)
}

fn absent_child(cluster: &Cluster) -> (usize, String) {
    let admin = cluster.admin();
    admin.act("nodes/game1/actions/stop");
    admin.until_state("game1", "stopped");
    let asked = Instant::now();
    let (_, error, ran) = cluster
        .ask(WAIT_IN_GAME, "1 x")
        .expect("an error frame")
        .error_of();
    // Held for its time, and ended by whoever sees the deadline first.
    assert!(["not_sent", "timeout"].contains(&error.as_str()), "{error} {ran}");
    let happened = format!(
        "`{error}` after {} ms, the time that the call had",
        asked.elapsed().as_millis()
    );
    admin.act("nodes/game1/actions/start");
    admin.until_all_ready();
    (1, happened)
}

fn silent_handler(cluster: &Cluster) -> (usize, String) {
    (
        3,
        errors(&mut cluster.client(), NEVER, "x", 3, ("timeout", "maybe")),
    )
}

fn killed_node(cluster: &Cluster) -> (usize, String) {
    let admin = cluster.admin();
    let before = admin.node("game1");
    let killed = Instant::now();
    kill_pid(admin.pid("game1"));
    admin.until_next_life("game1", &before);
    (
        1,
        format!("started again, ready after {} ms", killed.elapsed().as_millis()),
    )
}

fn many_deaths(cluster: &Cluster) -> (usize, String) {
    const DEATHS: usize = 6;
    let admin = cluster.admin();
    let nodes = NODES.map(|name| admin.pid(name));
    let not_nodes = cluster.processes().into_iter().filter(|pid| !nodes.contains(pid));
    let masters: Vec<u32> = not_nodes.collect();
    for _ in 0..DEATHS {
        let before = admin.node("game1");
        kill_pid(admin.pid("game1"));
        admin.until_next_life("game1", &before);
    }
    until("the end of the last one", || {
        zombies_of(&masters).is_empty().then_some(())
    });
    (DEATHS, "each is reaped, no process is left".to_owned())
}

/// Net, which has the clients, goes first; game1 lives for as long as it works for a client; the gate is their parent.
fn stop_with_a_call(cluster: &Cluster) -> (usize, String) {
    let mut client = cluster.begin(WAIT_IN_GAME, "700 answered");
    until("the call", || {
        cluster.log("game1").contains("waiting 700 ms").then_some(())
    });
    cluster.admin().act("cluster/actions/stop");
    let answer = client.receive().expect("an answer");
    assert_eq!(answer, Frame::new(WAIT_IN_GAME, "answered"));
    until("the end of all", || cluster.processes().is_empty().then_some(()));
    let said = cluster.everything_said();
    let ended = ["net    | stopped", "game1  | stopped", "gate   | stopped"].map(|line| said.find(line));
    assert!(
        ended.is_sorted() && ended.iter().all(Option::is_some),
        "{ended:?} in {said}"
    );
    cluster.start();
    (
        1,
        "answered; net ends, then game1, then gate, the parent of both; nothing is left".to_owned(),
    )
}

fn unauthenticated_stop(cluster: &Cluster) -> (usize, String) {
    let before = NODES.map(|name| cluster.admin().pid(name));
    let paths = ["/stop", "/reloadmodule", "/api/v1/cluster/actions/stop"];
    let mut told = Vec::new();
    for (method, path) in ["GET", "POST"]
        .iter()
        .flat_map(|method| paths.map(|path| (*method, path)))
    {
        let answer = http::request(cluster.webport(), method, path, &[]).expect("an answer");
        assert!(
            [401, 403, 404, 405].contains(&answer.status),
            "{method} {path}: {}",
            answer.status
        );
        told.push(answer.status);
    }
    assert_eq!(NODES.map(|name| cluster.admin().pid(name)), before);
    // Two are for what nobody has a path of, the others for the API.
    until_counted(cluster, "admin_refused_total{reason=\"token\"} 2");
    told.sort_unstable();
    told.dedup();
    let told: Vec<String> = told.iter().map(u16::to_string).collect();
    (
        2 * paths.len(),
        format!("{}; the port is on 127.0.0.1", told.join(", ")),
    )
}

/// Waits until the operator is told so.
fn until_counted(cluster: &Cluster, line: &str) {
    until("what the metrics say", || {
        let answer = cluster.admin().request("GET", "/metrics");
        answer.body.contains(line).then_some(())
    });
}

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

fn stranger(cluster: &Cluster) -> (usize, String) {
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

fn second_peer(cluster: &Cluster) -> (usize, String) {
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

fn half_dead_link(cluster: &Cluster) -> (usize, String) {
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

fn silent_peer(cluster: &Cluster) -> (usize, String) {
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
