//! No room on the disk.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::super::{Experiment, Record, Strength};
use crate::Cluster;
use crate::process::tool;
use crate::rig::Rig;
use crate::wait::until;

/// The run folder, with logs and state, is a file system of 1 MiB that is soon full, as every message is a line in
/// the log. Then the logs are removed. The ledger, which the checker needs, is elsewhere.
pub(super) const DISK: Experiment = Experiment {
    id: "R-52",
    title: "the disk with logs and state is full, and has room again",
    must: "no call fails, nothing restarts; lost lines are counted; the API warns; logs go on when there is room",
    best: "",
    run: |strength, record| {
        if let Err(why) = disk(strength, record) {
            record.skip(why);
        }
    },
};

/// A small file system. It is gone when this is dropped.
struct Small {
    at: PathBuf,
    _folder: tempfile::TempDir,
}

impl Small {
    fn mount() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        let at = folder.path().to_owned();
        run("mount", &["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"], &at)?;
        Ok(Self { at, _folder: folder })
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        if let Err(why) = run("umount", &["-l"], &self.at) {
            eprintln!("{why}");
        }
    }
}

fn run(name: &str, arguments: &[&str], at: &Path) -> Result<(), String> {
    let at = at.to_string_lossy();
    let arguments = [arguments, &[&at]].concat();
    let output = tool(name, &arguments).ok_or_else(|| format!("there is no program `{name}`"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

fn disk(strength: Strength, record: &mut Record) -> Result<(), String> {
    let small = Small::mount()?;
    let mut cluster = Cluster::of_test_apps();
    let told = |why: std::io::Error| why.to_string();
    symlink(&small.at, cluster.run_dir()).map_err(told)?;
    symlink(cluster.folder().join("ledger"), small.at.join("ledger")).map_err(told)?;
    cluster.set("log.level", "trace").set("log.terminal", false);
    cluster.start();
    let rig = Rig::on(cluster, Strength::Short);
    let admin = rig.cluster.admin();
    let lost = |node: &Value| node["lost_lines"].as_u64().unwrap_or_default();
    admin.until("game1", "lost lines", |node| lost(node) > 0);
    rig.load
        .go_on_for(strength.pick(Duration::from_secs(3), Duration::from_secs(30)));
    let node = admin.until("game1", "more lost lines", |node| lost(node) > 100);
    let warning = node["warnings"][0].as_str().unwrap_or_default();
    assert!(warning.contains("is the disk full?"), "{node}");
    record.note(format!("game1: {warning}"));
    for log in std::fs::read_dir(small.at.join("logs")).map_err(told)?.flatten() {
        std::fs::remove_file(log.path()).map_err(told)?;
    }
    until("lines of all nodes again, and how many are lost", || {
        let told = |name: &&str| rig.cluster.log(name).contains("lines of this log are lost");
        ["gate", "net", "game1"].iter().all(told).then_some(())
    });
    let restarts = admin.restarts();
    record.exactly("restarts", restarts, 0);
    let all: u64 = admin.nodes().iter().map(lost).sum();
    record.told("lines lost", all as f64, "");
    let (cluster, outcome) = rig.conclude("a full disk");
    record.exactly("calls that failed", outcome.failed() + outcome.refused(), 0);
    drop(cluster);
    drop(small);
    Ok(())
}
