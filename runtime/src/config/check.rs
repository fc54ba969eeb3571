//! Rules that concern several values at once: times that depend on each other, sections that are needed.
//!
//! A value that is faulty by itself was reported when it was read; here it counts as given and is passed over.

use std::path::Path;

use super::finding::{Code, Finding, Findings, did_you_mean, listed, quoted};
use super::machine::Machine;
use super::model::NodeConfig;
use super::tree::Kind;
use super::units::{show_duration, show_size};
use super::{Config, certificates, exposure, parents, ports};

/// All rules, over everything that could be read.
pub(super) fn check(config: &Config, machine: &Machine, findings: &Findings) {
    parents::check(config, findings);
    times(config, findings);
    sizes(config, findings);
    folders(config, findings);
    clients(config, machine, findings);
    ports::check(config, machine, findings);
    exposure::check(config, findings);
    certificates::check(config, findings);
}

/// One value that must not be beyond another.
struct Bound<T> {
    key: String,
    value: T,
    other_key: String,
    other: T,
    /// Whether the two may be equal.
    or_equal: bool,
}

/// Reports a bound that is not kept, at whichever of the two is given.
fn at_least<T: PartialOrd + Copy>(
    config: &Config,
    show: fn(T) -> String,
    bound: &Bound<T>,
    findings: &Findings,
) {
    let Bound {
        key,
        value,
        other_key,
        other,
        or_equal,
    } = bound;
    if value > other || (*or_equal && value == other) {
        return;
    }
    let written = &config.written;
    let more = if *or_equal { "not less than" } else { "more than" };
    let less = if *or_equal { "not more than" } else { "less than" };
    let state = |key: &str| if written.has(key) { "" } else { " by default" };
    let (at, found, allowed, also) = if written.has(key) || !written.has(other_key) {
        let allowed = format!(
            "{more} {other_key}, which is {}{}",
            show(*other),
            state(other_key)
        );
        (key, show(*value), allowed, other_key)
    } else {
        let allowed = format!("{less} {key}, which is {}{}", show(*value), state(key));
        (other_key, show(*other), allowed, key)
    };
    let fault = Finding::fault(Code::Contradiction, written.value_place_or_file(at), at.clone());
    findings.add(
        fault
            .found(found)
            .allowed(allowed)
            .also(written.value_place(also)),
    );
}

fn times(config: &Config, findings: &Findings) {
    let check = |key: String, value, other_key: String, other, or_equal| {
        at_least(
            config,
            show_duration,
            &Bound {
                key,
                value,
                other_key,
                other,
                or_equal,
            },
            findings,
        );
    };
    let link = &config.link;
    let key = |key: &str| format!("link.{key}");
    check(
        key("suspect_after"),
        link.suspect_after,
        key("heartbeat"),
        link.heartbeat,
        false,
    );
    check(
        key("down_after"),
        link.down_after,
        key("suspect_after"),
        link.suspect_after,
        false,
    );
    for node in &config.nodes {
        let key = |key: &str| format!("servers.{}.{key}", node.name);
        check(
            key("stop_timeout"),
            node.stop_timeout,
            key("drain_timeout"),
            node.drain_timeout,
            true,
        );
    }
}

fn sizes(config: &Config, findings: &Findings) {
    let check = |key: String, value, other_key: String, other| {
        at_least(
            config,
            show_size,
            &Bound {
                key,
                value,
                other_key,
                other,
                or_equal: true,
            },
            findings,
        );
    };
    let link = &config.link;
    check(
        "link.max_queue".to_owned(),
        link.max_queue,
        "link.max_message".to_owned(),
        link.max_message,
    );
    for node in &config.nodes {
        let key = format!("servers.{}.max_frame", node.name);
        check(
            "link.max_message".to_owned(),
            link.max_message,
            key,
            node.clients.max_frame,
        );
    }
}

/// The run folder and that of the logs can be made and written to.
fn folders(config: &Config, findings: &Findings) {
    for (key, folder) in [("run_dir", &config.run_dir), ("log.dir", &config.log.dir)] {
        let within = key == "log.dir" && folder.starts_with(&config.run_dir);
        let Some(why) = Some(folder)
            .filter(|_| !within)
            .and_then(|folder| unusable(folder))
        else {
            continue;
        };
        let fault = Finding::fault(Code::Folder, config.written.value_place_or_file(key), key);
        let fault = fault.found(format!("{}: {why}", quoted(&folder.display().to_string())));
        findings.add(fault.allowed("a folder that this user may write to, or one that can be made"));
    }
}

/// Why files cannot be made in a folder that perhaps has to be made itself.
fn unusable(folder: &Path) -> Option<String> {
    let there = folder
        .ancestors()
        .find(|ancestor| ancestor.symlink_metadata().is_ok())?;
    if !there.is_dir() {
        return Some(format!("{} is no folder", quoted(&there.display().to_string())));
    }
    let modes = nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK;
    nix::unistd::eaccess(there, modes)
        .err()
        .map(|errno| errno.desc().to_owned())
}

/// Hints about nodes with game clients.
fn clients(config: &Config, machine: &Machine, findings: &Findings) {
    for node in config.nodes.iter().filter(|node| node.netport.is_some()) {
        let written = &config.written;
        let dials = match written
            .value(&format!("servers.{}.remoteport", node.name))
            .map(|node| &node.kind)
        {
            Some(Kind::List(parents)) => !parents.is_empty(),
            given => given.is_some(),
        };
        let alone = !dials && config.children_of(&node.name).next().is_none();
        if alone && config.nodes.len() > 1 {
            let key = format!("servers.{}.netport", node.name);
            let place = written.value_place_or_file(&key);
            let warning =
                Finding::warning(Code::NoLinks, place, key).found("a node with neither parent nor child");
            findings
                .add(warning.allowed("a `remoteport` to a gate, when its clients shall reach other nodes"));
        }
        let key = format!("servers.{}.max_clients", node.name);
        if written.has(&key) && node.clients.max_clients as u64 >= machine.open_files {
            let place = written.value_place_or_file(&key);
            let warning = Finding::warning(Code::FewDescriptors, place, key);
            let warning = warning.found(node.clients.max_clients.to_string());
            let allowed = format!("less than {}, the limit of open files here", machine.open_files);
            findings.add(
                warning
                    .allowed(allowed)
                    .help("raise it: ulimit -n, or LimitNOFILE= of systemd".to_owned()),
            );
        }
    }
}

/// Every node's application is one of those that the program has registered.
pub(super) fn apps(config: &Config, registered: &[&str]) -> Vec<Finding> {
    let unknown = config
        .nodes
        .iter()
        .filter(|node| !registered.contains(&node.app.as_str()));
    let fault = |node: &NodeConfig| {
        let key = format!("servers.{}.app", node.name);
        let allowed = match registered.is_empty() {
            true => "nothing: this program has no application".to_owned(),
            false => format!("an application of this program: {}", listed(registered)),
        };
        let fault = Finding::fault(Code::BadApp, config.written.value_place_or_file(&key), key);
        fault
            .found(quoted(&node.app))
            .allowed(allowed)
            .help(did_you_mean(&node.app, registered.iter().copied()))
    };
    unknown.map(fault).collect()
}
