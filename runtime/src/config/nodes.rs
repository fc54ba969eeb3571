//! Which keys a node has: section `servers` to its type in `model`.
//!
//! Rules that concern more than one value are not here but in `check` and `parents`.

use std::collections::HashMap;

use crate::name::NodeName;

use super::finding::{Code, Finding, did_you_mean, listed, quoted};
use super::model::{BusyPoll, ClientErrors, NodeConfig, OnMasterLoss, Parent};
use super::read::{Section, integer_of, put};
use super::sections::{LONG_TIME, SOME, SOME_BYTES, SOME_TIME, missing, restart};
use super::tree::{Kind, Node, Table};
use crate::supervisor::policy::{OnCrashLoop, RestartPolicy};
use crate::tls::Pair;

/// Most nodes of a cluster: more than fit on a page, and few enough to compare each with each.
const MAX_NODES: usize = 1000;

/// Processors that an affinity mask of Linux can name.
const MAX_PROCESSORS: usize = 1024;

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
        servers.add(fault.found("no node").allowed("at least one node"));
    }
    if servers.table().entries().len() > MAX_NODES {
        let fault = Finding::fault(Code::OutOfRange, servers.place(), "servers");
        let found = format!("{} nodes", servers.table().entries().len());
        servers.add(fault.found(found).allowed(format!("at most {MAX_NODES} nodes")));
        return Vec::new();
    }
    let mut nodes = Vec::new();
    for entry in servers.table().entries() {
        let path = servers.path_of(&entry.key);
        let Some(table) = entry.value.as_table() else {
            if !matches!(entry.value.kind, Kind::Faulty) {
                let fault = servers.fault_at(Code::WrongType, &entry.key, &entry.value);
                servers.add(fault.allowed("the keys of a node"));
            }
            continue;
        };
        let section = Section::new(reader, table, entry.key_spot.clone(), path.clone());
        let name = NodeName::new(&entry.key).map_err(|why| {
            let fault = Finding::fault(Code::BadName, reader.source.place(&entry.key_spot), path);
            servers.add(
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
        section.add(fault.allowed(format!("{}, the key of the node", quoted(key))));
    }
    let app = section.text("app");
    if !section.has("app") {
        let fault = Finding::fault(Code::BadApp, section.place(), section.path_of("app"));
        section.add(
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
    let polls = [
        ("auto", BusyPoll::Auto),
        ("on", BusyPoll::On),
        ("off", BusyPoll::Off),
    ];
    put(&mut node.busy_poll, section.word("busy_poll", &polls));
    put(&mut node.reload, reload(section));
}

/// How a node starts, stops and is watched.
fn life(section: &Section<'_>, node: &mut NodeConfig) {
    put(&mut node.start, section.boolean("start"));
    restart(section, &mut node.restart);
    let loops = [("backoff", OnCrashLoop::Backoff), ("failed", OnCrashLoop::Failed)];
    put(
        &mut node.restart.on_crash_loop,
        section.word("on_crash_loop", &loops),
    );
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
    clients.tls = tls(section);
}

/// `tls`: certificate and key, both or none.
fn tls(section: &Section<'_>) -> Option<Pair> {
    let tls = section.section("tls")?;
    let (cert, key) = (tls.path("cert"), tls.path("key"));
    for missing in ["cert", "key"].into_iter().filter(|key| !tls.has(key)) {
        let fault = Finding::fault(Code::Certificate, tls.place(), tls.path_of(missing));
        tls.add(fault.found("nothing").allowed("the path of a file in PEM"));
    }
    tls.finish();
    Some(Pair {
        cert: cert?,
        key: key?,
    })
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
                section.add(fault.allowed("{\"rootport\": PORT, \"rootname\": NAME}"));
            }
            return None;
        };
        parent(Section::new(reader, table, element.spot.clone(), path), servers)
    };
    elements
        .iter()
        .enumerate()
        .take_while(|_| !reader.findings.full())
        .filter_map(read)
        .collect()
}

fn parent(section: Section<'_>, servers: &Table) -> Option<Parent> {
    let name = section.text("rootname");
    if !section.has("rootname") {
        let fault = Finding::fault(Code::UnknownParent, section.place(), section.path_of("rootname"));
        section.add(fault.found("nothing").allowed("the name of the parent"));
    }
    let port = section.port("rootport");
    let host = section.host("roothost");
    let known = name.as_deref().filter(|name| servers.get(name).is_some());
    if let (Some(name), None, Some(value)) = (&name, known, section.raw("rootname")) {
        let nodes: Vec<&str> = servers.entries().iter().map(|entry| entry.key.as_str()).collect();
        let fault = section.fault_at(Code::UnknownParent, "rootname", value);
        let fault = fault.allowed(format!("a node of this file: {}", listed(&nodes)));
        section.add(fault.help(did_you_mean(name, nodes)));
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
        section.add(fault.allowed("a mask above 0, or a list of processors such as [0, 1]"));
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
        section.add(section.fault_at(Code::OutOfRange, "head", value).allowed(allowed));
    }
    head
}
