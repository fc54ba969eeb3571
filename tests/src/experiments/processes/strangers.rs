//! Processes that are no nodes: what a node started is ended with it, and a stranger is left alone.

use std::time::Instant;

use serde_json::json;

use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::process::{command, kill_pid};
use crate::spread::Spread;
use crate::vitals::{is_alive, is_stopped};
use crate::wait::until;

pub(super) const GRANDCHILDREN: Experiment = Experiment {
    id: "R-14",
    title: "a node that has started a process is killed",
    must: "the process is gone after 1 s",
    best: "",
    run: grandchildren,
};

pub(super) const SAME_NUMBER: Experiment = Experiment {
    id: "R-15",
    title: "a former node's number is a stranger's",
    must: "the stranger is never signalled",
    best: "",
    run: same_number,
};

/// The command by which the game starts a process.
const SLEEPER: u32 = 23;

/// Says each signal that it gets, except SIGKILL and SIGSTOP, which show otherwise.
const WITNESS: &str = r#"
for signal in HUP INT QUIT ABRT USR1 USR2 ALRM TERM CONT TSTP TTIN TTOU PIPE; do
    trap "echo signal $signal" $signal
done
echo watching
while :; do sleep 60 & wait $!; done
"#;

fn grandchildren(strength: Strength, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let admin = cluster.admin();
    let mut times = Vec::new();
    for _ in 0..strength.pick(3, 20) {
        admin.until_proven();
        let answer = cluster.ask(SLEEPER, "600").expect("an answer");
        let sleeper: u32 = answer.payload.parse().expect("a number of a process");
        assert!(is_alive(sleeper), "the sleeper sleeps");
        let (old, at) = (admin.node("game1"), Instant::now());
        kill_pid(admin.pid("game1"));
        until("the end of the sleeper", || (!is_alive(sleeper)).then_some(()));
        times.push(at.elapsed());
        admin.until_next_life("game1", &old);
    }
    record.times(
        "kill of the node to the end of what it had started",
        &Spread::of(times),
        must(1000.0),
        must(1000.0),
    );
}

fn same_number(_: Strength, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    let mut witness = command("/bin/bash");
    witness.args(["-c", WITNESS]);
    let stranger = cluster.run_command("stranger", witness);
    stranger.line("watching");
    std::fs::create_dir_all(cluster.run_dir()).expect("a run folder");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a name of this run");
    let known = json!({ "name": "game1", "pid": stranger.pid(), "start_time": 1, "restarts": 7 });
    let state = json!({ "boot": boot.trim(), "nodes": [known] });
    std::fs::write(cluster.run_dir().join("state.json"), state.to_string()).expect("to write the state");

    // A whole life of a cluster: start, restart and kill of the node, stop.
    let master = cluster.start();
    let admin = cluster.admin();
    master.line(&format!("pid {} is not game1 any more", stranger.pid()));
    let game = admin.node("game1");
    assert_ne!(game["pid"], stranger.pid());
    assert_eq!(game["restarts"], 0);
    admin.act("nodes/game1/actions/restart");
    admin.until_next_life("game1", &game);
    admin.kill_and_await("game1");
    admin.act("cluster/actions/stop");
    master.end();

    assert!(stranger.has_ended().is_none(), "the stranger lives");
    assert!(!is_stopped(stranger.pid()), "the stranger runs");
    record.exactly(
        "signals that the stranger got",
        stranger.output().matches("signal").count(),
        0,
    );
    // The witness does see what it is sent.
    stranger.signal(nix::sys::signal::Signal::SIGTERM);
    stranger.line("signal TERM");
    kill_pid(stranger.pid());
}
