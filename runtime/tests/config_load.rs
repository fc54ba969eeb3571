//! A good configuration becomes what it says, from either format, with defaults, overrides and their origins.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lampyris_runtime::config::{
    Code, Config, Finding, LinkConfig, LogConfig, Machine, MasterConfig, NodeConfig, Rejected, Severity,
    link_secret,
};
use lampyris_runtime::name::NodeName;

const MACHINE: Machine = Machine {
    lowest_port: 1024,
    open_files: 20_000,
};

const SMALL: &str = r#"{"master": {}, "servers": {"one": {"app": "a", "rootport": 10000}}}"#;

fn load_with(path: impl AsRef<Path>, variables: &[(&str, &str)]) -> Result<Config, Rejected> {
    let pairs = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load_on(&MACHINE, path.as_ref(), pairs)
}

fn load(path: impl AsRef<Path>) -> Config {
    load_with(path, &[]).unwrap_or_else(|rejected| panic!("{rejected}"))
}

/// A file of its own folder, which is removed with the first value.
fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("to write");
    (folder, path)
}

fn names(nodes: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    nodes.into_iter().map(|node| node.as_ref().to_owned()).collect()
}

#[test]
fn the_studys_file_loads_with_one_warning() {
    let config = load("../config/config.json");
    assert_eq!(
        names(config.nodes.iter().map(|node| node.name.as_str())),
        ["gate", "net", "game1"]
    );
    assert_eq!(
        (config.master.rootport, config.master.webport),
        (9999, Some(9998))
    );
    let net = config.node("net").expect("net");
    assert_eq!(
        (net.netport, net.parents[0].name.as_str(), net.parents[0].port),
        (Some(10001), "gate", 10000)
    );
    assert_eq!(config.node("gate").and_then(|gate| gate.rootport), Some(10000));
    assert_eq!(
        config.node("game1").map(|game| game.app.as_str()),
        Some("app.game1server")
    );
    let [warning] = &config.warnings[..] else {
        panic!("{:?}", config.warnings)
    };
    assert_eq!(
        (warning.severity, warning.kind),
        (Severity::Warning, Code::DuplicateKey)
    );
    assert_eq!(warning.key, "servers.net.name");
    assert_eq!(config.name, "config");
    assert!(config.file.is_absolute() && config.run_dir.ends_with("config/run/config"));
}

/// Everything but places and files.
fn essence(config: &Config) -> (&MasterConfig, &[NodeConfig], &LinkConfig) {
    (&config.master, &config.nodes, &config.link)
}

#[test]
fn the_sample_in_toml_says_the_same_and_shows_the_true_defaults() {
    let sample = load("../config/config.toml");
    assert_eq!(essence(&sample), essence(&load("../config/config.json")));
    assert!(sample.warnings.is_empty());

    let text = fs::read_to_string("../config/config.toml").expect("the sample");
    let switched_on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting.to_owned(),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(switched_on).collect();
    let (_folder, path) = written("config.toml", &lines.join("\n"));
    let mut all = load(&path);
    let gate = &mut all.nodes[0];
    // The keys whose default is nothing, so that the file can only have an example.
    (gate.webport, gate.host, gate.log, gate.cpu) = (None, None, None, Vec::new());
    (
        all.nodes[1].clients.idle_timeout,
        all.nodes[1].clients.rate,
        all.master.log,
    ) = (None, None, None);
    assert_eq!(essence(&all), essence(&sample));
    assert_eq!(all.log, LogConfig::under(&all.run_dir));
    assert_eq!(all.run_dir, path.with_file_name("run").join("config"));
    let db = all.data.db.expect("db");
    assert_eq!(
        (db.port, db.passwd.as_ref().map(|p| p.expose())),
        (Some(3306), Some("none yet"))
    );
    assert!(!format!("{db:?}").contains("none yet"));
}

#[test]
fn the_sample_for_several_hosts_loads_once_its_secret_is_there() {
    let text = fs::read_to_string("../config/hosts.toml").expect("the sample");
    let (folder, path) = written("hosts.toml", &text);
    assert!(load_with(&path, &[]).is_err());
    let secret = folder.path().join("hosts.secret");
    fs::write(&secret, "Sb7iq0Zl1q4yB8mRkq2v\n").expect("to write");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("chmod");
    let config = load(&path);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(
        link_secret(&config).expect("the secret").expose(),
        "Sb7iq0Zl1q4yB8mRkq2v"
    );
    assert_eq!(
        config
            .node("game2")
            .map(|node| (node.start, node.parents[0].port)),
        Some((false, 10000))
    );
    assert!(!format!("{config:?}").contains("Sb7iq0Zl1q4yB8mRkq2v"));
}

#[test]
fn a_secret_file_that_others_can_read_is_refused() {
    let (folder, path) = written(
        "c.toml",
        "secret_file = \"s\"\n[master]\n[servers.one]\napp = \"a\"\n",
    );
    let secret = folder.path().join("s");
    fs::write(&secret, "Sb7iq0Zl1q4yB8mRkq2v").expect("to write");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).expect("chmod");
    let rejected = load_with(&path, &[]).expect_err("too open");
    let [fault] = &rejected.findings[..] else {
        panic!("{rejected}")
    };
    assert_eq!(
        (fault.kind, fault.found.as_str()),
        (Code::SecretFile, "mode 0644")
    );
    assert!(
        fault
            .help
            .as_deref()
            .is_some_and(|help| help.starts_with("chmod 600 "))
    );
    fs::write(&secret, "short").expect("to write");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("chmod");
    assert_eq!(
        load_with(&path, &[]).expect_err("too short").findings[0].kind,
        Code::WeakSecret
    );
}

#[test]
fn variables_override_keys_and_are_named_as_their_origin() {
    let (_folder, path) = written("c.json", SMALL);
    let config = load_with(
        &path,
        &[
            ("LAMPYRIS__SERVERS__ONE__ROOTPORT", "10010"),
            ("LAMPYRIS__SERVERS__ONE__REMOTEPORT", "[]"),
            ("LAMPYRIS__LINK__WAIT", "1s"),
            ("LAMPYRIS__LINK__ALLOW_PLAINTEXT", "true"),
            ("LAMPYRIS__LINK__MAX_MESSAGE", "1048576"),
            ("LAMPYRIS__SERVERS__ONE__CPU", "[1, 0]"),
            ("LAMPYRIS__SERVERS__ONE__RELOAD", "false"),
            ("LAMPYRIS_ADMIN_TOKEN", "no key"),
        ],
    )
    .unwrap_or_else(|rejected| panic!("{rejected}"));
    assert_eq!(
        (config.nodes[0].rootport, config.nodes[0].reload),
        (Some(10010), false)
    );
    assert_eq!(config.nodes[0].cpu, [0, 1]);
    assert_eq!(
        (config.link.wait, config.link.allow_plaintext),
        (Duration::from_secs(1), true)
    );
    assert_eq!(config.link.max_message, 1 << 20);
    assert_eq!(
        config.origin("servers.one.rootport"),
        "env LAMPYRIS__SERVERS__ONE__ROOTPORT"
    );
    assert_eq!(
        config.origin("servers.one.app"),
        format!("file {}:1:43", path.display())
    );
    assert_eq!(config.origin("servers.one.drain_timeout"), "default");
    assert_eq!(config.origin("link.heartbeat"), "default");
}

#[test]
fn variables_in_texts_are_replaced() {
    let text = r#"{"master": {"webport": "${WEB}"}, "servers": {"one": {"app": "app.${APP}$${X}"}}}"#;
    let (_folder, path) = written("c.json", text);
    let config =
        load_with(&path, &[("WEB", "9000"), ("APP", "gate")]).unwrap_or_else(|rejected| panic!("{rejected}"));
    assert_eq!(
        (config.master.webport, config.nodes[0].app.as_str()),
        (Some(9000), "app.gate${X}")
    );
}

#[test]
fn keys_of_firefly_keep_their_meaning() {
    let text = r#"{"master": {"restart": "transient", "intensity": 2}, "memcached": {"urls": ["127.0.0.1:11211"]},
        "db": {"host": "localhost", "user": "root", "passwd": "p", "db": "g", "charset": "utf8", "engine": "InnoDB"},
        "servers": {"one": {"app": "a", "mem": true, "db": true, "cpu": 5, "reload": "app.doreload", "log": "l/one.log"},
                    "two": {"app": "a", "restart": "temporary", "reload": false}}}"#;
    let (folder, path) = written("c.json", text);
    let config = load(&path);
    let [one, two] = &config.nodes[..] else { panic!() };
    assert!(one.mem && one.db && one.reload && !two.reload);
    assert_eq!(
        (&one.cpu[..], one.log.as_deref()),
        (&[0, 2][..], Some(&*folder.path().join("l/one.log")))
    );
    let restart = |node: &NodeConfig| format!("{:?} {}", node.restart.restart, node.restart.intensity);
    assert_eq!(
        (restart(one), restart(two)),
        ("Transient 2".into(), "Temporary 2".into())
    );
}

#[test]
fn parents_start_before_their_children() {
    let text = r#"
[master]
[servers.game]
app = "a"
remoteport = [{ rootname = "world" }, { rootname = "gate" }]
[servers.world]
app = "a"
rootport = 10001
remoteport = [{ rootname = "gate" }]
[servers.gate]
app = "a"
rootport = 10000
[servers.log]
app = "a"
rootport = 10002
"#;
    let (_folder, path) = written("c.toml", text);
    let config = load(&path);
    let order: Vec<Vec<String>> = config
        .start_order()
        .iter()
        .map(|level| names(level.iter().map(NodeName::as_str)))
        .collect();
    assert_eq!(order, [vec!["gate", "log"], vec!["world"], vec!["game"]]);
    let name = |name: &str| NodeName::new(name).expect("a name");
    let gate = name("gate");
    assert_eq!(
        names(config.children_of(&gate).map(|node| node.name.as_str())),
        ["game", "world"]
    );
    let game = name("game");
    assert_eq!(
        names(config.parents_of(&game).map(|node| node.name.as_str())),
        ["world", "gate"]
    );
}

#[test]
fn applications_that_the_program_lacks_are_faults_with_a_place() {
    let (_folder, path) = written("c.json", SMALL);
    let config = load(&path);
    assert!(config.check_apps(&["a", "b"]).is_empty());
    let config = load("../config/config.json");
    let findings: Vec<Finding> = config.check_apps(&["app.gateserver", "app.netserver", "app.gameserver"]);
    let [fault] = &findings[..] else {
        panic!("{findings:?}")
    };
    assert_eq!(
        (fault.kind, fault.key.as_str()),
        (Code::BadApp, "servers.game1.app")
    );
    assert_eq!(fault.place.to_string(), "../config/config.json:6:88");
    assert_eq!(fault.help.as_deref(), Some("did you mean \"app.gameserver\"?"));
    assert!(fault.allowed.contains("app.netserver, "));
}

#[test]
fn one_port_on_two_hosts_is_no_clash() {
    let node = |name: &str, host: &str| {
        format!("[servers.{name}]\napp = \"a\"\nnetport = 10001\nhost = \"{host}\"\n")
    };
    let two = |a: &str, b: &str| format!("[master]\n{}{}", node("a", a), node("b", b));
    let (_folder, path) = written("c.toml", &two("10.0.0.1", "10.0.0.2"));
    assert_eq!(load(&path).nodes.len(), 2);
    let (_folder, path) = written("c.toml", &two("10.0.0.1", "10.0.0.1"));
    let rejected = load_with(&path, &[]).expect_err("one host");
    assert!(
        rejected
            .findings
            .iter()
            .any(|finding| finding.kind == Code::PortClash),
        "{rejected}"
    );
    let two_addresses = "[master]\nrootbind = \"127.0.0.2\"\n[servers.a]\napp = \"a\"\nrootport = 9999\n";
    let (_folder, path) = written("c.toml", two_addresses);
    assert_eq!(
        load(&path).master.rootbind,
        "127.0.0.2".parse::<IpAddr>().expect("an address")
    );
}

#[test]
fn this_machine_can_be_asked() {
    let machine = Machine::this();
    assert!(machine.lowest_port <= 1024 && machine.open_files > 0);
    let (_folder, path) = written("c.json", SMALL);
    assert!(Config::load(&path, std::iter::empty()).is_ok());
}

#[test]
fn files_of_absurd_shape_are_refused_soon() {
    let many =
        |count: usize, piece: &dyn Fn(usize) -> String| (0..count).map(piece).collect::<Vec<_>>().join(",");
    let keys = format!("{{{}}}", many(70_000, &|at| format!("\"k{at}\":{at}")));
    let node = |at| format!("\"n{at}\":{{\"app\":\"a\",\"netport\":1}}");
    let nodes = format!("{{\"master\":{{}},\"servers\":{{{}}}}}", many(20_000, &node));
    let parents = many(20_000, &|at| format!("{{\"rootname\":\"n{at}\"}}"));
    let parents = format!(
        "{{\"master\":{{}},\"servers\":{{{},\"x\":{{\"remoteport\":[{parents}]}}}}}}",
        many(900, &node)
    );
    let long_key = format!("{{\"master\": {{\"{}\": 1}}}}", "k".repeat(1 << 19));
    for (text, count) in [
        (keys, 200),
        (nodes, 1),
        (parents, 200),
        (long_key, 2),
        (" ".repeat(2 << 20), 1),
    ] {
        let (_folder, path) = written("c.json", &text);
        let begin = std::time::Instant::now();
        let rejected = load_with(&path, &[]).expect_err("a refusal");
        assert_eq!(rejected.findings.len(), count);
        assert!(rejected.to_string().len() < 1 << 20);
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    }
}
