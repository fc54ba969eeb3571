//! Which keys there are: each section of the tree to its type in `model`.
//!
//! Rules that concern more than one value are not here but in `check`.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use crate::name::{MAX_NAME, NodeName};

use super::finding::{Code, Finding, did_you_mean, quoted};
use super::model::{
    ClientErrors, DbConfig, LinkConfig, LogConfig, LogFormat, MasterConfig, MemcachedConfig, NodeConfig,
    OnCrashLoop, OnMasterLoss, Parent, Restart, RestartPolicy,
};
use super::read::{Section, integer_of, put, text_of};
use super::secret::Secret;
use super::tree::{Kind, Node, Table};

const RESTART_WORDS: [(&str, Restart); 3] = [
    ("permanent", Restart::Permanent),
    ("transient", Restart::Transient),
    ("temporary", Restart::Temporary),
];

/// The five levels of the log and silence.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "off"];

/// Bounds of most durations.
const SOME_TIME: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);

/// Bounds of durations that count in days as well.
const LONG_TIME: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(7 * 24 * 3600);

/// Bounds of most sizes.
const SOME_BYTES: RangeInclusive<u64> = 1024..=1 << 30;

/// Bounds of most counts.
const SOME: RangeInclusive<i128> = 1..=10_000_000;

/// Processors that an affinity mask of Linux can name.
const MAX_PROCESSORS: usize = 1024;

/// What the file says at its top, beside the sections.
pub(super) struct Top {
    pub(super) name: Option<String>,
    pub(super) run_dir: Option<std::path::PathBuf>,
    pub(super) secret: Option<Secret>,
    pub(super) secret_file: Option<std::path::PathBuf>,
}

/// The keys at the top that are no sections.
pub(super) fn top(root: &Section<'_>) -> Top {
    root.raw("$schema");
    Top {
        name: root.text("name").and_then(|name| {
            let fits = name.len() <= MAX_NAME && !name.contains(|c: char| c.is_control() || c == '/');
            if !fits && let Some(node) = root.raw("name") {
                let fault = root.fault_at(Code::BadName, "name", node);
                root.reader()
                    .findings
                    .add(fault.allowed("at most 64 bytes, no '/' and no control characters"));
            }
            fits.then_some(name)
        }),
        run_dir: root.path("run_dir"),
        secret: root.secret("secret"),
        secret_file: root.path("secret_file"),
    }
}

/// Section `master`. Without one the master has its defaults, and there is a fault.
pub(super) fn master(root: &Section<'_>) -> MasterConfig {
    let mut master = MasterConfig::default();
    if !root.has("master") {
        missing(root, "master", "a section `master`, if only {\"rootport\": 9999}");
    }
    let Some(section) = root.section("master") else {
        return master;
    };
    put(&mut master.roothost, section.host("roothost"));
    put(&mut master.rootport, section.port("rootport"));
    put(&mut master.rootbind, section.bind("rootbind"));
    master.webport = section.port("webport");
    put(&mut master.webbind, section.bind("webbind"));
    master.log = section.path("log");
    restart(&section, &mut master.restart);
    section.finish();
    master
}

fn missing(root: &Section<'_>, key: &str, allowed: &str) {
    let fault = Finding::fault(Code::MissingSection, root.reader().source.whole(), key);
    root.reader()
        .findings
        .add(fault.found("nothing").allowed(allowed));
}

fn restart(section: &Section<'_>, policy: &mut RestartPolicy) {
    put(&mut policy.restart, section.word("restart", &RESTART_WORDS));
    put(&mut policy.intensity, section.integer("intensity", 0..=1000));
    put(&mut policy.period, section.duration("period", LONG_TIME));
}

/// Section `servers`, in the order of the file.
pub(super) fn nodes(root: &Section<'_>, defaults: RestartPolicy) -> Vec<NodeConfig> {
    if !root.has("servers") {
        missing(root, "servers", "a section `servers` with at least one node");
    }
    let Some(servers) = root.section("servers") else {
        return Vec::new();
    };
    let reader = servers.reader();
    if servers.table().entries().is_empty() {
        let fault = Finding::fault(Code::MissingSection, servers.place(), "servers");
        reader
            .findings
            .add(fault.found("no node").allowed("at least one node"));
    }
    let mut nodes = Vec::new();
    for entry in servers.table().entries() {
        let path = servers.path_of(&entry.key);
        let Some(table) = entry.value.as_table() else {
            if !matches!(entry.value.kind, Kind::Faulty) {
                let fault = servers.fault_at(Code::WrongType, &entry.key, &entry.value);
                reader.findings.add(fault.allowed("the keys of a node"));
            }
            continue;
        };
        let section = Section::new(reader, table, entry.key_spot.clone(), path.clone());
        let name = NodeName::new(&entry.key).map_err(|why| {
            let fault = Finding::fault(Code::BadName, reader.source.place(&entry.key_spot), path);
            reader.findings.add(
                fault
                    .found(why.to_string())
                    .allowed("a name such as \"gate\" or \"game_1\""),
            );
        });
        let node = node(section, &entry.key, name.ok(), servers.table(), defaults);
        nodes.extend(node);
    }
    parents_ports(&mut nodes);
    nodes
}

/// A parent whose port was not given (0 until here) is dialled where it listens.
fn parents_ports(nodes: &mut [NodeConfig]) {
    let ports: HashMap<NodeName, u16> = nodes
        .iter()
        .filter_map(|node| Some((node.name.clone(), node.rootport?)))
        .collect();
    for parent in nodes
        .iter_mut()
        .flat_map(|node| &mut node.parents)
        .filter(|parent| parent.port == 0)
    {
        put(&mut parent.port, ports.get(&parent.name).copied());
    }
}

/// One node. With a bad name it is read all the same, for the sake of its other faults.
fn node(
    section: Section<'_>,
    key: &str,
    name: Option<NodeName>,
    servers: &Table,
    defaults: RestartPolicy,
) -> Option<NodeConfig> {
    if let Some(given) = section.text("name").filter(|given| given != key) {
        let value = section.raw("name")?;
        let fault = section
            .fault_at(Code::BadName, "name", value)
            .found(quoted(&given));
        section
            .reader()
            .findings
            .add(fault.allowed(format!("{}, the key of the node", quoted(key))));
    }
    let app = section.text("app");
    if !section.has("app") {
        let fault = Finding::fault(Code::BadApp, section.place(), section.path_of("app"));
        section.reader().findings.add(
            fault
                .found("nothing")
                .allowed("the name of the application it runs"),
        );
    }
    // A placeholder where the name is faulty: the result is dropped below.
    let mut node = NodeConfig::new(
        name.clone().unwrap_or_else(NodeName::master),
        app.unwrap_or_default(),
    );
    node.restart = defaults;
    places(&section, &mut node);
    node.parents = parents(&section, servers);
    life(&section, &mut node);
    clients(&section, &mut node);
    section.finish();
    name.map(|_| node)
}

/// Where a node listens and what it opens.
fn places(section: &Section<'_>, node: &mut NodeConfig) {
    node.netport = section.port("netport");
    put(&mut node.netbind, section.bind("netbind"));
    node.rootport = section.port("rootport");
    put(&mut node.rootbind, section.bind("rootbind"));
    node.webport = section.port("webport");
    put(&mut node.webbind, section.bind("webbind"));
    node.host = section.host("host");
    put(&mut node.db, section.boolean("db"));
    put(&mut node.mem, section.boolean("mem"));
    node.log = section.path("log");
    put(&mut node.cpu, cpu(section));
    put(&mut node.reload, reload(section));
}

/// How a node starts, stops and is watched.
fn life(section: &Section<'_>, node: &mut NodeConfig) {
    put(&mut node.start, section.boolean("start"));
    restart(section, &mut node.restart);
    let loops = [("backoff", OnCrashLoop::Backoff), ("failed", OnCrashLoop::Failed)];
    put(&mut node.on_crash_loop, section.word("on_crash_loop", &loops));
    put(&mut node.restart_children, section.boolean("restart_children"));
    let losses = [("keep", OnMasterLoss::Keep), ("exit", OnMasterLoss::Exit)];
    put(&mut node.on_master_loss, section.word("on_master_loss", &losses));
    put(
        &mut node.start_timeout,
        section.duration("start_timeout", SOME_TIME),
    );
    put(
        &mut node.drain_timeout,
        section.duration("drain_timeout", SOME_TIME),
    );
    put(
        &mut node.stop_timeout,
        section.duration("stop_timeout", SOME_TIME),
    );
    put(&mut node.hang_kill, section.duration("hang_kill", SOME_TIME));
    put(
        &mut node.call_timeout,
        section.duration("call_timeout", SOME_TIME),
    );
    put(&mut node.max_in_flight, section.integer("max_in_flight", SOME));
}

/// What holds for game clients.
fn clients(section: &Section<'_>, node: &mut NodeConfig) {
    let clients = &mut node.clients;
    let words = [
        ("frame", ClientErrors::Frame),
        ("silent", ClientErrors::Silent),
        ("close", ClientErrors::Close),
    ];
    put(&mut clients.errors, section.word("errors", &words));
    put(&mut clients.max_clients, section.integer("max_clients", SOME));
    put(&mut clients.max_frame, section.size("max_frame", 64..=1 << 30));
    put(
        &mut clients.in_flight,
        section.integer("client_in_flight", 1..=1_000_000),
    );
    clients.idle_timeout = section.duration("idle_timeout", LONG_TIME);
    clients.rate = section.integer("rate", SOME);
    put(&mut clients.out_buffer, section.size("out_buffer", SOME_BYTES));
    put(&mut clients.head, head(section));
    put(
        &mut clients.protocol_version,
        section.integer("protocol_version", 0..=255),
    );
    put(
        &mut clients.server_version,
        section.integer("server_version", 0..=i128::from(u32::MAX)),
    );
    put(&mut clients.serial, section.boolean("serial"));
}

/// `remoteport`: the parents.
fn parents(section: &Section<'_>, servers: &Table) -> Vec<Parent> {
    let allowed =
        "a list such as [{\"rootport\": 10000, \"rootname\": \"gate\"}]; in a variable the same as text";
    let elements = section.list("remoteport", allowed).unwrap_or_default();
    let reader = section.reader();
    let read = |(at, element): (usize, &Node)| {
        let path = section.path_of(&format!("remoteport[{at}]"));
        let Some(table) = element.as_table() else {
            if !matches!(element.kind, Kind::Faulty) {
                let place = reader.source.place(&element.spot);
                let fault = Finding::fault(Code::WrongType, place, path).found(element.shown());
                reader
                    .findings
                    .add(fault.allowed("{\"rootport\": PORT, \"rootname\": NAME}"));
            }
            return None;
        };
        parent(Section::new(reader, table, element.spot.clone(), path), servers)
    };
    elements.iter().enumerate().filter_map(read).collect()
}

fn parent(section: Section<'_>, servers: &Table) -> Option<Parent> {
    let name = section.text("rootname");
    if !section.has("rootname") {
        let fault = Finding::fault(Code::UnknownParent, section.place(), section.path_of("rootname"));
        section
            .reader()
            .findings
            .add(fault.found("nothing").allowed("the name of the parent"));
    }
    let port = section.port("rootport");
    let host = section.host("roothost");
    let known = name.as_deref().filter(|name| servers.get(name).is_some());
    if let (Some(name), None, Some(value)) = (&name, known, section.raw("rootname")) {
        let nodes: Vec<&str> = servers.entries().iter().map(|entry| entry.key.as_str()).collect();
        let fault = section.fault_at(Code::UnknownParent, "rootname", value);
        let fault = fault.allowed(format!("a node of this file: {}", nodes.join(", ")));
        section
            .reader()
            .findings
            .add(fault.help(did_you_mean(name, nodes)));
    }
    let name = known.and_then(|name| NodeName::new(name).ok());
    section.finish();
    Some(Parent {
        name: name?,
        port: port.unwrap_or(0),
        host,
    })
}

/// `cpu`: a mask as Firefly has it, or a list of processors.
fn cpu(section: &Section<'_>) -> Option<Vec<usize>> {
    let node = section
        .raw("cpu")
        .filter(|node| !matches!(node.kind, Kind::Faulty))?;
    let cpu = match &node.kind {
        Kind::List(elements) => elements.iter().map(processor).collect::<Option<Vec<usize>>>(),
        _ => integer_of(node)
            .filter(|mask| (1..=i128::from(u64::MAX)).contains(mask))
            .map(|mask| (0..64).filter(|bit| mask >> bit & 1 == 1).collect()),
    };
    let mut cpu = cpu.filter(|cpu| !cpu.is_empty()).or_else(|| {
        let fault = section.fault_at(Code::BadCpu, "cpu", node);
        section
            .reader()
            .findings
            .add(fault.allowed("a mask above 0, or a list of processors such as [0, 1]"));
        None
    })?;
    cpu.sort_unstable();
    cpu.dedup();
    Some(cpu)
}

fn processor(node: &Node) -> Option<usize> {
    usize::try_from(integer_of(node)?)
        .ok()
        .filter(|processor| *processor < MAX_PROCESSORS)
}

/// `reload`: Firefly's text names a module, and counts as true.
fn reload(section: &Section<'_>) -> Option<bool> {
    let value = section.raw("reload")?;
    match &value.kind {
        Kind::Text(text) if text != "false" || !value.loose => Some(true),
        _ => section.boolean("reload"),
    }
}

/// `head`: four bytes.
fn head(section: &Section<'_>) -> Option<[u8; 4]> {
    let allowed = "a list of four numbers from 0 to 255";
    let elements = section.list("head", allowed)?;
    let byte = |node: &Node| integer_of(node).and_then(|value| u8::try_from(value).ok());
    let bytes: Option<Vec<u8>> = elements.iter().map(byte).collect();
    let head = bytes.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    if let (None, Some(value)) = (head, section.raw("head")) {
        section
            .reader()
            .findings
            .add(section.fault_at(Code::OutOfRange, "head", value).allowed(allowed));
    }
    head
}

/// Section `link`.
pub(super) fn link(root: &Section<'_>) -> LinkConfig {
    let mut link = LinkConfig::default();
    let Some(section) = root.section("link") else {
        return link;
    };
    put(&mut link.heartbeat, section.duration("heartbeat", SOME_TIME));
    put(
        &mut link.suspect_after,
        section.duration("suspect_after", SOME_TIME),
    );
    put(&mut link.down_after, section.duration("down_after", SOME_TIME));
    put(
        &mut link.wait,
        section.duration("wait", Duration::ZERO..=Duration::from_secs(600)),
    );
    put(
        &mut link.held_calls,
        section.integer("held_calls", 0..=10_000_000),
    );
    put(&mut link.held_bytes, section.size("held_bytes", 0..=1 << 32));
    put(&mut link.max_message, section.size("max_message", SOME_BYTES));
    put(&mut link.max_queue, section.size("max_queue", 1024..=1 << 34));
    put(&mut link.max_calls, section.integer("max_calls", SOME));
    put(
        &mut link.handshake_timeout,
        section.duration("handshake_timeout", SOME_TIME),
    );
    put(&mut link.allow_plaintext, section.boolean("allow_plaintext"));
    section.finish();
    link
}

/// Section `log`.
pub(super) fn log(root: &Section<'_>, run_dir: &Path) -> LogConfig {
    let mut log = LogConfig::under(run_dir);
    let Some(section) = root.section("log") else {
        return log;
    };
    put(&mut log.level, level(&section));
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    put(&mut log.format, section.word("format", &formats));
    put(&mut log.terminal, section.boolean("terminal"));
    put(&mut log.dir, section.path("dir"));
    put(&mut log.max_size, section.size("max_size", 1024..=1 << 40));
    put(&mut log.max_files, section.integer("max_files", 1..=10_000));
    section.finish();
    log
}

/// `level`: a level, or a filter such as `info,lampyris=debug`. A lone word must be a level, else a slip of the
/// finger would name a module and silence the rest.
fn level(section: &Section<'_>) -> Option<String> {
    let text = section.text("level")?;
    let is_level = |word: &str| LEVELS.contains(&word.to_lowercase().as_str());
    let bad = text
        .split(',')
        .map(str::trim)
        .find(|part| match part.rsplit_once('=') {
            _ if part.contains('[') => false,
            Some((target, level)) => target.is_empty() || !is_level(level),
            None => !is_level(part),
        });
    let Some(bad) = bad else { return Some(text) };
    if let Some(value) = section.raw("level") {
        let word = bad.rsplit('=').next().unwrap_or(bad);
        let allowed = format!(
            "{}, or a filter such as \"info,lampyris=debug\"",
            LEVELS.join(", ")
        );
        let fault = section
            .fault_at(Code::UnknownWord, "level", value)
            .allowed(allowed);
        section
            .reader()
            .findings
            .add(fault.help(did_you_mean(word, LEVELS)));
    }
    None
}

/// Section `db`.
pub(super) fn db(root: &Section<'_>) -> Option<DbConfig> {
    let section = root.section("db")?;
    let db = DbConfig {
        host: section.host("host"),
        port: section.port("port"),
        user: section.text("user"),
        passwd: section.secret("passwd"),
        db: section.text("db"),
        charset: section.text("charset"),
        engine: section.text("engine"),
        url: section.secret("url"),
    };
    section.finish();
    Some(db)
}

/// Section `memcached`.
pub(super) fn memcached(root: &Section<'_>) -> Option<MemcachedConfig> {
    let section = root.section("memcached")?;
    let allowed = "a list of servers such as [\"127.0.0.1:11211\"]";
    let mut urls = Vec::new();
    if !section.has("urls") || section.list("urls", allowed).is_some_and(<[Node]>::is_empty) {
        let fault = Finding::fault(Code::NoCacheServer, section.place(), section.path_of("urls"));
        section
            .reader()
            .findings
            .add(fault.found("no server").allowed(allowed));
    }
    for (at, node) in section
        .list("urls", allowed)
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        match text_of(node) {
            Ok(url) => urls.push(url.to_owned()),
            Err(_) if matches!(node.kind, Kind::Faulty) => {}
            Err(code) => {
                let fault = section.fault_at(code, &format!("urls[{at}]"), node);
                section
                    .reader()
                    .findings
                    .add(fault.allowed("a server such as \"127.0.0.1:11211\""));
            }
        }
    }
    let hostname = section.text("hostname");
    section.finish();
    Some(MemcachedConfig { urls, hostname })
}
