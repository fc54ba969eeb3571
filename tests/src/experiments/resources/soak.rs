//! A long time with faults of many kinds.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::super::{Experiment, Record, Strength, must};
use super::no_more_files_or_threads;
use crate::Cluster;
use crate::load::{Load, Rate};
use crate::process::{kill_pid, signal_pid};
use crate::rig::Rig;
use crate::visitors::{Habits, Visitors};
use crate::vitals::{Vitals, mib, zombies_of};

/// Under a light load the game and the gate are killed and stopped for a while in turn, and crowds of clients come and
/// go. The master and the net node live through all of it, and are looked at when all is well. The variable
/// `CLUSTER_TESTS_SOAK_MINUTES` sets another time for the full form.
pub(super) const SOAK: Experiment = Experiment {
    id: "R-61",
    title: "a soak of 2 h (60 s in the short form) with mixed faults",
    must: "memory grows by 1 MiB an hour at most; open files and threads do not; the checker finds nothing",
    best: "",
    run: soak,
};

/// The variable.
const MINUTES: &str = "CLUSTER_TESTS_SOAK_MINUTES";

/// When all was well: after how many seconds, and what master and net node cost.
type Sample = (f64, [Vitals; 2]);

fn soak(strength: Strength, record: &mut Record) {
    let minutes = std::env::var(MINUTES)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(120);
    let time = strength.pick(Duration::from_secs(60), Duration::from_secs(60 * minutes));
    let cluster = Cluster::of_test_apps();
    let master = cluster.start();
    let rate = Rate {
        per_second: 100,
        connections: 20,
        time: time + Duration::from_secs(600),
        ..Rate::default()
    };
    let load = Load::open(cluster.netport(), rate);
    let rig = Rig::under(load, cluster);
    let admin = rig.cluster.admin();
    let pids = [master.pid(), admin.pid("net")];
    let (begin, mut samples, mut faults) = (Instant::now(), Vec::<Sample>::new(), 0);
    while begin.elapsed() < time {
        fault(&rig, faults);
        faults += 1;
        rig.until_proven();
        rig.load.until_served();
        samples.push((
            begin.elapsed().as_secs_f64(),
            pids.map(|pid| Vitals::of(pid).expect("both live")),
        ));
    }
    assert_eq!(
        [master.pid(), admin.pid("net")],
        pids,
        "both have lived through it"
    );
    record.exactly("zombies", zombies_of(&[master.pid()]).len(), 0);
    let (_cluster, outcome) = rig.conclude("soak");
    record.told("faults", faults as f64, "");
    record.note(outcome.to_string());
    record.no_connection_lost(&outcome);
    // All kinds of faults have been seen once before anything counts.
    let settled = &samples[(samples.len() / 4).max(KINDS).min(samples.len() - 1)..];
    for (which, name) in ["master", "net"].into_iter().enumerate() {
        let of = |sample: &Sample| sample.1[which];
        let (first, last) = (of(&settled[0]), of(&settled[settled.len() - 1]));
        record.told(format!("memory of {name} in the end"), mib(last.rss), "MiB");
        let growth = slope(
            settled
                .iter()
                .map(|sample| (sample.0 / 3600.0, mib(of(sample).rss))),
        );
        match strength {
            // In a minute it says nothing.
            Strength::Short => record.told(format!("memory of {name}, growth"), growth, "MiB/h"),
            Strength::Full => record.at_most(format!("memory of {name}, growth"), growth, "MiB/h", must(1.0)),
        }
        no_more_files_or_threads(name, first, last, record);
    }
}

/// How many kinds of faults there are.
const KINDS: usize = 5;

fn fault(rig: &Rig, number: usize) {
    let admin = rig.cluster.admin();
    match number % KINDS {
        0 => kill_pid(admin.pid("game1")),
        1 => kill_pid(admin.pid("gate")),
        2 => {
            let pid = admin.pid("game1");
            signal_pid(pid, Signal::SIGSTOP);
            rig.load.go_on_for(Duration::from_secs(1));
            signal_pid(pid, Signal::SIGCONT);
        }
        3 => {
            let habits = Habits {
                clients: 100,
                every: Duration::from_millis(200),
                again: Duration::from_millis(100),
                jitter: Duration::ZERO,
            };
            let crowd = Visitors::gather(rig.cluster.netport(), habits);
            rig.load.go_on_for(Duration::from_secs(1));
            crowd.leave();
        }
        _ => admin.act("nodes/game1/actions/restart"),
    }
    rig.load.go_on_for(Duration::from_millis(300));
}

/// How fast y grows with x, by least squares.
fn slope(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let points: Vec<(f64, f64)> = points.collect();
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let square: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if square > 0.0 { both / square } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_slope_of_a_line_is_its_slope() {
        let line = (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x) + 7.0));
        assert!((super::slope(line) - 3.0).abs() < 1e-9);
        assert!(super::slope([(1.0, 1.0)].into_iter()).abs() < 1e-9);
    }
}
