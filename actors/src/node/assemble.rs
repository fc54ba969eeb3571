//! Puts a node together from its configuration and its app: routes, peers, hooks.

use std::io;
use std::sync::{Arc, OnceLock, Weak};

use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::link::{Identity, LinkSettings, Peer};
use lampyris_runtime::name::{Incarnation, NodeName};
use tokio::sync::watch;

use super::control::Targets;
use super::error::BootError;
use super::inbound::{FromPeer, Listener, News};
use super::ports::host_port;
use super::{Node, Shared};
use crate::app::{NodeHook, ServiceSpec};
use crate::service::{Clash, Inbox, Router};

/// A parent, and where it is as far as it is known.
pub(super) type Target = (NodeName, watch::Receiver<Option<String>>);

/// A place for the address of each parent, with what the configuration knows of it.
pub(super) fn targets(own: &NodeConfig) -> (Targets, Vec<Target>) {
    let mut senders = std::collections::HashMap::new();
    let mut receivers = Vec::new();
    for parent in &own.parents {
        // Without a host, a parent on this machine is tried until the master says otherwise.
        let host = parent.host.as_deref().unwrap_or("127.0.0.1");
        let (sender, receiver) = watch::channel(Some(host_port(host, parent.port)));
        senders.insert(parent.name.clone(), sender);
        receivers.push((parent.name.clone(), receiver));
    }
    (Arc::new(senders), receivers)
}

/// Makes the queues of all services and the routes to them.
pub(super) fn register(
    services: &[Box<dyn ServiceSpec>],
    limit: usize,
) -> Result<(Router, Vec<Arc<Inbox>>), Clash> {
    let mut router = Router::default();
    let inboxes = services
        .iter()
        .map(|service| service.register(&mut router, limit))
        .collect::<Result<_, _>>()?;
    Ok((router, inboxes))
}

/// The app's hooks for links.
pub(super) struct Hooks {
    pub(super) up: Vec<NodeHook>,
    pub(super) down: Vec<NodeHook>,
}

/// The node, with a peer for each of its parents and children.
pub(super) fn assemble(
    config: &Arc<Config>,
    own: NodeConfig,
    identity: Identity,
    router: Arc<Router>,
    hooks: Hooks,
    ups: watch::Sender<u64>,
) -> Node {
    let link = Arc::new(settings(config));
    Node(Arc::new_cyclic(|shared: &Weak<Shared>| {
        let listener = listener(shared.clone(), hooks, ups);
        let peer = |name: &NodeName| {
            let inbound = FromPeer::new(name.clone(), Arc::clone(&router), Arc::clone(&listener));
            (name.clone(), Peer::new(name.clone(), Arc::clone(&link), inbound))
        };
        let nobody = FromPeer::new(NodeName::nobody(), Arc::new(Router::default()), Arc::new(|_| {}));
        Shared {
            parents: own.parents.iter().map(|parent| peer(&parent.name)).collect(),
            children: config
                .children_of(&own.name)
                .map(|child| peer(&child.name))
                .collect(),
            nobody,
            identity,
            config: Arc::clone(config),
            own,
            link: Arc::clone(&link),
            router: Arc::clone(&router),
            clients: OnceLock::new(),
        }
    }))
}

/// Runs the app's hooks in tasks of their own: one that panics or lingers does not hurt the link.
fn listener(node: Weak<Shared>, hooks: Hooks, ups: watch::Sender<u64>) -> Listener {
    Arc::new(move |news| {
        ups.send_modify(|count| *count += 1);
        let Some(node) = node.upgrade().map(Node) else {
            return;
        };
        let (hooks, link) = match news {
            News::Up(link) => (&hooks.up, link),
            News::Down(link) => (&hooks.down, link),
            News::StandsBy(_) | News::StoodInVain(_) => return,
        };
        for hook in hooks {
            let (hook, node, name) = (Arc::clone(hook), node.clone(), link.peer.name.clone());
            tokio::spawn(async move { hook(&node, &name) });
        }
    })
}

/// What the section `link` of the configuration means for a link.
pub(crate) fn settings(config: &Config) -> LinkSettings {
    let link = &config.link;
    let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    LinkSettings {
        heartbeat: link.heartbeat,
        suspect_after: link.suspect_after,
        down_after: link.down_after,
        wait: link.wait,
        held_calls: link.held_calls,
        held_bytes: bytes(link.held_bytes),
        max_message: bytes(link.max_message),
        max_queue: bytes(link.max_queue),
        max_calls: link.max_calls,
        handshake: link.handshake_timeout,
    }
}

/// Who this process is, for its links; and whose place it is to take.
pub(crate) fn identity(name: NodeName, succeeds: Option<Incarnation>) -> Result<Identity, BootError> {
    let incarnation =
        Incarnation::draw().map_err(|why| BootError::System("random bytes", io::Error::other(why)))?;
    Ok(Identity {
        name,
        incarnation,
        pid: std::process::id(),
        succeeds,
    })
}
