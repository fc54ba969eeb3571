//! Many operators want the same thing at the same moment.

use serde_json::Value;

use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::process::{End, Process};
use crate::spread::Spread;
use crate::wait::until;

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-19",
    title: "restart, reload and stop are asked for 20 times at the same moment",
    must: "one action, and the same result for all; a reload is applied once, whether the API or the command line asks",
    best: "",
    run,
};

/// How many ask.
const OPERATORS: usize = 20;

/// The command that keeps the game busy, so that all wishes come while it stops: longer than it takes to ask them.
const WAIT_IN_GAME: u32 = 3;

fn run(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    let master = cluster.start();
    restarts(&cluster, strength, record);
    reloads(&mut cluster, &master, strength, record);
    let answers = all_at_once(&cluster, "cluster/actions/stop");
    assert!(
        answers
            .iter()
            .all(|answer| *answer == answers[0] && answer.0 == 202),
        "{answers:?}"
    );
    assert_eq!(master.end(), End::Code(0));
    record.exactly(
        "stops that were begun",
        master.output().matches("stopping (").count(),
        1,
    );
    cluster.assert_nothing_left();
}

fn restarts(cluster: &Cluster, strength: Strength, record: &mut Record) {
    let admin = cluster.admin();
    let mut restarts = Vec::new();
    for round in 1..=strength.pick(1, 20) {
        let old = admin.node("game1");
        let mut client = cluster.client();
        client.send(WAIT_IN_GAME, "1500 held").expect("to send");
        let taken = format!("{round} calls in the game");
        until(&taken, || {
            (cluster.log("game1").matches("waiting 1500 ms").count() == round).then_some(())
        });
        let begin = std::time::Instant::now();
        let answers = all_at_once(cluster, "nodes/game1/actions/restart");
        assert!(
            answers
                .iter()
                .all(|(status, told)| *status == 202 && told["operation"] == answers[0].1["operation"]),
            "{answers:?}"
        );
        assert_eq!(
            client.receive().expect("the answer").payload,
            "held",
            "the call ends in order"
        );
        admin.until_next_life("game1", &old);
        restarts.push(begin.elapsed());
        let new = until("the end of the old process", || {
            Some(admin.node("game1")).filter(|node| node["beside"].is_null())
        });
        let ends = new["last_exits"].as_array().map_or(0, Vec::len);
        assert_eq!(ends, round, "one end for each round: {new}");
    }
    let times = Spread::of(restarts);
    record.times(
        "20 wishes for a restart to ready",
        &times,
        must(2500.0),
        must(2500.0),
    );
}

/// Half of the operators ask the API, half by the command line.
fn reloads(cluster: &mut Cluster, master: &Process, strength: Strength, record: &mut Record) {
    let rounds = strength.pick(2, 20);
    let mut refused = 0;
    for round in 1..=rounds {
        cluster.set("servers.game1.hang_kill", format!("{}s", 30 + round));
        let file = cluster.config_file();
        let by_the_api = || {
            cluster
                .admin()
                .request("POST", "/api/v1/cluster/actions/reload")
                .status
                == 200
        };
        let by_the_shell = || cluster.run_with(&file, &["reload"]).end() == End::Code(0);
        std::thread::scope(|scope| {
            let pairs: Vec<_> = (0..OPERATORS / 2)
                .map(|_| [scope.spawn(by_the_shell), scope.spawn(by_the_api)])
                .collect();
            let done = pairs
                .into_iter()
                .flatten()
                .map(|one| one.join().expect("an answer"));
            refused += done.filter(|done| !done).count();
        });
    }
    record.exactly("reloads that were refused", refused, 0);
    let applied = master
        .output()
        .matches("the configuration has been applied")
        .count();
    record.exactly("reloads that were applied, one for each round", applied, rounds);
}

/// Asks for an action as many operators; status and body for each.
fn all_at_once(cluster: &Cluster, action: &str) -> Vec<(u16, Value)> {
    let ask = || {
        let answer = cluster.admin().request("POST", &format!("/api/v1/{action}"));
        (answer.status, answer.json())
    };
    std::thread::scope(|scope| {
        let operators: Vec<_> = (0..OPERATORS).map(|_| scope.spawn(ask)).collect();
        let joined = operators
            .into_iter()
            .map(|operator| operator.join().expect("an answer"));
        joined.collect()
    })
}
