//! The listening sockets of the nodes, kept open by the master: when a node dies, who connects meanwhile waits in
//! the kernel's queue for its successor and is not refused.

use std::collections::HashMap;
use std::net::{IpAddr, TcpListener};

use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::sockets::Listeners;

use crate::node::ports::{PortTaken, configured, take_or_bind};

/// The sockets of all nodes that this master starts.
#[derive(Default)]
pub(super) struct Ports(HashMap<NodeName, Listeners>);

impl Ports {
    /// The sockets of a node as it is configured now, bound if they are not open yet.
    pub(super) fn of(&mut self, config: &Config, node: &NodeConfig) -> Result<&Listeners, PortTaken> {
        let held = self.0.entry(node.name.clone()).or_default();
        held.retain(|key, listener| {
            configured(node).any(|(known, ip, port)| known == key && fits(listener, ip, port))
        });
        for (key, ip, port) in configured(node) {
            if !held.contains_key(key) {
                let listener = take_or_bind(&mut Listeners::new(), config, &node.name, key, ip, port)?;
                held.insert(key.to_owned(), listener);
            }
        }
        Ok(held)
    }

    /// Whether all sockets of a node are open here.
    pub(super) fn has_all(&self, node: &NodeConfig) -> bool {
        let held = self.0.get(&node.name);
        configured(node).all(|(key, ..)| held.is_some_and(|held| held.contains_key(key)))
    }

    /// Takes copies of the sockets that an adopted node serves.
    pub(super) fn adopt(&mut self, node: &NodeConfig, mut copies: Listeners) {
        let held = self.0.entry(node.name.clone()).or_default();
        for (key, ip, port) in configured(node) {
            if let Some(listener) = copies.remove(key).filter(|listener| fits(listener, ip, port)) {
                held.entry(key.to_owned()).or_insert(listener);
            }
        }
    }

    /// The port at which a node's present life listens for its children, if its socket is open here.
    pub(super) fn rootport(&self, name: &NodeName) -> Option<u16> {
        let listener = self.0.get(name)?.get("rootport")?;
        listener.local_addr().ok().map(|addr| addr.port())
    }

    /// Closes the sockets of a node that is to stay down: who connects is refused.
    pub(super) fn close(&mut self, name: &NodeName) {
        self.0.remove(name);
    }
}

fn fits(listener: &TcpListener, ip: IpAddr, port: u16) -> bool {
    listener.local_addr().is_ok_and(|addr| addr == (ip, port).into())
}
