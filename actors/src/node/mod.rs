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
//! | `present` | what a node goes by until the next reload: configuration, parents, children |
//! | `reload` | from one configuration to the next while the node runs |
//! | `dialers` | the dialers to the parents and the master |
//! | `children` | addresses of several children of one application |
//! | `control` | what the master and other nodes ask of a node itself |
//! | `operator` | what an operator asks of a node, by way of the master |
//! | `telling` | tells the master how the node fares |
//! | `inbound` | from a link to a service's inbox |
//! | `error` | why a node could not start |
//! | `ports` | binds a port, and names who holds it when it is taken |
//! | `sessions` | clients of any node, by session id |
//! | `web` | the node's own HTTP port |

pub(crate) mod assemble;
pub(crate) mod boot;
mod children;
pub(crate) mod control;
mod dialers;
mod error;
pub(crate) mod handover;
pub(crate) mod inbound;
mod links;
mod lost_lines;
mod operator;
pub(crate) mod ports;
mod present;
mod reload;
mod running;
mod sessions;
mod telling;
mod web;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
pub(crate) use boot::{Process, boot};
pub use children::Children;
pub use error::BootError;
use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::link::{Identity, Inbound, LinkSettings, Peer, Strangers};
use lampyris_runtime::name::{Incarnation, NodeName};
use present::{Peers, Present};

use crate::net::Clients;
use crate::remote::RemoteAddr;
use crate::service::Router;
use crate::store::Store;

/// A running node. Cheap to clone; what a service's factory is given.
#[derive(Clone)]
pub struct Node(Arc<Shared>);

pub(crate) struct Shared {
    identity: Identity,
    /// Deadline of calls that name none; that of the node's start.
    call_timeout: Duration,
    link: Arc<LinkSettings>,
    router: Arc<Router>,
    /// Makes the peers of parents and children.
    peers: Peers,
    /// What a reload of the configuration replaces as a whole.
    present: ArcSwap<Present>,
    /// Answers for names that are neither; never connected.
    nobody: Arc<dyn Inbound>,
    clients: OnceLock<Clients>,
    /// Dialers that were not let in.
    strangers: Arc<Strangers>,
    store: Store,
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

    /// The node's own entry in the configuration, as it is now. Ports, `app`, `call_timeout` and what else
    /// waits for a restart after a reload may differ from what the node runs with.
    pub fn config(&self) -> Arc<NodeConfig> {
        Arc::clone(&self.present().own)
    }

    /// The whole configuration, as it is now.
    pub fn cluster(&self) -> Arc<Config> {
        Arc::clone(&self.present().config)
    }

    /// The address of service `S` on a parent. Calls to a name that is no parent end with `no_such_node`.
    pub fn parent<S>(&self, name: &str) -> RemoteAddr<S> {
        self.address(self.present().parents.get(name), name)
    }

    /// The address of service `S` on a child. Calls to a name that is no child end with `no_such_node`; so do those
    /// to a child that a reload has taken away, until one brings it back.
    ///
    /// The name is looked up here: an address of a child that is yet to be configured is to be asked for anew after
    /// the reload, see [`App::on_reload`](crate::App::on_reload).
    pub fn child<S>(&self, name: &str) -> RemoteAddr<S> {
        self.address(self.present().children.get(name), name)
    }

    /// The addresses of service `S` on all children that run application `app`, in the order of the
    /// configuration; always those of the present configuration.
    pub fn children<S>(&self, app: &str) -> Children<S> {
        Children::new(self.clone(), app)
    }

    /// A parent or child by name, for untyped calls.
    pub fn peer(&self, name: &str) -> Option<Peer> {
        let present = self.present();
        let found = present.parents.get(name).or_else(|| present.children.get(name));
        found.cloned()
    }

    /// All parents.
    pub fn parents(&self) -> Vec<Peer> {
        self.present().parents.values().cloned().collect()
    }

    /// All configured children.
    pub fn all_children(&self) -> Vec<Peer> {
        self.present().children.values().cloned().collect()
    }

    /// This node's own game clients, `None` without a `netport`.
    pub fn clients(&self) -> Option<&Clients> {
        self.0.clients.get()
    }

    /// This node's database and cache. Without `db = true` everything asked of it is
    /// [`NotConfigured`](crate::store::StoreError::NotConfigured).
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn router(&self) -> &Arc<Router> {
        &self.0.router
    }

    fn present(&self) -> Guard<Arc<Present>> {
        self.0.present.load()
    }

    fn address<S>(&self, known: Option<&Peer>, name: &str) -> RemoteAddr<S> {
        self.remote(known.cloned().unwrap_or_else(|| {
            let name = NodeName::on_the_wire(name).unwrap_or_else(|_| NodeName::nobody());
            Peer::unknown(name, Arc::clone(&self.0.link), Arc::clone(&self.0.nobody))
        }))
    }

    pub(crate) fn strangers(&self) -> &Arc<Strangers> {
        &self.0.strangers
    }

    fn remote<S>(&self, peer: Peer) -> RemoteAddr<S> {
        RemoteAddr::new(peer, self.0.call_timeout)
    }
}
