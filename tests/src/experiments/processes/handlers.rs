//! Handlers that panic, never return, or keep their thread busy.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::client::Client;
use crate::spread::Spread;
use crate::vitals::Vitals;
use crate::wait::within;

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-17",
    title: "handlers that panic 100,000 times, never return, or spin",
    must: "handler_panic after 5 ms, memory flat; timeout at the deadline; while the game spins, commands of other nodes \
           take at most twice as long, and the game is shown as unreachable and started again",
    best: "",
    run,
};

/// Commands of the test's net node.
const NEVER: u32 = 4;
const PANIC: u32 = 5;
const SPIN: u32 = 21;
const ECHO_OF_GATE: u32 = 24;

/// The deadline of a client's request, and how late its end may be.
const DEADLINE: f64 = 5000.0;
const LATE: f64 = 50.0;

fn run(strength: Strength, record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    let hang_kill = Duration::from_secs(2);
    cluster
        .set(
            "servers.game1.hang_kill",
            format!("{} s", hang_kill.as_secs()).replace(' ', ""),
        )
        // A hundred thousand panics are many lines.
        .set("log.terminal", false);
    cluster.start();
    panics(&cluster, strength.pick(300, 100_000), record);
    never_returns(&cluster, record);
    spins(&cluster, strength, record);
}

fn panics(cluster: &Cluster, count: usize, record: &mut Record) {
    let mut client = cluster.client();
    let game = cluster.admin().pid("game1");
    let rss = || Vitals::of(game).expect("the game").mib();
    let (mut times, mut early) = (Vec::with_capacity(count), 0.0);
    for number in 0..count {
        if number == count / 10 {
            early = rss();
        }
        let asked = Instant::now();
        let error = client.ask(PANIC, "now").expect("an error frame").error_of();
        times.push(asked.elapsed());
        assert_eq!(error, (u64::from(PANIC), "handler_panic".into(), "yes".into()));
    }
    assert_eq!(
        cluster.admin().node("game1")["restarts"],
        0,
        "only the actor dies"
    );
    record.times(
        "panic to its error frame",
        &Spread::of(times),
        must(5.0),
        must(5.0),
    );
    record.at_most(
        "growth of the game in the last 90 % of the panics",
        rss() - early,
        "MiB",
        must(1.0),
    );
}

fn never_returns(cluster: &Cluster, record: &mut Record) {
    let mut client = cluster.client();
    let asked = Instant::now();
    let error = client.ask(NEVER, "").expect("an error frame").error_of();
    assert_eq!(error.1, "timeout", "{error:?}");
    record.time(
        "timeout of a call without an answer",
        asked.elapsed(),
        must(DEADLINE + LATE),
    );
}

fn spins(cluster: &Cluster, strength: Strength, record: &mut Record) {
    let mut client = cluster.client();
    let quiet = ask_the_gate(
        &mut client,
        strength.pick(Duration::from_secs(1), Duration::from_secs(10)),
    );
    let admin = cluster.admin();
    let old = admin.node("game1");
    let mut caller = cluster.client();
    let asked = Instant::now();
    caller.send(SPIN, "60000").expect("to send");
    let busy = ask_the_gate(&mut client, Duration::from_millis(2500));
    admin.until_state("game1", "unreachable");
    record.time("spinning to unreachable", asked.elapsed(), must(3500.0));
    let error = caller.receive().expect("an error frame").error_of();
    record.time(
        format!("end of the spinning call ({})", error.1),
        asked.elapsed(),
        must(DEADLINE + LATE),
    );
    assert!(["link_lost", "timeout"].contains(&error.1.as_str()), "{error:?}");
    let is_new = |node: &Value| node["state"] == "ready" && node["incarnation"] != old["incarnation"];
    let limit = crate::wait::PATIENCE * 2;
    let new = within(limit, || Some(admin.node("game1")).filter(is_new)).expect("the next life");
    record.note(format!("the reason: {}", new["last_exits"][0]["reason"]));
    assert!(
        new["last_exits"][0]["reason"].to_string().contains("hung 2 s"),
        "{new}"
    );
    record.told("p99 of the gate's command before", millis(quiet.part(99.0)), "ms");
    let limit = must(millis(quiet.part(99.0)) * 2.0);
    record.time(
        "p99 of the gate's command while the game spins",
        busy.part(99.0),
        limit,
    );
}

/// Asks one question after the other for a while.
fn ask_the_gate(client: &mut Client, time: Duration) -> Spread {
    let end = Instant::now() + time;
    let mut times = Vec::new();
    while Instant::now() < end {
        let asked = Instant::now();
        let answer = client.ask(ECHO_OF_GATE, "x").expect("an answer");
        assert_eq!(answer.payload, "x");
        times.push(asked.elapsed());
        std::thread::park_timeout(Duration::from_millis(1));
    }
    Spread::of(times)
}
