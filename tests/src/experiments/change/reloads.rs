//! Another configuration for a cluster under load: it applies wholly or not at all, and touches whom it concerns.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{Experiment, Record, Strength, must};
use crate::changes::{NAME_OF_ANY, game_below, links, lives, reload, reloaded};
use crate::cluster::Cluster;
use crate::process::End;
use crate::rig::Rig;
use crate::spread::Spread;
use crate::wait::until;

pub(super) const RELOADS: Experiment = Experiment {
    id: "R-72",
    title: "100 reloads under load: valid ones, invalid ones, and ones without a change",
    must: "no call fails; an invalid one changes nothing and says what check-config says; a valid one lists the keys \
           that wait for a restart; every node stays the same process",
    best: "",
    run: reloads,
};

pub(super) const A_NODE_MORE: Experiment = Experiment {
    id: "R-75",
    title: "a game is added below the gate and removed again, under load",
    must: "no call fails; the new node serves and ends in order; all others keep process, incarnation and links",
    best: "",
    run: a_node_more,
};

/// The nodes that a reload must leave alone.
const OTHERS: [&str; 3] = ["gate", "net", "game1"];

/// Reloads in each round: a valid one, the same again, an invalid one, and back to the valid one.
const IN_A_ROUND: u32 = 4;

fn reloads(strength: Strength, record: &mut Record) {
    let mut rig = Rig::start(strength);
    rig.until_proven();
    let before = lives(&rig.cluster.admin(), &OTHERS);
    let rounds = strength.pick(8, 25);
    let mut times = Vec::new();
    for round in 0..rounds {
        let cluster = &mut rig.cluster;
        let drain = format!("{}s", 3 + round % 5);
        cluster.set("servers.game1.drain_timeout", drain.as_str());
        times.push(valid(cluster, round));
        assert_eq!(reloaded(cluster)["changed"], false, "the second time");
        invalid(cluster);
        cluster
            .set("servers.game1.drain_timeout", drain)
            .unset("servers.net.netprt");
        assert_eq!(reloaded(cluster)["changed"], false, "nothing of it was applied");
    }
    rig.load.until_served();
    until("the hook of the app", || {
        let told = "told of a reload: drains for 7s";
        rig.cluster.log("game1").contains(told).then_some(())
    });
    let reloads = rounds * IN_A_ROUND;
    let (cluster, outcome) = rig.conclude(&format!("{reloads} reloads"));
    record.told("reloads", f64::from(reloads), "");
    record.nothing_failed(&outcome);
    assert_eq!(lives(&cluster.admin(), &OTHERS), before);
    // As long as nodes have to apply it.
    let limit = must(2000.0);
    record.times(
        "a reload that three nodes apply",
        &Spread::of(times),
        limit,
        limit,
    );
}

/// Two keys that hold at once, and one that waits for the nodes; gives how long it took.
fn valid(cluster: &mut Cluster, round: u32) -> Duration {
    let wait = format!("{}ms", 2_001 + round);
    cluster
        .set("servers.net.rate", 1_000 + round)
        .set("link.wait", wait.as_str());
    let asked = Instant::now();
    let done = reloaded(cluster);
    let time = asked.elapsed();
    let keys = |list: &str| -> Vec<Value> {
        let changes = done[list].as_array().expect("a list").iter();
        changes.map(|change| change["key"].clone()).collect()
    };
    assert_eq!(done["changed"], true, "{done}");
    assert_eq!(
        keys("applied"),
        ["servers.game1.drain_timeout", "servers.net.rate"]
    );
    assert_eq!(keys("restart"), ["link.wait"]);
    let waiting = &done["restart"][0];
    assert_eq!(waiting["new"], wait);
    assert_eq!(waiting["of"], json!(["game1", "gate", "net"]));
    assert_eq!(done["unreached"], json!([]));
    time
}

/// Two faults: both are told, as `check-config` does.
fn invalid(cluster: &mut Cluster) {
    cluster
        .set("servers.game1.drain_timeout", "10")
        .set("servers.net.netprt", 1);
    let refused = reload(cluster);
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let refused = refused.json();
    let text = refused["detail"].as_str().expect("a text");
    let key = "servers.game1.drain_timeout";
    for part in ["error[E024]", "error[E008]", "config.json:", key, "did you mean"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert_eq!(refused["findings"].as_array().map(Vec::len), Some(2), "{refused}");
    let checked = cluster.run(&["check-config"]);
    assert_eq!(checked.end(), End::Code(78));
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    let mut told = lines(&checked.stderr());
    let sum = told.pop().expect("a last line");
    assert!(sum.starts_with("2 faults;"), "{sum}");
    assert_eq!(told, lines(text));
}

fn a_node_more(strength: Strength, record: &mut Record) {
    let mut rig = Rig::start(strength);
    let before = lives(&rig.cluster.admin(), &OTHERS);
    let rounds = strength.pick(2, 20);
    let served: Vec<Duration> = (0..rounds).map(|_| comes_and_goes(&mut rig.cluster)).collect();
    rig.load.until_served();
    let (cluster, outcome) = rig.conclude(&format!("a node comes and goes {rounds} times"));
    record.nothing_failed(&outcome);
    assert_eq!(lives(&cluster.admin(), &OTHERS), before);
    for (of, to) in [
        ("net", "gate"),
        ("game1", "gate"),
        ("gate", "net"),
        ("gate", "game1"),
    ] {
        record.exactly(format!("links from {of} to {to}"), links(&cluster, of, to), 1);
    }
    let limit = must(300.0).best(100.0);
    record.times(
        "reload to ready of the new node",
        &Spread::of(served),
        limit,
        limit,
    );
}

/// Adds game2, which serves in turn with game1, and removes it again; gives how long it took to be ready.
fn comes_and_goes(cluster: &mut Cluster) -> Duration {
    let port = cluster.port_of("servers.gate.rootport");
    cluster.set("servers.game2", game_below("gate", port));
    let asked = Instant::now();
    assert_eq!(reloaded(cluster)["added"], json!(["game2"]));
    let admin = cluster.admin();
    admin.until_state("game2", "ready");
    let ready = asked.elapsed();
    let game2 = admin.pid("game2");
    let mut client = cluster.client();
    let mut who = || client.ask(NAME_OF_ANY, "").expect("an answer").payload;
    let mut names = [who(), who(), who(), who()];
    names.sort();
    assert_eq!(names, ["game1", "game1", "game2", "game2"], "each in turn");

    cluster.unset("servers.game2");
    assert_eq!(reloaded(cluster)["removed"], json!(["game2"]));
    for _ in 0..8 {
        assert_eq!(who(), "game1");
    }
    until("the end of game2", || {
        (admin.nodes().len() == OTHERS.len()).then_some(())
    });
    until("the end of its process", || {
        (!cluster.processes().contains(&game2)).then_some(())
    });
    let stopped = cluster.run_dir().join("stopped-game2");
    std::fs::remove_file(stopped).expect("because it stopped in order");
    ready
}
