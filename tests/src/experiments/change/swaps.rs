//! A restart is a swap: the next process of a node is ready before the present one drains, and no client notices.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use super::WAIT_IN_GAME;
use crate::client::Client;
use crate::cluster::Cluster;
use crate::rig::{CALM, Rig};
use crate::spread::Spread;
use crate::wait::until;

pub(super) const ROLLING: Experiment = Experiment {
    id: "R-71",
    title: "gate and game are restarted in turn under load, 10 times; then the clients' node with calls in flight",
    must: "no call fails, none runs twice; p99 at most 3 times that of before; the clients' node answers what it has \
           accepted, closes each connection in order, and refuses none",
    best: "p99 1.5 times that of before",
    run: rolling,
};

pub(super) const ANOTHER_PROGRAM: Experiment = Experiment {
    id: "R-73",
    title: "the game gets another program under load, with a call held open; then programs that do not start",
    must: "the held call ends on the old process, new calls run on the new one; no call fails; a program that does \
           not start changes nothing, and the API says why",
    best: "",
    run: another_program,
};

/// The test's net node asks the game for its process and the version of its program.
const WHO_IN_GAME: u32 = 26;

/// A call that lasts longer than calls wait for a link.
const LONG: Duration = Duration::from_millis(3500);

/// A call that comes during a swap takes at most so long, on a busy machine.
const UNNOTICED: Duration = Duration::from_millis(1500);

fn rolling(strength: Strength, record: &mut Record) {
    let rig = Rig::start(strength);
    let begin = Instant::now();
    rig.load.go_on_for(strength.pick(CALM, Duration::from_secs(5)));
    let admin = rig.cluster.admin();
    let first = Instant::now();
    let mut times = Vec::new();
    for _ in 0..strength.pick(2, 10) {
        for name in ["gate", "game1"] {
            let (old, asked) = (admin.pid(name), Instant::now());
            admin.succeed(&format!("nodes/{name}/actions/restart"));
            times.push(asked.elapsed());
            assert_ne!(admin.pid(name), old);
            rig.load.until_served();
        }
    }
    let last = Instant::now();
    let (cluster, outcome) = rig.conclude(&format!("{} restarts of gate and game1", times.len()));
    record.nothing_failed(&outcome);
    let processes = cluster.processes().len();
    record.exactly("processes, of three nodes and their master", processes, 4);
    let before = outcome.answers_between(begin, first).part(99.0);
    record.told("p99 of the answers before", millis(before), "ms");
    record.time(
        "p99 of the answers meanwhile",
        outcome.answers_between(first, last).part(99.0),
        must(millis(before) * 3.0).best(millis(before) * 1.5),
    );
    let limit = must(1000.0).best(300.0);
    record.times("wish for a restart to its end", &Spread::of(times), limit, limit);
    the_clients_node(&cluster, strength, record);
}

/// Its clients have calls of half a second under way when it is restarted; others come meanwhile.
fn the_clients_node(cluster: &Cluster, strength: Strength, record: &mut Record) {
    let count = strength.pick(50, 500);
    let begin = |_| cluster.begin(WAIT_IN_GAME, "500 held");
    let mut clients: Vec<Client> = (0..count).map(begin).collect();
    until("all calls in the game", || {
        (cluster.log("game1").matches("waiting 500 ms").count() >= count).then_some(())
    });
    let (admin, old) = (cluster.admin(), cluster.admin().node("net"));
    admin.begin("nodes/net/actions/restart");
    let mut answered = 0;
    let mut in_order = 0;
    let mut came = 0;
    for client in &mut clients {
        // Panics when it is refused.
        drop(cluster.client());
        came += 1;
        let answer = client.receive();
        answered += usize::from(answer.is_ok_and(|frame| frame.payload == "held"));
        let end = client.receive().map_err(|why| why.kind());
        in_order += usize::from(end == Err(ErrorKind::UnexpectedEof));
    }
    admin.until_next_life("net", &old);
    cluster.until_answered(WAIT_IN_GAME, "0 new", "new");
    record.exactly("net: calls in flight that were answered", answered, count);
    record.exactly(
        "net: connections that were closed in order after that",
        in_order,
        count,
    );
    record.told(
        "net: connections that came meanwhile, none refused",
        came as f64,
        "",
    );
}

fn another_program(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.game1.start_timeout", "1s");
    cluster.copy_program();
    cluster.start();
    let good = std::fs::read(cluster.program()).expect("the program");
    let rig = Rig::on(cluster, strength);
    let first = who(&rig.cluster);
    assert_eq!(first, (rig.cluster.admin().pid("game1"), "0".to_owned()));
    let mut old = first;
    let mut times = Vec::new();
    for number in 1..=strength.pick(1, 9) {
        let (new, time) = swap_with_a_call_held_open(&rig, &old, &good, number);
        old = new;
        times.push(time);
    }
    programs_that_do_not_start(&rig.cluster, &old, &good);
    let name = format!("{} new programs and four broken ones", times.len());
    let (_cluster, outcome) = rig.conclude(&name);
    record.nothing_failed(&outcome);
    let limit = must(1000.0).best(300.0);
    record.times(
        "reload to answers of the new program",
        &Spread::of(times),
        limit,
        limit,
    );
}

/// Which process of game1 answers, and its version.
fn who(cluster: &Cluster) -> (u32, String) {
    let frame = cluster.ask(WHO_IN_GAME, "0").expect("an answer");
    parse(&frame.payload)
}

fn parse(answer: &str) -> (u32, String) {
    let (pid, version) = answer
        .split_once(' ')
        .unwrap_or_else(|| panic!("an answer: {answer}"));
    (pid.parse().expect("a number"), version.to_owned())
}

/// Gives who answers afterwards, and how soon it did.
fn swap_with_a_call_held_open(
    rig: &Rig,
    old: &(u32, String),
    program: &[u8],
    number: u8,
) -> ((u32, String), Duration) {
    let (cluster, admin) = (&rig.cluster, rig.cluster.admin());
    let asked = || cluster.log("game1").matches("asked who").count();
    let before = asked();
    let mut held = cluster.begin(WHO_IN_GAME, &LONG.as_millis().to_string());
    until("the game has the call", || (asked() > before).then_some(()));
    let version = format!("version{number}");
    cluster.replace_program(Some(&[program, version.as_bytes()].concat()));
    let begun = Instant::now();
    let operation = admin.begin("nodes/game1/actions/reload");
    let new = until("an answer of the new program", || {
        let asked = Instant::now();
        let new = who(cluster);
        let time = asked.elapsed();
        assert!(time < UNNOTICED, "a call waited for {time:?}");
        (new != *old).then_some(new)
    });
    let (taken_over, node) = (begun.elapsed(), admin.node("game1"));
    assert!(taken_over < LONG, "the call was still held open");
    assert_eq!(new, (admin.pid("game1"), number.to_string()));
    assert_eq!(
        (&node["beside"]["role"], &node["beside"]["pid"]),
        (&"leaving".into(), &old.0.into()),
        "{node}"
    );
    let end = held.receive().expect("because it has been accepted");
    assert_eq!(parse(&end.payload), *old);
    assert_eq!(admin.end_of(&operation)["state"], "done");
    assert_eq!(admin.node("game1")["beside"], Value::Null);
    (new, taken_over)
}

fn programs_that_do_not_start(cluster: &Cluster, old: &(u32, String), good: &[u8]) {
    let admin = cluster.admin();
    let bad: [(Option<&[u8]>, &str); 4] = [
        (
            Some(b"#!/bin/sh\necho broken\nexit 3\n"),
            "exit code 3 before it was ready",
        ),
        (Some(b"#!/bin/sh\nexec sleep 60\n"), "not ready after 1 s"),
        (Some(b"no program"), "Exec format error"),
        (None, "No such file"),
    ];
    for (bytes, why) in bad {
        cluster.replace_program(bytes);
        let end = admin.end_of(&admin.begin("nodes/game1/actions/reload"));
        assert_eq!(end["state"], "failed", "{end}");
        let error = end["error"].as_str().unwrap_or_default();
        assert!(
            error.contains(why) && error.ends_with("the old process stays"),
            "{end}"
        );
        let node = admin.node("game1");
        assert_eq!(
            (&node["state"], &node["beside"]),
            (&"ready".into(), &Value::Null),
            "{node}"
        );
        let reason = node["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(why), "{node}");
        assert_eq!(who(cluster), *old);
    }
    cluster.replace_program(Some(good));
    admin.succeed("nodes/game1/actions/reload");
    assert_ne!(who(cluster).0, old.0);
}
