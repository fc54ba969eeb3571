//! The configuration of the cluster that is measured: the user's, on ports of its own, in a folder of its own. Pure.
//!
//! What bears on speed is kept; ports of HTTP servers are left out, and no database and no cache of the user's is
//! touched: a node that has a database gets SQLite in the folder of the copy, and its own memory for a cache.

use lampyris_runtime::config::{Config, NodeConfig};
use serde_json::{Map, Value, json};

/// A configuration in JSON, and where its clients connect.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) json: Value,
    pub(super) netport: u16,
}

/// How many ports [`copy`] needs.
pub(super) fn ports_needed(config: &Config) -> usize {
    1 + config
        .nodes
        .iter()
        .map(|node| usize::from(node.rootport.is_some()) + usize::from(node.netport.is_some()))
        .sum::<usize>()
}

/// Copies a configuration onto these ports; `None` when it has no port for clients, or there are too few ports.
pub(super) fn copy(config: &Config, ports: &[u16]) -> Option<Copy> {
    let mut ports = ports.iter().copied();
    let master = ports.next()?;
    let mut servers = Map::new();
    let mut netport = None;
    for node in &config.nodes {
        let mut copied = server(node);
        if node.rootport.is_some() {
            copied["rootport"] = ports.next()?.into();
        }
        if node.netport.is_some() {
            let port = ports.next()?;
            copied["netport"] = port.into();
            add_clients(&mut copied, node);
            netport.get_or_insert(port);
        }
        servers.insert(node.name.to_string(), copied);
    }
    let level = if config.log.level == "off" { "off" } else { "info" };
    let json = json!({
        "master": { "rootport": master },
        "log": { "terminal": false, "level": level },
        "servers": servers,
    });
    Some(Copy {
        json,
        netport: netport?,
    })
}

fn server(node: &NodeConfig) -> Value {
    let parents: Vec<Value> = node
        .parents
        .iter()
        .map(|parent| json!({ "rootname": parent.name.to_string() }))
        .collect();
    let mut server = json!({
        "app": node.app,
        "remoteport": parents,
        "call_timeout": millis(node.call_timeout),
        "max_in_flight": node.max_in_flight,
        "db": node.db,
        "mem": node.mem,
        "busy_poll": node.busy_poll.to_string(),
        // Nothing may be left behind by a run whose master was killed.
        "on_master_loss": "exit",
    });
    if !node.cpu.is_empty() {
        server["cpu"] = node.cpu.clone().into();
    }
    server
}

fn add_clients(server: &mut Value, node: &NodeConfig) {
    let clients = &node.clients;
    let keys = json!({
        "netbind": "127.0.0.1",
        "max_clients": clients.max_clients,
        "max_frame": clients.max_frame,
        "client_in_flight": clients.in_flight,
        "out_buffer": clients.out_buffer,
        "head": clients.head,
        "protocol_version": clients.protocol_version,
        "server_version": clients.server_version,
        "serial": clients.serial,
    });
    if let (Value::Object(server), Value::Object(keys)) = (server, keys) {
        server.extend(keys);
    }
}

fn millis(duration: std::time::Duration) -> String {
    format!("{}ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"{
        "master": { "rootport": 9999, "webport": 9998 },
        "servers": {
            "gate": { "app": "app.gate", "rootport": 10000, "call_timeout": "7s" },
            "net": { "app": "app.net", "netport": 10001, "max_frame": "32KiB", "head": [1, 2, 3, 4],
                     "remoteport": [{ "rootname": "gate", "rootport": 10000 }] }
        }
    }"#;

    #[test]
    fn a_copy_is_a_good_configuration_on_other_ports() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("a.json"), folder.path().join("b.json"));
        std::fs::write(&file, SOURCE).unwrap();
        let config = Config::load(&file, std::iter::empty()).unwrap();
        assert_eq!(ports_needed(&config), 3);
        let copied = copy(&config, &[20_001, 20_002, 20_003]).unwrap();
        assert_eq!(copied.netport, 20_003);
        std::fs::write(&other, copied.json.to_string()).unwrap();
        let read = Config::load(&other, std::iter::empty()).unwrap();
        assert_eq!((read.master.rootport, read.master.webport), (20_001, None));
        let net = read.node("net").unwrap();
        assert_eq!((net.netport, net.parents[0].port), (Some(20_003), 20_002));
        assert_eq!(net.clients, config.node("net").unwrap().clients);
        let gate = read.node("gate").unwrap();
        assert_eq!(gate.call_timeout, std::time::Duration::from_secs(7));
    }

    #[test]
    fn without_clients_there_is_nothing_to_measure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        std::fs::write(&file, r#"{"master":{},"servers":{"a":{"app":"app.a"}}}"#).unwrap();
        let config = Config::load(&file, std::iter::empty()).unwrap();
        assert!(copy(&config, &[20_001]).is_none());
    }
}
