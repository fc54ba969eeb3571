//! What a node goes by until the next reload: its configuration, and the peers of its parents and children.
//!
//! It is replaced as a whole, never changed, so that whoever looks sees one configuration. A peer lives on from one to
//! the next: its link stays up, and the addresses that services keep stay good.

use std::collections::HashMap;
use std::sync::Arc;

use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::link::{LinkSettings, Peer};
use lampyris_runtime::name::NodeName;

use super::inbound::{FromPeer, Listener};
use crate::service::Router;

/// Makes peers whose requests and news come to this node.
pub(crate) struct Peers {
    pub(super) link: Arc<LinkSettings>,
    pub(super) router: Arc<Router>,
    pub(super) listener: Listener,
}

impl Peers {
    fn make(&self, name: &NodeName) -> Peer {
        let inbound = FromPeer::new(name.clone(), Arc::clone(&self.router), Arc::clone(&self.listener));
        Peer::new(name.clone(), Arc::clone(&self.link), inbound)
    }
}

/// Parents or children by name.
pub(super) type Family = HashMap<NodeName, Peer>;

/// One configuration of a node.
pub(crate) struct Present {
    pub(super) config: Arc<Config>,
    pub(super) own: Arc<NodeConfig>,
    pub(super) parents: Family,
    pub(super) children: Family,
    /// The children by their applications, in the order of the configuration.
    by_app: HashMap<String, Vec<Peer>>,
    /// Peers of former neighbours whose addresses somebody still has: they are theirs again if they come back.
    former: Family,
}

impl Present {
    /// The one that the node starts with.
    pub(super) fn first(config: Arc<Config>, own: NodeConfig, peers: &Peers) -> Self {
        Self::build(config, own, Family::new(), |name| peers.make(name))
    }

    /// The one after this. Who stays, and who comes back, keeps its peer.
    pub(super) fn next(&self, config: Arc<Config>, own: NodeConfig, peers: &Peers) -> Self {
        let known = |name: &NodeName| {
            let neighbour = self.parents.get(name).or_else(|| self.children.get(name));
            neighbour.or_else(|| self.former.get(name)).cloned()
        };
        let mut former = self.former.clone();
        // Two handles are those of this map and of its copy: nobody else has one.
        former.retain(|_, peer| peer.is_shared_beyond(2));
        former.extend(self.parents.clone());
        former.extend(self.children.clone());
        Self::build(config, own, former, |name| {
            known(name).unwrap_or_else(|| peers.make(name))
        })
    }

    fn build(
        config: Arc<Config>,
        own: NodeConfig,
        mut former: Family,
        peer: impl Fn(&NodeName) -> Peer,
    ) -> Self {
        let named = |name: &NodeName| (name.clone(), peer(name));
        let parents: Family = own.parents.iter().map(|parent| named(&parent.name)).collect();
        let children: Family = config
            .children_of(&own.name)
            .map(|child| named(&child.name))
            .collect();
        let mut by_app: HashMap<String, Vec<Peer>> = HashMap::new();
        for child in config.children_of(&own.name) {
            by_app
                .entry(child.app.clone())
                .or_default()
                .extend(children.get(&child.name).cloned());
        }
        former.retain(|name, _| !parents.contains_key(name) && !children.contains_key(name));
        Self {
            own: Arc::new(own),
            config,
            parents,
            children,
            by_app,
            former,
        }
    }

    /// The children that run an application.
    pub(super) fn running(&self, app: &str) -> &[Peer] {
        self.by_app.get(app).map_or(&[], Vec::as_slice)
    }
}
