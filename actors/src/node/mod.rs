//! A running node, as its services see it: who it is, and the addresses of its parents and children.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `boot` | the life of the process: from its ports to its exit code |
//! | `running` | what it runs: services, ports, links |
//! | `assemble` | routes, peers and hooks from configuration and app |
//! | `handover` | copies of the listening sockets for an adopting master |
//! | `links` | who may come in, what the master is told |
//! | `lost_lines` | what the log lacks, told to the master |
//! | `children` | addresses of several children of one application |
//! | `control` | what the master and other nodes ask of a node itself |
//! | `inbound` | from a link to a service's inbox |
//! | `error` | why a node could not start |
//! | `ports` | binds a port, and names who holds it when it is taken |
//! | `sessions` | clients of any node, by session id |
//! | `web` | the node's own HTTP port |

pub(crate) mod assemble;
pub(crate) mod boot;
mod children;
pub(crate) mod control;
mod error;
pub(crate) mod handover;
pub(crate) mod inbound;
mod links;
mod lost_lines;
pub(crate) mod ports;
mod running;
mod sessions;
mod web;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

pub use boot::boot;
pub use children::Children;
pub use error::BootError;
use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::link::{Identity, Inbound, LinkSettings, Peer};
use lampyris_runtime::name::{Incarnation, NodeName};

use crate::net::Clients;
use crate::remote::RemoteAddr;
use crate::service::Router;

/// A running node. Cheap to clone; what a service's factory is given.
#[derive(Clone)]
pub struct Node(Arc<Shared>);

pub(crate) struct Shared {
    identity: Identity,
    config: Arc<Config>,
    own: NodeConfig,
    link: Arc<LinkSettings>,
    router: Arc<Router>,
    parents: HashMap<NodeName, Peer>,
    children: HashMap<NodeName, Peer>,
    /// Answers for names that are neither; never connected.
    nobody: Arc<dyn Inbound>,
    clients: OnceLock<Clients>,
}

impl Node {
    /// The node's name.
    pub fn name(&self) -> &NodeName {
        &self.0.identity.name
    }

    /// Which life of the node this process is.
    pub fn incarnation(&self) -> Incarnation {
        self.0.identity.incarnation
    }

    /// The node's own entry in the configuration.
    pub fn config(&self) -> &NodeConfig {
        &self.0.own
    }

    /// The whole configuration.
    pub fn cluster(&self) -> &Config {
        &self.0.config
    }

    /// The address of service `S` on a parent. Calls to a name that is no parent end with `no_such_node`.
    pub fn parent<S>(&self, name: &str) -> RemoteAddr<S> {
        self.address(self.0.parents.get(name), name)
    }

    /// The address of service `S` on a child. Calls to a name that is no child end with `no_such_node`.
    pub fn child<S>(&self, name: &str) -> RemoteAddr<S> {
        self.address(self.0.children.get(name), name)
    }

    /// The addresses of service `S` on all children that run application `app`, in the order of the
    /// configuration.
    pub fn children<S>(&self, app: &str) -> Children<S> {
        let running = self.0.config.nodes.iter().filter(|node| node.app == app);
        let addresses = running
            .filter_map(|node| self.0.children.get(&node.name))
            .map(|peer| self.remote(peer.clone()));
        Children::new(addresses.collect())
    }

    /// A parent or child by name, for untyped calls.
    pub fn peer(&self, name: &str) -> Option<&Peer> {
        self.0.parents.get(name).or_else(|| self.0.children.get(name))
    }

    /// All parents.
    pub fn parents(&self) -> impl Iterator<Item = &Peer> {
        self.0.parents.values()
    }

    /// All configured children.
    pub fn all_children(&self) -> impl Iterator<Item = &Peer> {
        self.0.children.values()
    }

    /// This node's own game clients, `None` without a `netport`.
    pub fn clients(&self) -> Option<&Clients> {
        self.0.clients.get()
    }

    pub(crate) fn router(&self) -> &Arc<Router> {
        &self.0.router
    }

    fn address<S>(&self, known: Option<&Peer>, name: &str) -> RemoteAddr<S> {
        self.remote(known.cloned().unwrap_or_else(|| {
            let name = NodeName::on_the_wire(name).unwrap_or_else(|_| NodeName::nobody());
            Peer::unknown(name, Arc::clone(&self.0.link), Arc::clone(&self.0.nobody))
        }))
    }

    fn remote<S>(&self, peer: Peer) -> RemoteAddr<S> {
        RemoteAddr::new(peer, self.0.own.call_timeout)
    }
}
