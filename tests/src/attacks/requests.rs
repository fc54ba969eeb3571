//! What a client sends, and what it is answered: frames that are none, commands that nobody answers, handlers that fail.

use std::time::{Duration, Instant};

use super::WAIT_IN_GAME;
use crate::Cluster;
use crate::client::{Client, encode};

/// Commands of the test's net node.
const ECHO: u32 = 1;
const NEVER: u32 = 4;
const PANIC_IN_GAME: u32 = 5;
const UNKNOWN: u32 = 4_000_000_000;

/// How often what is quick is tried.
const MANY: usize = 300;

pub(super) fn lengths(cluster: &Cluster) -> (usize, String) {
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

pub(super) fn unknown_command(cluster: &Cluster) -> (usize, String) {
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

pub(super) fn raising_handler(cluster: &Cluster) -> (usize, String) {
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

pub(super) fn absent_child(cluster: &Cluster) -> (usize, String) {
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

pub(super) fn silent_handler(cluster: &Cluster) -> (usize, String) {
    (
        3,
        errors(&mut cluster.client(), NEVER, "x", 3, ("timeout", "maybe")),
    )
}
