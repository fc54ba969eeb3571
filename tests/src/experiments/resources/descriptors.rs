//! More clients than open files.

use std::time::{Duration, Instant};

use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::visitors::{Habits, Visitors};
use crate::vitals::{Vitals, processor_time};
use crate::wait::until;

/// All of the cluster has a limit of 256 open files, and 1,000 clients come, and come again when they are sent away.
pub(super) const DESCRIPTORS: Experiment = Experiment {
    id: "R-51",
    title: "a limit of 256 open files, and 1,000 clients",
    must: "10 % of a processor while full; links and API are served; who is too many is closed at once; \
           recovered 1 s after they leave",
    best: "",
    run: descriptors,
};

const FILES: usize = 256;
const CLIENTS: usize = 1000;

/// A cluster none of whose processes may have more open files.
fn with_few_files() -> Cluster {
    let cluster = Cluster::of_test_apps();
    let mut command = cluster.command("sh");
    command
        .args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" \"$@\"")])
        .arg(cluster.program())
        .arg("--config")
        .arg(cluster.config_file());
    cluster.run_command("master", command).line("ready in");
    cluster
}

fn descriptors(strength: Strength, record: &mut Record) {
    let cluster = with_few_files();
    let admin = cluster.admin();
    let net = admin.pid("net");
    let mut first = cluster.client();
    let mut in_game = |text: &str| {
        let answer = first.ask(3, &format!("0 {text}")).expect("an answer");
        assert_eq!(answer.payload, text);
    };
    in_game("before");
    let habits = Habits {
        clients: CLIENTS,
        every: Duration::from_secs(2),
        again: Duration::from_secs(2),
        jitter: Duration::from_secs(2),
    };
    let begin = Instant::now();
    let crowd = Visitors::gather(cluster.netport(), habits);
    until("everybody served or sent away", || {
        (crowd.served() + crowd.turned_away() >= CLIENTS).then_some(())
    });
    record.told(
        "until all are served or sent away",
        begin.elapsed().as_secs_f64() * 1e3,
        "ms",
    );
    let (time, before) = (
        strength.pick(Duration::from_secs(3), Duration::from_secs(30)),
        processor_time(net).expect("a process"),
    );
    let begin = Instant::now();
    while begin.elapsed() < time {
        in_game("while it is full");
        assert_eq!(admin.nodes().len(), 3);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let busy =
        (processor_time(net).expect("a process") - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    record.at_most(
        "processor of the net node while full",
        busy * 100.0,
        "%",
        must(10.0),
    );
    let served = crowd.served();
    record.told("clients served", served as f64, "");
    assert!((FILES / 4..FILES).contains(&served), "{served} clients served");
    assert_eq!(crowd.refused(), 0, "who is too many is closed, not refused");
    assert!(
        Vitals::of(net).expect("a process").descriptors < FILES,
        "some are left for links"
    );
    crowd.leave();
    let left = Instant::now();
    cluster.until_answered(3, "0 after", "after");
    record.time("all gone to the next client served", left.elapsed(), must(1000.0));
    in_game("after");
    let restarts = admin.restarts();
    record.exactly("restarts", restarts, 0);
    let lost = cluster.everything_said().matches("link lost").count();
    record.exactly("links lost", lost, 0);
}
