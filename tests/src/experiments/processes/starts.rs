//! Nodes that cannot start: in a crash loop, without hope, never ready.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{Experiment, Record, Strength, must};
use crate::process::{End, kill_pid};
use crate::rig::Rig;
use crate::vitals::processor_time;
use crate::{Cluster, programs};

pub(super) const CRASH_LOOP: Experiment = Experiment {
    id: "R-11",
    title: "a node ends at once whenever it is started",
    must: "delays of 0.1, 0.2, 0.4 s and so on, 20 % more or less; no call of the others fails; the master uses 1 % of a \
           processor; the API shows the exit code and the last 20 lines",
    best: "",
    run: crash_loop,
};

pub(super) const HOPELESS: Experiment = Experiment {
    id: "R-12",
    title: "a node that another attempt would not help",
    must: "failed at once, without another attempt, for exit code 78, a missing program, one that may not be run, and \
           one whose interpreter is missing; `start --wait` gives the exit code of the node",
    best: "",
    run: hopeless,
};

pub(super) const NEVER_READY: Experiment = Experiment {
    id: "R-13",
    title: "a node starts and is never ready",
    must: "killed after start_timeout, then backoff; the reason says how far the start had come",
    best: "",
    run: never_ready,
};

fn exits(node: &Value) -> &[Value] {
    node["last_exits"].as_array().map_or(&[], Vec::as_slice)
}

fn crash_loop(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.broken", json!({"app": "test.exit"}));
    cluster.tell("broken", "1");
    let master = cluster.run(&[]);
    for name in super::NODES {
        cluster.admin().until_state(name, "ready");
    }
    let rig = Rig::on(cluster, strength);
    let admin = rig.cluster.admin();
    let (begin, busy) = (Instant::now(), processor_time(master.pid()).expect("the master"));
    rig.load
        .go_on_for(strength.pick(Duration::from_secs(2), Duration::from_secs(60)));
    let busy = processor_time(master.pid()).expect("the master") - busy;
    let share = 100.0 * busy.as_secs_f64() / begin.elapsed().as_secs_f64();
    let node = admin.until("broken", "five failed starts", |node| exits(node).len() >= 5);
    let (_cluster, outcome) = rig.conclude("a sibling in a crash loop");

    record.nothing_failed(&outcome);
    record.at_most("the master's share of a processor", share, "%", must(1.0));
    // Each end, and the start of the life before it, in seconds ago: the gap between two lives is the delay.
    let ago = |exit: &Value, key: &str| exit[key].as_f64().expect("a time");
    let lives: Vec<(f64, f64)> = exits(&node)
        .iter()
        .map(|exit| (ago(exit, "ago") + ago(exit, "uptime"), ago(exit, "ago")))
        .collect();
    let delays: Vec<f64> = lives.windows(2).map(|pair| pair[0].1 - pair[1].0).collect();
    // At the cap of 10 s they differ by chance alone.
    let growing: Vec<f64> = delays.iter().copied().take_while(|delay| *delay < 8.0).collect();
    assert!(growing.windows(2).all(|pair| pair[0] < pair[1]), "{delays:?}");
    for (delay, nominal) in delays.iter().zip([0.1, 0.2, 0.4, 0.8]) {
        let beyond = ((delay - nominal).abs() - nominal * 0.2).max(0.0);
        record.at_most(
            format!("delay of {nominal} s, beyond 20 %"),
            beyond * 1e3,
            "ms",
            must(5.0),
        );
    }
    let end = &exits(&node)[0];
    assert_eq!(end["code"], 1, "{end}");
    let lines = end["last_lines"].as_array().expect("lines");
    record.exactly("lines shown of an end", lines.len(), 20);
    assert!(
        lines[19].to_string().contains("broken was told to exit with 1"),
        "{end}"
    );
}

fn hopeless(_: Strength, record: &mut Record) {
    let mut cluster = Cluster::empty(programs::test_apps());
    cluster.set("servers.n", json!({"app": "test.exit"}));
    cluster.tell("n", "78");
    let End::Code(code) = cluster.run(&["start", "--wait=60s"]).end() else {
        panic!("`start` was killed");
    };
    record.exactly("exit code of `start --wait`", code as usize, 78);
    failed_at_once(&cluster, "exit code 78", record);

    let program = programs::test_apps();
    let ways: [(&str, &str, Option<&str>, u32); 3] = [
        ("a missing program", "No such file", None, 0),
        (
            "a program that may not be run",
            "Permission denied",
            Some("#!/bin/sh\n"),
            0o600,
        ),
        (
            "a program whose interpreter is missing",
            "No such file",
            Some("#!/nowhere/sh\n"),
            0o700,
        ),
    ];
    for (way, said, text, mode) in ways {
        // The master runs from a copy of the program, which is spoiled while the node is alive.
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("program");
        fs::copy(&program, &copy).expect("to copy the program");
        let mut cluster = Cluster::empty(copy.clone());
        cluster.set("servers.n", json!({"app": "test.exit"}));
        cluster.start();
        fs::remove_file(&copy).expect("to remove the program");
        if let Some(text) = text {
            fs::write(&copy, text).expect("to write the program");
            fs::set_permissions(&copy, fs::Permissions::from_mode(mode)).expect("because it is ours");
        }
        kill_pid(cluster.admin().pid("n"));
        let reason = failed_at_once(&cluster, way, record);
        assert!(reason.contains(said), "{reason}");
    }
}

/// Waits until the node has failed, and gives the reason.
fn failed_at_once(cluster: &Cluster, way: &str, record: &mut Record) -> String {
    let node = cluster.admin().until_state("n", "failed");
    record.exactly(format!("lives of a node with {way}"), exits(&node).len(), 1);
    assert_eq!(node["next_try_in"], Value::Null, "{node}");
    let reason = node["reason"].as_str().expect("a reason").to_owned();
    record.note(format!("{way}: {reason}"));
    reason
}

fn never_ready(strength: Strength, record: &mut Record) {
    for (way, come) in [
        ("never", "its ports are open, its start has not ended"),
        ("stuck", "no link to the master"),
    ] {
        killed_in_its_start(way, come, strength, record);
    }
}

fn killed_in_its_start(way: &str, come: &str, strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::empty(programs::test_apps());
    cluster.set("servers.n", json!({"app": "test.exit"}));
    cluster.tell("n", way);
    let timeout = strength.pick(1.0, 10.0);
    cluster.set("servers.n.start_timeout", format!("{}ms", timeout * 1e3));
    cluster.run(&[]);
    let admin = cluster.admin();
    let node = admin.until_state("n", "backoff");
    let end = &exits(&node)[0];
    assert_eq!(
        (&end["killed"], &end["signal"]),
        (&json!(true), &json!(9)),
        "{end}"
    );
    let reason = end["reason"].as_str().expect("a reason");
    let late = format!("not ready after {timeout} s ({come})");
    assert!(reason.contains(&late), "{reason}");
    record.note(format!("the reason: {reason}"));
    let uptime = end["uptime"].as_f64().expect("a time");
    record.at_most("start to kill", uptime, "s", must(timeout + 0.5));
    fs::remove_file(cluster.run_dir().join("exit-n")).expect("to remove");
    admin.until_state("n", "ready");
}
