//! Very many lives of nodes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::vitals::{Vitals, mib, zombies_of};
use crate::wait::until;

/// Nodes whose program ends at once, with a code of their own, are started by the API again and again; each leaves a line for
/// each of its lives.
pub(super) const CYCLES: Experiment = Experiment {
    id: "R-62",
    title: "nodes start and end 30,000 times (300 in the short form)",
    must: "no leak, no zombie, correct counts",
    best: "",
    run: cycles,
};

/// How many nodes.
const NODES: usize = 10;

/// Their exit code.
const CODE: u8 = 7;

fn cycles(strength: Strength, record: &mut Record) {
    let rounds = strength.pick(300, 30_000) / NODES;
    let names: Vec<String> = (1..=NODES).map(|number| format!("short{number}")).collect();
    let mut cluster = Cluster::of_test_apps();
    for name in &names {
        cluster.set(
            &format!("servers.{name}"),
            json!({"app": "test.exit", "remoteport": [{"rootname": "gate"}], "restart": "temporary"}),
        );
    }
    cluster.set("log.terminal", false);
    std::fs::create_dir_all(cluster.run_dir()).expect("because the folder is ours");
    for name in &names {
        let told = cluster.run_dir().join(format!("exit-{name}"));
        std::fs::write(told, CODE.to_string()).expect("because the folder is ours");
    }
    let master = cluster.run(&[]);
    let admin = cluster.admin();
    let ended = || {
        let nodes = admin.nodes();
        let mut short = nodes.into_iter().filter(|node| node["app"] == "test.exit");
        short.all(|node| has_ended(&node)).then_some(())
    };
    until("the first ends", ended);
    let (begin, mut settled) = (Instant::now(), None);
    for round in 1..rounds {
        for name in &names {
            admin.act(&format!("nodes/{name}/actions/start"));
        }
        until("the ends", ended);
        if round == rounds / 4 {
            settled = Some(Vitals::of(master.pid()).expect("a process"));
        }
    }
    let settled = settled.expect("because there are rounds");
    record.told(
        "lives a second",
        (rounds * NODES) as f64 / begin.elapsed().as_secs_f64(),
        "",
    );
    let after = Vitals::of(master.pid()).expect("a process");
    let more = mib(after.rss.saturating_sub(settled.rss));
    record.at_most(
        "memory of the master, more than after a quarter",
        more,
        "MiB",
        must(1.0),
    );
    record.at_most(
        "open files of the master, more",
        after.descriptors.saturating_sub(settled.descriptors) as f64,
        "",
        must(2.0),
    );
    record.at_most(
        "threads of the master, more",
        after.threads.saturating_sub(settled.threads) as f64,
        "",
        must(2.0),
    );
    until("no zombies", || {
        (zombies_of(&[master.pid()]).len() == 0).then_some(())
    });
    let lives = |name: &String| {
        let starts = std::fs::read_to_string(cluster.run_dir().join(format!("starts-{name}")));
        starts.map_or(0, |text| text.lines().count())
    };
    record.exactly(
        "lives that were started",
        names.iter().map(lives).sum(),
        rounds * NODES,
    );
    for node in admin.nodes().iter().filter(|node| node["app"] == "test.exit") {
        let exits = node["last_exits"].as_array().expect("a list of exits");
        assert_eq!(exits.len(), 20.min(rounds), "{node}");
        assert!(exits.iter().all(|exit| exit["code"] == CODE), "{node}");
    }
    assert!(begin.elapsed() < Duration::from_secs(7200));
}

fn has_ended(node: &Value) -> bool {
    let lived = node["last_exits"]
        .as_array()
        .is_some_and(|exits| !exits.is_empty());
    lived && node["pid"].is_null() && matches!(node["state"].as_str(), Some("stopped" | "failed"))
}
