//! The commands that change something, and what each waits for.

use cluster_tests::Cluster;
use cluster_tests::process::End;
use serde_json::{Value, json};

fn code(cluster: &Cluster, arguments: &[&str]) -> End {
    cluster.run(arguments).end()
}

/// The process of game1, once it has been ready for so long that its end is no failed start.
fn proven(cluster: &Cluster) -> u32 {
    let admin = cluster.admin();
    admin.until_proven();
    admin.pid("game1")
}

#[test]
fn nodes_are_stopped_started_restarted_and_each_command_waits_until_it_is_done() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    assert_eq!(code(&cluster, &["stop", "game1"]), End::Code(0));
    assert_eq!(admin.node("game1")["state"], "stopped");
    assert_eq!(code(&cluster, &["status"]), End::Code(4));
    assert_eq!(
        code(&cluster, &["status", "gate", "net"]),
        End::Code(0),
        "those are well"
    );
    assert_eq!(code(&cluster, &["start", "game1"]), End::Code(0));
    assert_eq!(admin.node("game1")["state"], "ready");

    let before: Vec<u32> = ["gate", "net", "game1"].map(|name| admin.pid(name)).to_vec();
    let rolled = cluster.run(&["restart", "--rolling", "--timeout", "120s"]);
    assert_eq!(rolled.end(), End::Code(0), "{}", rolled.output());
    let order: Vec<String> = rolled.stdout().lines().map(str::to_owned).collect();
    assert_eq!(order.len(), 3, "{order:?}");
    assert!(
        order[0].starts_with("gate: restarted in "),
        "the parent first: {order:?}"
    );
    let after: Vec<u32> = ["gate", "net", "game1"].map(|name| admin.pid(name)).to_vec();
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));

    let both = cluster.run(&["restart", "game1", "net", "--format", "json"]);
    assert_eq!(both.end(), End::Code(0), "{}", both.output());
    let done: Value = serde_json::from_str(&both.stdout()).expect("a list");
    assert_eq!(done.as_array().map(Vec::len), Some(2));
    assert!(
        done.as_array().into_iter().flatten().all(|one| one["ok"] == true),
        "{done}"
    );
}

#[test]
fn drain_kill_and_reload_do_what_they_say() {
    let mut cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    assert_eq!(
        code(&cluster, &["drain", "game1", "--reason", "a test"]),
        End::Code(0)
    );
    let status = cluster.run(&["status"]);
    assert_eq!(status.end(), End::Code(4));
    assert!(status.stdout().contains("ready (drained)"), "{}", status.stdout());
    assert_eq!(code(&cluster, &["undrain", "game1"]), End::Code(0));
    let refused = cluster.run(&["drain", "gate"]);
    assert_eq!(refused.end(), End::Code(1));
    assert!(
        refused.stderr().contains("hint: restart it"),
        "{}",
        refused.stderr()
    );
    let partly = cluster.run(&["drain", "gate", "game1"]);
    assert_eq!(partly.end(), End::Code(4), "{}", partly.output());
    assert_eq!(code(&cluster, &["undrain", "game1"]), End::Code(0));

    for signal in ["TERM", "kill", "SIGABRT"] {
        let pid = proven(&cluster);
        let killed = cluster.run(&["kill", "-s", signal, "game1"]);
        assert_eq!(killed.end(), End::Code(0), "{}", killed.output());
        admin.until("game1", "another life", |node| {
            node["state"] == "ready" && node["pid"] != pid
        });
    }

    cluster.set("servers.game1.drain_timeout", "5s");
    cluster.config_file();
    let dry = cluster.run(&["reload", "--dry-run"]);
    assert_eq!(dry.end(), End::Code(0));
    assert!(dry.stdout().starts_with("Reads "), "{}", dry.stdout());
    let reload = cluster.run(&["reload"]);
    assert_eq!(reload.end(), End::Code(0), "{}", reload.output());
    assert_eq!(reload.stdout(), "servers.game1.drain_timeout: 10s -> 5s\n");
    let pid = admin.pid("game1");
    assert_eq!(code(&cluster, &["reload", "game1"]), End::Code(0));
    assert_ne!(
        admin.pid("game1"),
        pid,
        "a node's reload is a restart with the program on the disk"
    );
    let events = cluster.run(&["events", "game1", "-n", "500"]);
    assert_eq!(events.end(), End::Code(0));
    assert!(
        events.stdout().contains("drain (a test), by admin"),
        "{}",
        events.stdout()
    );
}

#[test]
fn what_cannot_be_done_is_said_with_its_own_exit_code() {
    let mut cluster = Cluster::study();
    for command in [
        &["status"][..],
        &["restart"],
        &["drain", "game1"],
        &["call", "net", "100"],
        &["dashboard"],
    ] {
        let asked = cluster.run(command);
        assert_eq!(asked.end(), End::Code(3), "{command:?}: {}", asked.output());
        assert!(
            asked.stderr().contains("hint: start it with: demo start"),
            "{}",
            asked.stderr()
        );
    }
    cluster.start();
    let unknown = cluster.run(&["restart", "gmae1"]);
    assert_eq!(unknown.end(), End::Code(2));
    assert!(
        unknown.stderr().contains("there are game1, gate, net"),
        "{}",
        unknown.stderr()
    );
    for (owner, hint) in [
        ("game1", "hint: stop it first"),
        ("gone", "hint: start one; gone itself will do"),
    ] {
        let refused = cluster.run(&["force", owner, "--dry-run"]);
        assert_eq!(refused.end(), End::Code(1));
        let said = refused.stderr();
        assert!(said.contains(hint), "{said}");
    }
    for nonsense in [&["force", "game1"][..], &["force", "a/b", "--reason", "x"]] {
        assert_eq!(code(&cluster, nonsense), End::Code(2), "{nonsense:?}");
    }
    let viewer = json!([{"name": "eyes", "role": "viewer", "token": "eyes-of-a-viewer-0123456789"}]);
    cluster.set("admin.tokens", viewer);
    let file = cluster.folder().join("wrong.token");
    std::fs::write(&file, "wrong").expect("the folder is ours");
    let name = file.to_str().expect("a path");
    let wrong = cluster.run(&["status", "--token-file", name]);
    assert_eq!(wrong.end(), End::Code(77), "{}", wrong.output());
    let missing = cluster.run(&["status", "--token-file", "/nonexistent"]);
    assert_eq!(missing.end(), End::Code(77), "{}", missing.output());
    cluster.variable("LAMPYRIS_TOKEN_FILE", name);
    assert_eq!(
        code(&cluster, &["status"]),
        End::Code(77),
        "by the variable the same"
    );
    cluster.without_variable("LAMPYRIS_TOKEN_FILE");
    // A file that somebody has broken meanwhile is no reason to be blind, in a run folder of the usual name.
    let web = cluster.webport().to_string();
    std::fs::write(cluster.config_file(), "{").expect("the folder is ours");
    let broken = cluster.folder().join("config.json");
    let with_addr = cluster.run_with(&broken, &["status", "--addr", &web]);
    assert_eq!(with_addr.end(), End::Code(0), "{}", with_addr.output());
    assert_eq!(cluster.run_with(&broken, &["stop"]).end(), End::Code(78));
}
