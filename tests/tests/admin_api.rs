//! The administrator's API tells and does what it says, to nobody but the administrator, and shows no secret.

use std::os::unix::fs::PermissionsExt;

use cluster_tests::Cluster;
use cluster_tests::admin::Admin;
use cluster_tests::cluster::TOKEN;
use cluster_tests::http::{self, Answer};
use cluster_tests::process::End;

/// Checks that an answer is an error in the form of RFC 9457.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{answer:?}"
    );
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    for key in ["type", "title", "detail"] {
        assert!(
            problem[key].as_str().is_some_and(|text| !text.is_empty()),
            "no {key}: {problem}"
        );
    }
}

#[test]
fn nobody_gets_in_without_the_token() {
    let cluster = Cluster::study();
    cluster.start();
    let before = cluster.admin().nodes();
    let wrong = [
        None,
        Some("Bearer wrong".to_owned()),
        Some("Bearer ".to_owned()),
        Some(format!("Basic {}", cluster.token())),
        Some(format!("Bearer {}x", cluster.token())),
        Some(format!("Bearer {}", &cluster.token()[1..])),
    ];
    for authorization in wrong {
        let header = authorization.as_deref().map(|value| ("Authorization", value));
        for (method, path) in [
            ("GET", "/api/v1/nodes"),
            ("POST", "/api/v1/nodes/game1/actions/restart"),
            ("POST", "/api/v1/cluster/actions/stop"),
            ("GET", "/api/v1/no/such/thing"),
        ] {
            let answer =
                http::request(cluster.webport(), method, path, header.as_slice()).expect("an answer");
            assert_problem(&answer, 401);
            assert!(
                answer
                    .header("www-authenticate")
                    .is_some_and(|how| how.starts_with("Bearer"))
            );
        }
    }
    let after = cluster.admin().nodes();
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(
            (&old["pid"], &old["state"]),
            (&new["pid"], &new["state"]),
            "nothing was done"
        );
    }
    let open = http::request(cluster.webport(), "GET", "/healthz", &[]).expect("an answer");
    assert_eq!(open.status, 200);
}

#[test]
fn what_is_not_there_is_a_problem_with_words() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    for (method, path) in [
        ("GET", "/api/v1/nothing"),
        ("GET", "/nothing"),
        ("POST", "/api/v1/nodes/game7/actions/restart"),
        ("POST", "/api/v1/nodes/game1/actions/explode"),
        ("POST", "/api/v1/nodes/..%2f..%2fetc/actions/stop"),
        ("POST", "/api/v1/cluster/actions/explode"),
    ] {
        assert_problem(&admin.request(method, path), 404);
    }
    let unknown = admin.request("POST", "/api/v1/nodes/game7/actions/restart");
    assert!(unknown.body.contains("game7"), "{}", unknown.body);
}

#[test]
fn nothing_changes_by_get() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let before = admin.pid("game1");
    for path in [
        "/api/v1/nodes/game1/actions/restart",
        "/api/v1/cluster/actions/stop",
    ] {
        assert_eq!(admin.request("GET", path).status, 405, "{path}");
    }
    assert_eq!(admin.request("DELETE", "/api/v1/nodes").status, 405);
    assert_eq!(admin.request("POST", "/api/v1/nodes").status, 405);
    assert_eq!(admin.pid("game1"), before);
    cluster.until_answered(300, "x", "game1Handle completed");
}

#[test]
fn each_node_is_told_with_all_that_an_operator_asks_for() {
    let cluster = Cluster::study();
    cluster.start();
    let nodes = cluster.admin().nodes();
    let names: Vec<&str> = nodes.iter().filter_map(|node| node["name"].as_str()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["game1", "gate", "net"]);
    for node in &nodes {
        assert_eq!(node["state"], "ready", "{node}");
        let pid = node["pid"].as_u64().expect("a process");
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).expect("it lives");
        assert_eq!(name.trim(), "demo");
        assert_eq!(node["incarnation"].as_str().map(str::len), Some(32), "{node}");
        assert_eq!(node["restarts"], 0, "{node}");
        assert!(
            node["uptime"].as_f64().is_some_and(|up| up > 0.0 && up < 60.0),
            "{node}"
        );
        assert!(
            node["rss"].as_u64().is_some_and(|bytes| bytes > 1_000_000),
            "{node}"
        );
        assert_eq!(node["host"], "127.0.0.1", "{node}");
        assert_eq!(node["last_exits"].as_array().map(Vec::len), Some(0), "{node}");
        assert!(
            node["app"].as_str().is_some_and(|app| app.starts_with("app.")),
            "{node}"
        );
    }
}

#[test]
fn a_node_is_stopped_started_and_restarted() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let first = admin.node("game1");

    admin.act("nodes/game1/actions/restart");
    let second = admin.until("game1", "a new process", |node| {
        node["state"] == "ready" && node["pid"] != first["pid"]
    });
    assert_ne!(first["incarnation"], second["incarnation"]);
    cluster.until_answered(300, "x", "game1Handle completed");

    admin.act("nodes/game1/actions/stop");
    let stopped = admin.until_state("game1", "stopped");
    assert!(stopped["pid"].is_null(), "{stopped}");
    let last = stopped["last_exits"]
        .as_array()
        .and_then(|all| all.last())
        .expect("an end");
    assert_eq!(
        (&last["asked"], &last["code"]),
        (&true.into(), &0.into()),
        "{last}"
    );
    admin.act("nodes/game1/actions/stop");
    assert_eq!(
        admin.node("game1")["state"],
        "stopped",
        "stopping twice is stopping"
    );

    admin.act("nodes/game1/actions/start");
    let third = admin.until_state("game1", "ready");
    assert_eq!(
        third["restarts"], 0,
        "only ends that nobody asked for count: {third}"
    );
    admin.act("nodes/game1/actions/start");
    assert_eq!(
        admin.node("game1")["pid"],
        third["pid"],
        "starting twice is starting"
    );
    cluster.until_answered(300, "x", "game1Handle completed");
    for name in ["gate", "net"] {
        assert_eq!(
            admin.node(name)["last_exits"].as_array().map(Vec::len),
            Some(0),
            "{name} went on"
        );
    }
}

#[test]
fn a_restarted_gate_is_reached_again_by_its_children() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let before = admin.pid("gate");
    admin.act("nodes/gate/actions/restart");
    admin.until("gate", "a new process", |node| {
        node["state"] == "ready" && node["pid"] != before
    });
    cluster.until_answered(300, "x", "game1Handle completed");
    admin.until_all_ready();
}

#[test]
fn without_a_variable_the_token_is_made_and_kept_in_a_file_of_its_owner() {
    let mut cluster = Cluster::study();
    cluster.without_variable(TOKEN);
    let master = cluster.start();
    let file = cluster.run_dir().join("admin.token");
    let mode = file.metadata().expect("the file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let token = std::fs::read_to_string(&file)
        .expect("to read it")
        .trim()
        .to_owned();
    assert!(token.len() >= 32, "{} characters", token.len());
    assert_eq!(Admin::new(cluster.webport(), &token).nodes().len(), 3);
    Admin::new(cluster.webport(), &token).act("cluster/actions/stop");
    assert_eq!(master.end(), End::Code(0));
    cluster.start();
    assert_eq!(
        Admin::new(cluster.webport(), &token).nodes().len(),
        3,
        "the next master has the same"
    );
}

#[test]
fn neither_token_nor_secret_is_told_or_passed_on() {
    let mut cluster = Cluster::study();
    cluster.set("log.level", "trace");
    cluster.start();
    let admin = cluster.admin();
    for authorization in [cluster.token().to_owned(), "wrong-token-4711".to_owned()] {
        Admin::new(cluster.webport(), &authorization).request("GET", "/api/v1/nodes");
    }
    cluster.until_answered(300, "x", "game1Handle completed");
    let secret = std::fs::read_to_string(cluster.run_dir().join("secret")).expect("the secret");
    let nodes = admin.request("GET", "/api/v1/nodes").body;
    for node in admin.nodes() {
        let read = |what: &str| std::fs::read(format!("/proc/{}/{what}", node["pid"])).expect("it lives");
        for what in ["environ", "cmdline"] {
            let text = String::from_utf8_lossy(&read(what)).into_owned();
            assert!(!text.contains(cluster.token()), "{what} of {}", node["name"]);
            assert!(!text.contains(secret.trim()), "{what} of {}", node["name"]);
        }
    }
    let said = cluster.everything_said();
    assert!(said.contains("link up"), "the logs are there");
    for hidden in [cluster.token(), secret.trim()] {
        assert!(!said.contains(hidden), "a log tells it");
        assert!(!nodes.contains(hidden), "the API tells it");
    }
    let mode = |name: &str| {
        let meta = cluster.run_dir().join(name).metadata().expect("the file");
        meta.permissions().mode() & 0o777
    };
    assert_eq!(mode("secret"), 0o600);
}
