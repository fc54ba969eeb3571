//! Puts a node together from its configuration and its app: routes, peers, hooks.

use std::io;
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::link::{Identity, LinkSettings};
use lampyris_runtime::name::{Incarnation, NodeName};
use tokio::sync::watch;

use super::error::BootError;
use super::inbound::{FromPeer, Listener, News};
use super::present::{Peers, Present};
use super::{Node, Shared};
use crate::app::{App, NodeHook, ServiceSpec};
use crate::service::{Clash, Inbox, Router};
use crate::store::Store;

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

impl Hooks {
    /// Takes them out of the app.
    pub(super) fn of(app: &mut App) -> Self {
        Self {
            up: std::mem::take(&mut app.node_up),
            down: std::mem::take(&mut app.node_down),
        }
    }
}

/// The node, with a peer for each of its parents and children.
pub(super) fn assemble(
    config: &Arc<Config>,
    own: NodeConfig,
    identity: Identity,
    router: Arc<Router>,
    hooks: Hooks,
    ups: watch::Sender<u64>,
    store: Store,
) -> Node {
    let link = Arc::new(settings(config));
    Node(Arc::new_cyclic(|shared: &Weak<Shared>| {
        let nobody = FromPeer::new(NodeName::nobody(), Arc::new(Router::default()), Arc::new(|_| {}));
        let peers = Peers {
            link: Arc::clone(&link),
            router: Arc::clone(&router),
            listener: listener(shared.clone(), hooks, ups),
        };
        Shared {
            call_timeout: own.call_timeout,
            present: ArcSwap::from_pointee(Present::first(Arc::clone(config), own, &peers)),
            peers,
            nobody,
            identity,
            link,
            router,
            clients: OnceLock::new(),
            strangers: Arc::default(),
            store,
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
