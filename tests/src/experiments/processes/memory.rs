//! No memory is left: the kernel kills the game, and the reason says so.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{Experiment, Record, Strength};
use crate::Cluster;
use crate::cluster::random;

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-18",
    title: "the game takes more memory than its cgroup has",
    must: "shown as killed by SIGKILL, likely out of memory (cgroup oom_kill=1), and started again",
    best: "",
    run,
};

/// The command by which the game takes memory.
const LEAK: u32 = 22;

/// How much the whole cluster may have.
const LIMIT: u64 = 256 * 1024 * 1024;

/// Where cgroups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// A memory cgroup of one's own. It is removed when this is dropped, if its processes are gone.
struct Group(PathBuf);

impl Group {
    /// Makes one with a limit, in either version of cgroups, or says why that cannot be.
    fn new() -> Result<Self, String> {
        let groups = fs::read_to_string("/proc/self/cgroup").map_err(|why| why.to_string())?;
        let memory = groups.lines().find_map(|line| line.split_once(":memory:"));
        // In version 2 only a group without processes may have groups with limits: the root is one.
        let (parent, limit) = match memory {
            Some((_, path)) => (format!("{ROOT}/memory{path}"), "memory.limit_in_bytes"),
            None => (ROOT.to_owned(), "memory.max"),
        };
        let group = Self(Path::new(&parent).join(format!("cluster-tests-{:08x}", random() % 0xffff_ffff)));
        let told = |what: &str, why: std::io::Error| format!("{what} {}: {why}", group.0.display());
        fs::create_dir(&group.0).map_err(|why| told("no cgroup can be made at", why))?;
        fs::write(group.0.join(limit), LIMIT.to_string()).map_err(|why| told("no limit for", why))?;
        // Without swap there is no such file, and no need.
        drop(fs::write(group.0.join("memory.swap.max"), "0"));
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir(&self.0) {
            eprintln!("{} is left behind: {why}", self.0.display());
        }
    }
}

fn run(_: Strength, record: &mut Record) {
    let group = match Group::new() {
        Ok(group) => group,
        Err(why) => return record.skip(why),
    };
    // Dropped before the group, which must be empty then.
    let cluster = Cluster::of_test_apps();
    let mut start = cluster.command("/bin/sh");
    start
        .args(["-c", r#"echo $$ > "$0/cgroup.procs" && exec "$@""#])
        .arg(&group.0)
        .arg(cluster.program())
        .arg("--config")
        .arg(cluster.config_file());
    let master = cluster.run_command("master with little memory", start);
    master.line("ready in");
    let admin = cluster.admin();
    let mut client = cluster.client();
    let (mut error, mut taken) = (None, 0);
    while error.is_none() {
        assert!(taken < (2 * LIMIT) >> 20, "nobody was killed");
        let answer = client.ask(LEAK, "16").expect("a frame");
        taken += 16;
        error = (answer.command == 0).then(|| answer.error_of());
    }
    assert_eq!(error, Some((u64::from(LEAK), "link_lost".into(), "maybe".into())));
    let node = admin.until("game1", "its next life", |node| {
        node["restarts"] == 1 && node["state"] == "ready"
    });
    let end = &node["last_exits"][0];
    assert_eq!(
        end["reason"], "killed by SIGKILL, likely out of memory (cgroup oom_kill=1)",
        "{end}"
    );
    record.note(format!("the reason: {}", end["reason"]));
    for name in ["gate", "net"] {
        assert_eq!(admin.node(name)["restarts"], 0, "{name} lives on");
    }
    record.told("memory that the game could take", taken as f64, "MiB");

    // A kill by somebody is not explained by that.
    admin.kill_and_await("game1");
    assert_eq!(
        admin.node("game1")["last_exits"][1]["reason"],
        "killed by SIGKILL"
    );
}
