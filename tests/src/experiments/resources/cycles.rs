//! Very many lives of nodes.

use std::time::Instant;

use serde_json::{Value, json};

use super::super::{Experiment, Record, Strength, must};
use super::no_more_files_or_threads;
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
    let cluster = with_short_lives(&names);
    let master = cluster.run(&[]);
    let admin = cluster.admin();
    let ended = || {
        let nodes = admin.nodes();
        let mut short = nodes.into_iter().filter(|node| node["app"] == "test.exit");
        short.all(|node| has_ended(&node)).then_some(())
    };
    until("the first ends", ended);
    let vitals = || Vitals::of(master.pid()).expect("the master");
    let (begin, mut settled) = (Instant::now(), vitals());
    for round in 1..rounds {
        for name in &names {
            admin.act(&format!("nodes/{name}/actions/start"));
        }
        until("the ends", ended);
        if round == rounds / 4 {
            settled = vitals();
        }
    }
    let rate = (rounds * NODES) as f64 / begin.elapsed().as_secs_f64();
    record.told("lives a second", rate, "");
    let after = vitals();
    let more = mib(after.rss.saturating_sub(settled.rss));
    record.at_most(
        "memory of the master, more than after a quarter",
        more,
        "MiB",
        must(1.0),
    );
    no_more_files_or_threads("master", settled, after, record);
    until("no zombies", || {
        zombies_of(&[master.pid()]).is_empty().then_some(())
    });
    let lives = |name: &String| {
        let starts = std::fs::read_to_string(cluster.run_dir().join(format!("starts-{name}")));
        starts.map_or(0, |text| text.lines().count())
    };
    let lives = names.iter().map(lives).sum();
    record.exactly("lives that were started", lives, rounds * NODES);
    for node in admin.nodes().iter().filter(|node| node["app"] == "test.exit") {
        let exits = node["last_exits"].as_array().expect("a list of exits");
        assert_eq!(exits.len(), 20.min(rounds), "{node}");
        assert!(exits.iter().all(|exit| exit["code"] == CODE), "{node}");
    }
}

/// A cluster with nodes that end at once, and that the master does not start again.
fn with_short_lives(names: &[String]) -> Cluster {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("log.terminal", false);
    std::fs::create_dir_all(cluster.run_dir()).expect("because the folder is ours");
    for name in names {
        cluster.set(
            &format!("servers.{name}"),
            json!({"app": "test.exit", "remoteport": [{"rootname": "gate"}], "restart": "temporary"}),
        );
        let told = cluster.run_dir().join(format!("exit-{name}"));
        std::fs::write(told, CODE.to_string()).expect("because the folder is ours");
    }
    cluster
}

fn has_ended(node: &Value) -> bool {
    let lived = node["last_exits"]
        .as_array()
        .is_some_and(|exits| !exits.is_empty());
    lived && node["pid"].is_null() && matches!(node["state"].as_str(), Some("stopped" | "failed"))
}
