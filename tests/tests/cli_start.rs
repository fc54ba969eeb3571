//! `start` and `stop` of the command line: in the background, until everything is ready, and as often as one likes.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use cluster_tests::Cluster;
use cluster_tests::cluster::TOKEN;
use cluster_tests::process::{End, Process, kill_pid};
use cluster_tests::wait::until;

/// A command that has ended.
fn ended(cluster: &Cluster, arguments: &[&str]) -> (End, Arc<Process>) {
    let process = cluster.run(arguments);
    (process.end(), process)
}

#[test]
fn start_wait_returns_when_every_node_is_ready_and_stop_when_nothing_is_left() {
    let mut cluster = Cluster::study();
    let (end, started) = ended(&cluster, &["start", "--wait=60s"]);
    assert_eq!(end, End::Code(0), "{}", started.output());
    assert!(started.stdout().starts_with("ready in "), "{}", started.stdout());
    let page = format!("admin page http://{}/", cluster.webport());
    assert!(started.stdout().contains(&page), "{}", started.stdout());
    assert!(
        cluster
            .admin()
            .nodes()
            .iter()
            .all(|node| node["state"] == "ready")
    );

    // What runs is told, whatever stands in the file by now.
    cluster.set("servers.later.app", "app.game1server");
    let (end, again) = ended(&cluster, &["start", "--wait"]);
    assert_eq!(end, End::Code(0), "{}", again.output());
    assert!(!again.stdout().contains("later"), "{}", again.stdout());
    assert!(
        again.stderr().contains("a master runs already"),
        "{}",
        again.stderr()
    );

    let (end, stopped) = ended(&cluster, &["stop"]);
    assert_eq!(end, End::Code(0), "{}", stopped.output());
    assert!(
        stopped.stdout().starts_with("stopped in "),
        "{}",
        stopped.stdout()
    );
    cluster.assert_nothing_left();

    let (end, nothing) = ended(&cluster, &["stop"]);
    assert_eq!(end, End::Code(0));
    assert!(
        nothing.stderr().contains("nothing to stop"),
        "{}",
        nothing.stderr()
    );
}

#[test]
fn a_master_in_the_background_outlives_the_command_and_its_output() {
    let cluster = Cluster::study();
    let (end, started) = ended(&cluster, &["start", "--detach", "--format", "json"]);
    assert_eq!(end, End::Code(0), "{}", started.output());
    let said: serde_json::Value = serde_json::from_str(&started.stdout()).expect("one object");
    assert_eq!(said["ok"], true);
    // What it says now, nobody reads.
    cluster.admin().until_all_ready();
    let admin = cluster.admin();
    let first = admin.pid("game1");
    assert_eq!(ended(&cluster, &["restart", "game1"]).0, End::Code(0));
    assert_ne!(admin.pid("game1"), first);
    cluster.until_answered(300, "x", "game1Handle completed");
}

#[test]
fn start_wait_says_why_a_node_is_not_ready() {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.stuck.app", "test.exit");
    cluster.tell("stuck", "78");
    let (end, started) = ended(&cluster, &["start", "--wait=60s"]);
    assert_eq!(end, End::Code(78), "{}", started.output());
    assert!(
        started.stderr().contains("stuck is failed: exit code 78"),
        "{}",
        started.stderr()
    );
    assert!(
        started.stderr().contains("1 of 4 nodes are not ready"),
        "{}",
        started.stderr()
    );
    let (end, status) = ended(&cluster, &["status"]);
    assert_eq!(end, End::Code(4), "{}", status.output());
    assert!(status.stdout().contains("stuck is failed"), "{}", status.stdout());
    assert!(
        status.stderr().contains("logs stuck --since 5m"),
        "{}",
        status.stderr()
    );
}

#[test]
fn start_wait_ends_when_its_time_is_over_although_the_node_may_yet_be_ready() {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.loops.app", "test.exit");
    cluster.tell("loops", "1");
    let (end, started) = ended(&cluster, &["start", "--wait=3s"]);
    assert_eq!(end, End::Code(4), "{}", started.output());
    assert!(started.stderr().contains("loops is "), "{}", started.stderr());
}

#[test]
fn a_stop_that_stops_nothing_is_no_success() {
    let mut cluster = Cluster::study();
    // Somebody has the lock and does not answer.
    let made = std::fs::DirBuilder::new().mode(0o700).create(cluster.run_dir());
    made.expect("the folder is ours");
    let path = cluster.run_dir().join("master.lock");
    std::fs::write(&path, std::process::id().to_string()).expect("the folder is ours");
    let held = std::fs::File::open(&path).expect("the file is there");
    held.lock().expect("nobody else wants it");
    let (end, silent) = ended(&cluster, &["stop", "--timeout", "300ms"]);
    assert_eq!(end, End::Code(3), "{}", silent.output());
    drop(held);
    let (end, nothing) = ended(&cluster, &["stop"]);
    assert_eq!(end, End::Code(0), "{}", nothing.output());

    // A token that is gone says nothing of the master.
    cluster.without_variable(TOKEN);
    let (end, started) = ended(&cluster, &["start", "--wait=60s"]);
    assert_eq!(end, End::Code(0), "the token is waited for: {}", started.output());
    let token = cluster.run_dir().join("admin.token");
    let kept = std::fs::read(&token).expect("the master has made it");
    std::fs::remove_file(&token).expect("the folder is ours");
    let web = cluster.webport().to_string();
    for arguments in [&["stop"][..], &["stop", "--addr", &web], &["status"]] {
        let (end, asked) = ended(&cluster, arguments);
        assert_eq!(end, End::Code(77), "{arguments:?}: {}", asked.output());
        assert!(asked.stderr().contains("--token-file"), "{}", asked.stderr());
    }
    std::fs::write(&token, kept).expect("the folder is ours");
    let (end, stopped) = ended(&cluster, &["stop"]);
    assert_eq!(end, End::Code(0), "{}", stopped.output());
    cluster.assert_nothing_left();
}

#[test]
fn a_broken_file_blinds_nobody_who_knows_the_run_folder() {
    let mut cluster = Cluster::study();
    cluster.without_variable(TOKEN);
    cluster.start();
    let file = cluster.config_file();
    let run_dir = cluster.run_dir();
    let web = cluster.webport().to_string();
    let code = |cluster: &Cluster, arguments: &[&str]| cluster.run_with(&file, arguments).end();
    let [here, there] = [&["status"][..], &["status", "--addr", &web]];
    // It has faults, but says where the run folder is.
    let faulty = serde_json::json!({"run_dir": run_dir, "servers": "nonsense"}).to_string();
    std::fs::write(&file, faulty).expect("the folder is ours");
    assert_eq!(code(&cluster, here), End::Code(0));
    assert_eq!(code(&cluster, there), End::Code(0));
    // It says nothing.
    std::fs::write(&file, "{").expect("the folder is ours");
    assert_eq!(code(&cluster, here), End::Code(78));
    assert_eq!(
        code(&cluster, there),
        End::Code(78),
        "the token is nobody knows where"
    );
    // A variable says it.
    cluster.variable("LAMPYRIS__RUN_DIR", run_dir.to_str().expect("a path of text"));
    for arguments in [
        here,
        there,
        &["logs"],
        &["events"],
        &["restart", "game1"],
        &["stop"],
    ] {
        assert_eq!(code(&cluster, arguments), End::Code(0), "{arguments:?}");
    }
    cluster.assert_nothing_left();
}

#[test]
fn a_master_that_cannot_start_gives_its_own_exit_code_and_words() {
    let mut cluster = Cluster::study();
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = held.local_addr().expect("an address").port();
    cluster.set("master.rootport", port);
    let (end, started) = ended(&cluster, &["start", "--detach"]);
    assert_eq!(end, End::Code(73), "{}", started.output());
    assert!(
        started.stderr().contains("master.rootport"),
        "{}",
        started.stderr()
    );
    cluster.set("servers", "nonsense");
    let (end, started) = ended(&cluster, &["start", "--detach"]);
    assert_eq!(end, End::Code(78), "{}", started.output());
    cluster.assert_nothing_left();
}

#[test]
fn start_in_the_foreground_is_the_master_itself() {
    let cluster = Cluster::study();
    let master = cluster.run(&["start"]);
    master.line("master | ready in");
    let (end, dry) = ended(&cluster, &["stop", "--dry-run"]);
    assert_eq!(end, End::Code(0));
    assert!(dry.stdout().starts_with("Stops 3 nodes"), "{}", dry.stdout());
    assert_eq!(ended(&cluster, &["stop", "--force"]).0, End::Code(0));
    master.line("stopping at once");
    cluster.assert_nothing_left();
}

#[test]
fn nodes_that_a_dead_master_has_left_are_named_by_stop_and_taken_over_by_start() {
    let cluster = Cluster::study();
    let master = cluster.start();
    let pid = cluster.admin().pid("game1");
    kill_pid(master.pid());
    master.end();
    let (end, stop) = ended(&cluster, &["stop"]);
    assert_eq!(end, End::Code(3), "{}", stop.output());
    assert!(
        stop.stderr().contains(&format!("game1 (pid {pid})")),
        "{}",
        stop.stderr()
    );
    assert_eq!(ended(&cluster, &["start", "--wait=60s"]).0, End::Code(0));
    assert_eq!(cluster.admin().pid("game1"), pid);
    assert_eq!(ended(&cluster, &["stop", "--keep-nodes"]).0, End::Code(0));
    // The master gives its lock back just before its process ends.
    until("the end of the master alone", || {
        (cluster.processes().len() <= 3).then_some(())
    });
    assert_eq!(cluster.processes().len(), 3, "the nodes go on");
    assert_eq!(ended(&cluster, &["start", "--wait=60s"]).0, End::Code(0));
    assert_eq!(ended(&cluster, &["stop"]).0, End::Code(0));
    until("the end of all", || cluster.processes().is_empty().then_some(()));
}
