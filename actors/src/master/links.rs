//! The master's side of its links with the nodes: who may come in, news of links, and what the nodes are told.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler};
use lampyris_derive::Service;
use lampyris_runtime::config::Config;
use lampyris_runtime::link::{Gatekeeper, Identity, LinkSettings, Peer, Refusal};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::Event;

use super::lost_lines::LinesLost;
use super::{Happened, Joined, Master};
use crate::error::CallError;
use crate::message::{Origin, Remote};
use crate::node::inbound::{FromPeer, Listener, News};
use crate::protocol::{HandOver, LostLines, MasterControl, NodeControl, ParentAt, Ready, Stop};
use crate::remote::RemoteAddr;
use crate::scope;
use crate::service::{Router, Serves};

/// Hears what the nodes say and hands it to the master.
#[derive(Service)]
#[service(name = "lampyris.master", contract = MasterControl)]
pub(super) struct Reception {
    pub(super) master: Addr<Master>,
}

impl Actor for Reception {
    type Context = Context<Self>;
}

impl Handler<Ready> for Reception {
    type Result = Result<(), CallError>;

    fn handle(&mut self, ready: Ready, _: &mut Context<Self>) -> Self::Result {
        let Some(Origin::Node(name)) = scope::current().map(|scope| (*scope.origin).clone()) else {
            return Err("only a node can be ready".into());
        };
        self.master.do_send(Happened(Event::Ready {
            name,
            incarnation: ready.incarnation,
        }));
        Ok(())
    }
}

impl Handler<LostLines> for Reception {
    type Result = Result<(), CallError>;

    fn handle(&mut self, lost: LostLines, _: &mut Context<Self>) -> Self::Result {
        let Some(Origin::Node(name)) = scope::current().map(|scope| (*scope.origin).clone()) else {
            return Err("only a node has a log".into());
        };
        self.master.do_send(LinesLost {
            name,
            incarnation: lost.incarnation,
            lines: lost.lines,
        });
        Ok(())
    }
}

/// A peer for every configured node, whose news go to the master.
pub(super) fn peers(config: &Config, router: &Arc<Router>, master: &Addr<Master>) -> HashMap<NodeName, Peer> {
    let settings = Arc::new(crate::node::assemble::settings(config));
    let listener = listener(master.clone());
    let peer = |name: &NodeName| {
        let inbound = FromPeer::new(name.clone(), Arc::clone(router), Arc::clone(&listener));
        Peer::new(name.clone(), Arc::clone(&settings), inbound)
    };
    config
        .nodes
        .iter()
        .map(|node| (node.name.clone(), peer(&node.name)))
        .collect()
}

fn listener(master: Addr<Master>) -> Listener {
    Arc::new(move |news| match news {
        News::Up(link) => master.do_send(Joined(link)),
        News::Down(link) => {
            let Identity {
                name, incarnation, ..
            } = link.peer;
            master.do_send(Happened(Event::LinkLost { name, incarnation }));
        }
    })
}

/// Lets in every configured node.
pub(super) struct AllNodes(pub(super) HashMap<NodeName, Peer>);

impl Gatekeeper for AllNodes {
    fn admit(&self, dialer: &Identity) -> Result<Peer, Refusal> {
        self.0.get(&dialer.name).cloned().ok_or(Refusal::Unauthorized)
    }
}

/// Asks a node by its link to stop. Whether there is a link.
pub(super) fn ask_to_stop(peer: Option<&Peer>) -> bool {
    peer.filter(|peer| peer.is_up())
        .is_some_and(|peer| tell(peer, Stop))
}

/// Asks a node that an earlier master has started for its listening sockets.
pub(super) fn ask_for_sockets(peer: Option<&Peer>) {
    if let Some(peer) = peer {
        tell(peer, HandOver);
    }
}

/// Tells a node that has joined where its parents are, and its children where it is.
///
/// A node is where its link comes from, unless the configuration says otherwise: so nodes may live on several
/// hosts without anybody writing down where.
pub(super) fn introduce(config: &Config, links: &HashMap<NodeName, Peer>, joined: &NodeName) {
    let Some(node) = config.node(joined.as_str()) else {
        return;
    };
    let pairs = config.parents_of(joined).map(|parent| (parent, node));
    for (parent, child) in pairs.chain(config.children_of(joined).map(|child| (node, child))) {
        let (Some(parent_link), Some(child_link)) = (links.get(&parent.name), links.get(&child.name)) else {
            continue;
        };
        let (Some(from), Some(port), true) = (parent_link.conn(), parent.rootport, child_link.is_up()) else {
            continue;
        };
        let seen = from.id().addr.ip();
        // A parent on the master's own host: its children find it where they find the master.
        let host = parent
            .host
            .clone()
            .or_else(|| (!seen.is_loopback() || is_other_loopback(seen)).then(|| seen.to_string()));
        tell(
            child_link,
            ParentAt {
                parent: parent.name.clone(),
                host,
                port,
            },
        );
    }
}

/// Addresses of the loopback network besides 127.0.0.1 stand for hosts of their own.
fn is_other_loopback(ip: std::net::IpAddr) -> bool {
    ip.is_loopback() && ip != std::net::IpAddr::from([127, 0, 0, 1]) && ip.is_ipv4()
}

fn tell<M: Remote>(peer: &Peer, message: M) -> bool
where
    NodeControl: Serves<M>,
{
    let address: RemoteAddr<NodeControl> = RemoteAddr::new(peer.clone(), LinkSettings::default().wait);
    match address.notify(message) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(node = %peer.name(), %error, "a node could not be told");
            false
        }
    }
}
