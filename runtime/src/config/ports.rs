//! Every port of the file has one user, and may be bound.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Config;
use super::finding::{Code, Finding, Findings};
use super::machine::Machine;

/// One port that a process of the cluster binds.
struct Bound<'a> {
    key: String,
    port: u16,
    bind: IpAddr,
    /// The host on which it is bound, when the file names it.
    host: Option<&'a str>,
    /// Whether it is bound by a process that this machine's master starts.
    here: bool,
}

impl Bound<'_> {
    /// Whether both cannot be bound at one time.
    fn clashes_with(&self, other: &Self) -> bool {
        let elsewhere = matches!((self.host, other.host), (Some(a), Some(b)) if a != b);
        let overlap = self.bind == other.bind || self.bind.is_unspecified() || other.bind.is_unspecified();
        self.port == other.port && overlap && !elsewhere
    }
}

/// Looks at all ports of the file.
pub(super) fn check(config: &Config, machine: &Machine, findings: &Findings) {
    let mut by_port: HashMap<u16, Vec<Bound<'_>>> = HashMap::new();
    for bound in all(config) {
        if bound.here && bound.port < machine.lowest_port {
            findings.add(privileged(config, &bound, machine));
        }
        let same = by_port.entry(bound.port).or_default();
        if let Some(other) = same.iter().find(|other| bound.clashes_with(other)) {
            findings.add(clash(config, &bound, other));
        }
        same.push(bound);
    }
}

/// All ports, the master's first.
fn all(config: &Config) -> Vec<Bound<'_>> {
    let master = &config.master;
    let host = config
        .written
        .has("master.roothost")
        .then_some(master.roothost.as_str());
    let of_master = [
        ("rootport", Some(master.rootport), master.rootbind),
        ("webport", master.webport, master.webbind),
    ];
    let mut all: Vec<Bound<'_>> = Vec::new();
    for (key, port, bind) in of_master {
        all.extend(port.map(|port| Bound {
            key: format!("master.{key}"),
            port,
            bind,
            host,
            here: true,
        }));
    }
    for node in &config.nodes {
        let ports = [
            ("netport", node.netport, node.netbind),
            ("rootport", node.rootport, node.rootbind),
            ("webport", node.webport, node.webbind),
        ];
        let host = node.host.as_deref();
        for (key, port, bind) in ports {
            let key = format!("servers.{}.{key}", node.name);
            all.extend(port.map(|port| Bound {
                key,
                port,
                bind,
                host,
                here: node.start,
            }));
        }
    }
    all
}

fn privileged(config: &Config, bound: &Bound<'_>, machine: &Machine) -> Finding {
    let place = config.written.value_place_or_file(&bound.key);
    Finding::fault(Code::PrivilegedPort, place, bound.key.clone())
        .found(bound.port.to_string())
        .allowed(format!("a port from {} for this user", machine.lowest_port))
        .help("start it with the capability CAP_NET_BIND_SERVICE, or forward the port".to_owned())
}

fn clash(config: &Config, bound: &Bound<'_>, other: &Bound<'_>) -> Finding {
    let written = &config.written;
    let by_default = if written.has(&other.key) {
        ""
    } else {
        " by default"
    };
    // A port that is given can be changed, a default cannot be pointed at.
    let (at, first) = if written.has(&bound.key) {
        (bound, other)
    } else {
        (other, bound)
    };
    Finding::fault(
        Code::PortClash,
        written.value_place_or_file(&at.key),
        at.key.clone(),
    )
    .found(format!("{}, which {} has{by_default}", at.port, first.key))
    .allowed("a port of its own for each use on one host")
    .also(written.value_place(&first.key))
}
