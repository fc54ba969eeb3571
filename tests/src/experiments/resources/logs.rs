//! Logs that flood, and logs that are rotated while they are written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use crate::Cluster;
use crate::rig::Rig;
use crate::vitals::{Vitals, mib};
use crate::wait::{until, within};

/// A node beside the others prints 100 MB a second, half of it by `println!` and half by its log.
pub(super) const FLOOD: Experiment = Experiment {
    id: "R-53",
    title: "a node prints 100 MB a second",
    must: "five old files of 10 MiB, and what is written in 0.1 s more; memory of the master +10 MiB; p99 of the others +10 %",
    best: "",
    run: flood,
};

/// A node prints 10,000 numbered lines a second. Its log is rotated by size, by somebody who renames it, and by one
/// who copies and truncates it.
pub(super) const ROTATION: Experiment = Experiment {
    id: "R-54",
    title: "a log of 10,000 lines a second is rotated by size, by rename, by copy and truncate",
    must: "no line is lost or torn by size and by rename",
    best: "",
    run: rotation,
};

const MIB: u64 = 1 << 20;

/// Adds a node that prints when it is told to.
fn with_noise() -> Cluster {
    let mut cluster = Cluster::of_test_apps();
    let gate = json!([{"rootname": "gate"}]);
    cluster.set("servers.noise", json!({"app": "test.exit", "remoteport": gate}));
    cluster.set("log.terminal", false);
    cluster
}

/// Has the node print, from its next life on.
fn print(cluster: &Cluster, bytes: u32, lines: u32, time: Duration) {
    let order = format!("print {bytes} {lines} {}", time.as_secs());
    std::fs::write(cluster.run_dir().join("exit-noise"), order).expect("because the folder is ours");
    cluster.admin().act("nodes/noise/actions/restart");
}

/// The node's log, and all that were put aside.
fn files(cluster: &Cluster) -> Vec<PathBuf> {
    let files = std::fs::read_dir(cluster.run_dir().join("logs")).expect("a folder of logs");
    let is_its = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("noise.log"))
    };
    files.flatten().map(|file| file.path()).filter(is_its).collect()
}

fn flood(strength: Strength, record: &mut Record) {
    let cluster = with_noise();
    let master = cluster.start();
    let rig = Rig::on(cluster, strength);
    let time = strength.pick(Duration::from_secs(4), Duration::from_secs(60));
    rig.until_proven();
    let begin = Instant::now();
    rig.load.go_on_for(time / 2);
    let calm = Instant::now();
    let before = Vitals::of(master.pid()).expect("a process");
    print(&rig.cluster, 980, strength.pick(20_000, 100_000), time);
    until("its first file", || (files(&rig.cluster).len() > 1).then_some(()));
    let loud = Instant::now();
    let (mut largest, mut all, mut memory) = (0, 0, 0);
    while loud.elapsed() < time - Duration::from_secs(1) {
        let sizes = files(&rig.cluster)
            .into_iter()
            .filter_map(|file| Some(file.metadata().ok()?.len()));
        let sizes: Vec<u64> = sizes.collect();
        largest = largest.max(sizes.iter().copied().max().unwrap_or_default());
        all = all.max(sizes.iter().sum());
        memory = memory.max(Vitals::of(master.pid()).expect("a process").rss);
        rig.load.go_on_for(Duration::from_millis(50));
    }
    let end = Instant::now();
    let count = files(&rig.cluster).len();
    let (_cluster, outcome) = rig.conclude("a node prints 100 MB a second");
    record.at_most("files", count as f64, "", must(6.0));
    record.at_most("largest file", mib(largest), "MiB", must(25.0));
    record.told("all files", mib(all), "MiB");
    record.at_most(
        "memory of the master, more than before",
        mib(memory.saturating_sub(before.rss)),
        "MiB",
        must(10.0),
    );
    record.exactly("calls that failed", outcome.failed() + outcome.refused(), 0);
    let [calm, loud] =
        [(begin, calm), (loud, end)].map(|(from, to)| outcome.answers_between(from, to).part(99.0));
    record.told("p99 of the answers before", millis(calm), "ms");
    record.time("p99 of the answers meanwhile", loud, must(millis(calm) * 1.1));
    assert!(count <= 6 && all < 6 * 60 * MIB, "{count} files of {all} bytes");
}

fn rotation(strength: Strength, record: &mut Record) {
    let time = strength.pick(Duration::from_secs(3), Duration::from_secs(30));
    let (printed, kept) = rotated_by(time, MIB / 4, |_, _| {});
    record.told("by size: lines", printed as f64, "");
    record.exactly("by size: lines lost or torn", printed - kept, 0);
    let rename = |log: &Path, number: u32| {
        std::fs::rename(log, log.with_extension(format!("log-{number}"))).expect("because there is a log");
    };
    let (printed, kept) = rotated_by(time, 1024 * MIB, rename);
    record.told("by rename: lines", printed as f64, "");
    record.exactly("by rename: lines lost or torn", printed - kept, 0);
    let truncate = |log: &Path, number: u32| {
        std::fs::copy(log, log.with_extension(format!("log-{number}"))).expect("because there is a log");
        std::fs::File::options()
            .write(true)
            .truncate(true)
            .open(log)
            .expect("because there is a log");
    };
    let (printed, kept) = rotated_by(time, 1024 * MIB, truncate);
    record.told("by copy and truncate: lines", printed as f64, "");
    record.told(
        "by copy and truncate: lines lost or torn",
        (printed - kept) as f64,
        "",
    );
}

/// Prints for a while, and has somebody do something to the log now and then. How many lines were printed, and how many
/// of them are in the files, whole and once.
fn rotated_by(time: Duration, max_size: u64, rotate: impl Fn(&Path, u32)) -> (usize, usize) {
    let mut cluster = with_noise();
    cluster
        .set("log.max_size", format!("{}KiB", max_size / 1024))
        .set("log.max_files", 1000);
    cluster.start();
    print(&cluster, 20, 10_000, time);
    let log = cluster.run_dir().join("logs/noise.log");
    until("its first lines", || {
        cluster.log("noise").contains("printed 100 ").then_some(())
    });
    let is_over = || files(&cluster).iter().find_map(|file| last_number(file));
    let mut number = 0;
    let printed = loop {
        rotate(&log, number);
        number += 1;
        if let Some(printed) = within(Duration::from_millis(300), is_over) {
            break printed;
        }
        assert!(number < 1000, "it prints for ever");
    };
    // Files that are renamed while they are counted would be missed, or counted twice.
    let admin = cluster.admin();
    admin.act("nodes/noise/actions/stop");
    admin.until("noise", "its end", |node| node["pid"].is_null());
    let mut seen: HashMap<usize, usize> = HashMap::new();
    for file in files(&cluster) {
        for line in std::fs::read_to_string(file).expect("a log").lines() {
            if let Some(number) = number_of(line) {
                *seen.entry(number).or_default() += 1;
            }
        }
    }
    let kept = (1..=printed)
        .filter(|number| seen.get(number) == Some(&1))
        .count();
    (printed, kept)
}

/// The number of a line that was printed whole.
fn number_of(line: &str) -> Option<usize> {
    let (_, printed) = line.split_once("printed ")?;
    let (number, filling) = printed.split_once(' ')?;
    (filling == "x".repeat(20)).then(|| number.parse().ok())?
}

/// How many lines there are, from the line that says that these are all.
fn last_number(file: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(file).ok()?;
    let at = text.rfind("printed all ")?;
    text[at..].split_whitespace().nth(2)?.parse().ok()
}
