//! Clocks that are wrong, or jump.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::{Experiment, Record, Strength};
use crate::Cluster;
use crate::http;
use crate::rig::Rig;

/// The library of Debian's package `faketime` is preloaded, first into the game alone, then into everything; the wall
/// clock then goes wrong while it runs, by what a file says. Monotonic time is left as it is, as on a real machine.
pub(super) const CLOCKS: Experiment = Experiment {
    id: "R-25",
    title: "the wall clock is wrong by hours and years, or jumps back",
    must: "no call fails, no node restarts, no link drops",
    best: "",
    run: clocks,
};

/// Where Debian keeps the library, by machine.
const LIBRARIES: &str = "/usr/lib";

/// What the clock is off by, as the library says it.
const WRONG: [&str; 6] = ["+1h", "-1h", "+1y", "-1y", "+0", "-10"];

fn clocks(strength: Strength, record: &mut Record) {
    let Some(library) = library() else {
        record.skip("no libfaketimeMT.so.1: install the package faketime");
        return;
    };
    let time = strength.pick(Duration::from_millis(1200), Duration::from_secs(10));
    wrong_in("the game", &library, &["game1"], time, strength, record);
    wrong_in("everything", &library, &[], time, strength, record);
}

fn library() -> Option<PathBuf> {
    let machines = std::fs::read_dir(LIBRARIES).ok()?;
    let places = machines
        .flatten()
        .map(|machine| machine.path().join("faketime/libfaketimeMT.so.1"));
    places.into_iter().find(|place| place.exists())
}

/// Preloads the library into these nodes, all processes if none is named.
fn wrong_in(
    whose: &str,
    library: &Path,
    nodes: &[&str],
    time: Duration,
    strength: Strength,
    record: &mut Record,
) {
    let mut cluster = Cluster::of_test_apps();
    let clock = cluster.folder().join("clock");
    std::fs::write(&clock, "+0").expect("because the folder is ours");
    let variables = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let web = cluster.port();
    cluster.set("servers.game1.webport", web);
    for name in nodes {
        cluster.set(&format!("servers.{name}.start"), false);
    }
    if nodes.is_empty() {
        for (name, value) in &variables {
            cluster.variable(name, value);
        }
    }
    let master = cluster.run(&[]);
    master.line("net    | ready");
    for name in nodes {
        let mut command = cluster.command(cluster.program());
        command
            .args(["--role", name, "--config"])
            .arg(cluster.config_file());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let node = cluster.run_command(*name, command);
        node.line(" ready handlers=");
    }
    cluster.admin().until_all_ready();
    let rig = Rig::on(cluster, strength);
    let mut dates = HashSet::new();
    for wrong in WRONG {
        std::fs::write(&clock, wrong).expect("because the folder is ours");
        rig.load.go_on_for(time);
        dates.insert(date_of_the_game(web));
    }
    rig.load.until_served();
    let said = rig.cluster.everything_said();
    let (cluster, outcome) = rig.conclude(&format!("wrong clocks in {whose}"));
    let admin = cluster.admin();
    admin.until_all_ready();
    let restarts = admin.restarts();
    record.exactly(
        format!("{whose}: calls that failed"),
        outcome.failed() + outcome.refused(),
        0,
    );
    record.exactly(format!("{whose}: restarts"), restarts, 0);
    record.exactly(
        format!("{whose}: links lost"),
        said.matches("link lost").count(),
        0,
    );
    record.note(format!("{whose}: dates that the game told: {dates:?}"));
    assert!(dates.len() > 2, "the clock was never wrong: {dates:?}");
}

/// Day, month and year, as the game's own HTTP port tells them.
fn date_of_the_game(web: u16) -> String {
    let answer = http::request(([127, 0, 0, 1], web), "GET", "/healthz", &[]).expect("an answer");
    let date = answer.header("date").unwrap_or_default();
    date.chars().take(16).collect()
}
