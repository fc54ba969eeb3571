//! A configuration that cannot be used is refused at once, with every fault, its place and what is allowed there.

use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::process::End;
use serde_json::{Value, json};

/// How long the refusal may take; it takes some milliseconds.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A fault: what is done to the study's configuration, and what the message must hold.
type Fault = (fn(&mut Cluster), &'static [&'static str]);

const FAULTS: [Fault; 17] = [
    (
        |cluster| {
            cluster.set("trace", json!({"otlp": "https://127.0.0.1:4318"}));
        },
        &["E014", "trace.otlp", "https://127.0.0.1:4318", "without TLS"],
    ),
    (
        |cluster| {
            cluster.set("servers.net.netprt", 10_001);
        },
        &["E008", "servers.net.netprt", "did you mean \"netport\"?"],
    ),
    (
        |cluster| {
            cluster.set("servers.net.netport", "ten");
        },
        &["servers.net.netport", "\"ten\""],
    ),
    (
        |cluster| {
            cluster.set("servers.net.netport", 70_000);
        },
        &["E011", "servers.net.netport", "70000"],
    ),
    (
        |cluster| {
            let taken = cluster.port_of("master.webport");
            cluster.set("servers.gate.webport", taken);
        },
        &["E012", "servers.gate.webport"],
    ),
    (
        |cluster| {
            cluster.set("servers.net.remoteport", json!([{"rootname": "gte"}]));
        },
        &["E017", "\"gte\"", "did you mean \"gate\"?"],
    ),
    (
        |cluster| {
            cluster.set("servers.gate.remoteport", json!([{"rootname": "gate"}]));
        },
        &["E019", "servers.gate.remoteport[0].rootname"],
    ),
    (
        |cluster| {
            let port = cluster.port();
            cluster.set("servers.net.rootport", port);
            cluster.set("servers.gate.remoteport", json!([{"rootname": "net"}]));
        },
        &["E018", "gate -> net -> gate"],
    ),
    (
        |cluster| {
            cluster.set(
                "servers.net.remoteport",
                json!([{"rootport": 1999, "rootname": "gate"}]),
            );
        },
        &["E021", "1999"],
    ),
    (
        |cluster| {
            cluster.set("servers.game1.app", "app.game2server");
        },
        &[
            "E023",
            "app.game2server",
            "app.gateserver",
            "app.netserver",
            "app.game1server",
        ],
    ),
    (
        |cluster| {
            cluster.set("servers.game1.drain_timeout", "10");
        },
        &["E024", "servers.game1.drain_timeout"],
    ),
    (
        |cluster| {
            cluster.set("servers.net.max_frame", "many");
        },
        &["E025", "servers.net.max_frame"],
    ),
    (
        |cluster| {
            cluster.set("servers.gate.rootbind", "0.0.0.0");
        },
        &["E027", "E029", "servers.gate.rootbind"],
    ),
    (
        |cluster| {
            cluster.set("secret", "changeme-changeme");
        },
        &["E027", "secret"],
    ),
    (
        |cluster| {
            cluster.set("servers.gate.restart", "sometimes");
        },
        &["E037", "\"sometimes\"", "permanent", "transient", "temporary"],
    ),
    (
        |cluster| {
            cluster.set("servers.master", json!({"app": "app.gateserver"}));
        },
        &["E016", "servers.master"],
    ),
    (
        |cluster| {
            cluster.set("master", Value::Null);
        },
        &["master"],
    ),
];

#[test]
fn each_fault_is_told_and_nothing_is_started() {
    for (spoil, wanted) in FAULTS {
        let mut cluster = Cluster::study();
        spoil(&mut cluster);
        let started = Instant::now();
        let master = cluster.run(&[]);
        assert_eq!(master.end(), End::Code(78), "{wanted:?}");
        assert!(started.elapsed() < AT_ONCE, "{wanted:?}: {:?}", started.elapsed());
        let said = master.stderr();
        for part in wanted.iter().chain(&["config.json", "allowed: "]) {
            assert!(said.contains(part), "no {part:?} in:\n{said}");
        }
        assert!(!said.contains("changeme"), "the secret is told:\n{said}");
        assert_eq!(master.stdout(), "");
        assert!(!cluster.run_dir().join("logs").exists(), "nothing was started");
        cluster.assert_nothing_left();
    }
}

#[test]
fn all_faults_are_told_in_one_run_by_every_role() {
    let mut cluster = Cluster::study();
    cluster
        .set("servers.net.netprt", 1)
        .set("servers.game1.restart", "sometimes")
        .set("servers.gate.rootport", 0);
    for role in ["master", "gate", "client"] {
        let process = cluster.run(&["--role", role]);
        assert_eq!(process.end(), End::Code(78), "{role}");
        let said = process.stderr();
        for part in [
            "servers.net.netprt",
            "servers.game1.restart",
            "servers.gate.rootport",
        ] {
            assert!(said.contains(part), "{role}: no {part:?} in:\n{said}");
        }
    }
}

#[test]
fn check_config_tells_the_same_to_people_and_to_programs() {
    let mut cluster = Cluster::study();
    let good = cluster.run(&["check-config"]);
    assert_eq!(good.end(), End::Code(0));
    assert!(good.stdout().contains("3 nodes, no faults"), "{}", good.stdout());
    let good = cluster.run(&["check-config", "--format", "json"]);
    assert_eq!(good.end(), End::Code(0));
    assert_eq!(good.stdout().trim(), "[]");

    cluster
        .set("servers.net.netprt", 1)
        .set("servers.game1.app", "app.nothing");
    let bad = cluster.run(&["check-config"]);
    assert_eq!(bad.end(), End::Code(78));
    assert!(bad.stderr().contains("error[E008]"), "{}", bad.stderr());
    let bad = cluster.run(&["check-config", "--format", "json"]);
    assert_eq!(bad.end(), End::Code(78));
    let findings: Value = serde_json::from_str(&bad.stdout()).expect("JSON");
    let first = &findings[0];
    assert_eq!(
        (&first["code"], &first["severity"]),
        (&json!("E008"), &json!("fault")),
        "{findings}"
    );
    assert_eq!(first["key"], "servers.net.netprt");
    assert!(
        first["place"]["line"].as_u64().is_some_and(|line| line > 1),
        "{first}"
    );
    assert!(
        first["help"]
            .as_str()
            .is_some_and(|help| help.contains("netport")),
        "{first}"
    );
}

#[test]
fn files_that_are_no_configuration_are_refused() {
    let cluster = Cluster::study();
    let folder = cluster.folder().to_owned();
    let cases: [(&str, &[u8], &str); 4] = [
        ("empty.json", b"", "E004"),
        ("binary.json", b"\xff\xfe\x00", "E005"),
        ("broken.json", b"{\"master\": {\n", "E006"),
        ("broken.toml", b"[master\n", "E006"),
    ];
    for (name, bytes, code) in cases {
        let file = folder.join(name);
        std::fs::write(&file, bytes).expect("to write");
        let process = cluster.run_with(&file, &[]);
        assert_eq!(process.end(), End::Code(78), "{name}");
        assert!(process.stderr().contains(code), "{name}: {}", process.stderr());
    }
    let missing = cluster.run_with(&folder.join("missing.json"), &[]);
    assert_eq!(missing.end(), End::Code(78));
    assert!(missing.stderr().contains("E001"), "{}", missing.stderr());
}

#[test]
fn a_role_that_is_no_node_is_refused_naming_the_nodes() {
    let cluster = Cluster::study();
    let node = cluster.run(&["--role", "game7"]);
    assert_eq!(node.end(), End::Code(78));
    let said = node.stderr();
    for name in ["game7", "gate", "net", "game1"] {
        assert!(said.contains(name), "no {name} in: {said}");
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let cluster = Cluster::study();
    let process = cluster.run(&["--rle", "gate"]);
    assert_eq!(process.end(), End::Code(2));
    assert!(process.stderr().contains("--role"), "{}", process.stderr());
}

#[test]
fn variables_override_keys_and_their_faults_name_them() {
    let mut cluster = Cluster::study();
    let other = cluster.port();
    cluster.variable("LAMPYRIS__SERVERS__NET__NETPORT", &other.to_string());
    cluster.start();
    cluster.set("servers.net.netport", other);
    cluster.until_answered(300, "x", "game1Handle completed");
    drop(cluster);

    let mut cluster = Cluster::study();
    cluster.variable("LAMPYRIS__SERVERS__NET__NETPORT", "ten");
    let process = cluster.run(&[]);
    assert_eq!(process.end(), End::Code(78));
    let said = process.stderr();
    assert!(said.contains("env LAMPYRIS__SERVERS__NET__NETPORT"), "{said}");
}
