//! The master's side of its links with the nodes: who may come in, news of links, and what the nodes are told.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler};
use bytes::BytesMut;
use lampyris_derive::Service;
use lampyris_runtime::codec;
use lampyris_runtime::config::Config;
use lampyris_runtime::link::{Conn, Gatekeeper, Identity, Peer, Refusal};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::reply::Wrote;
use lampyris_runtime::supervisor::roster::Event;

use super::{Happened, Joined, Master};
use crate::error::CallError;
use crate::message::{Origin, Remote};
use crate::node::inbound::{FromPeer, Listener, News};
use crate::protocol::{Expect, MasterControl, NodeControl, ParentAt, Ready};
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
        News::Up(link) | News::StandsBy(link) => master.do_send(Joined(link)),
        News::Down(link) | News::StoodInVain(link) => {
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

/// Tells a process by its link something that is for no other process of the name. Whether there is such a link.
pub(super) fn tell_process<M: Remote>(
    peer: Option<&Peer>,
    is_meant: impl Fn(&Identity) -> bool,
    message: &M,
) -> bool
where
    NodeControl: Serves<M>,
{
    let all = peer.map(Peer::conns).unwrap_or_default();
    let meant = all.iter().find(|conn| is_meant(&conn.id().peer));
    meant.is_some_and(|conn| tell(conn, message))
}

/// Tells the parents of a node that its next life may have a link beside the present one.
pub(super) fn announce_successor(config: &Config, links: &HashMap<NodeName, Peer>, expect: &Expect) {
    let parents = config.parents_of(&expect.node);
    for parent in parents.filter_map(|parent| links.get(&parent.name)) {
        for conn in parent.conns() {
            tell(&conn, expect);
        }
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
        let (Some(from), Some(port)) = (parent_link.conns().into_iter().next(), parent.rootport) else {
            continue;
        };
        let seen = from.id().addr.ip();
        // A parent on the master's own host: its children find it where they find the master.
        let host = parent
            .host
            .clone()
            .or_else(|| (!seen.is_loopback() || is_other_loopback(seen)).then(|| seen.to_string()));
        let at = ParentAt {
            parent: parent.name.clone(),
            host,
            port,
        };
        for conn in child_link.conns() {
            tell(&conn, &at);
        }
    }
}

/// Addresses of the loopback network besides 127.0.0.1 stand for hosts of their own.
fn is_other_loopback(ip: std::net::IpAddr) -> bool {
    ip.is_loopback() && ip != std::net::IpAddr::from([127, 0, 0, 1]) && ip.is_ipv4()
}

fn tell<M: Remote>(conn: &Conn, message: &M) -> bool
where
    NodeControl: Serves<M>,
{
    let mut write = |out: &mut BytesMut| codec::encode(message, out).map(|()| Wrote::Reply);
    match conn.notify(M::ID, &mut write) {
        Ok(told) => told,
        Err(error) => {
            tracing::warn!(node = %conn.id().peer.name, %error, "a node could not be told");
            false
        }
    }
}
