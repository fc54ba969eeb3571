//! The master's side of its links with the nodes: who may come in, news of links, and what the nodes are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use arc_swap::ArcSwap;
use bytes::BytesMut;
use lampyris_derive::Service;
use lampyris_runtime::codec;
use lampyris_runtime::config::Config;
use lampyris_runtime::link::{Conn, Gatekeeper, Identity, LinkSettings, Peer, Refusal};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::reply::Wrote;
use lampyris_runtime::supervisor::roster::Event;

use super::lost_lines::LinesLost;
use super::ports::Ports;
use super::reports::Reported;
use super::{Happened, Joined, Master};
use crate::error::CallError;
use crate::message::{Origin, Remote};
use crate::node::inbound::{FromPeer, Listener, News};
use crate::otlp::Outbox;
use crate::protocol::{
    Expect, Lacks, LostLines, MasterControl, NodeControl, ParentAt, Ready, Reload, Report, Spans,
};
use crate::records::Records;
use crate::remote::{Call, RemoteAddr};
use crate::scope;
use crate::service::{Router, Serves};

/// Hears what the nodes say and hands it to the master.
#[derive(Service)]
#[service(name = "lampyris.master", contract = MasterControl)]
pub(super) struct Reception {
    pub(super) master: Addr<Master>,
    pub(super) records: Records,
    pub(super) outbox: Outbox,
}

impl Actor for Reception {
    type Context = Context<Self>;
}

impl Handler<Ready> for Reception {
    type Result = Result<(), CallError>;

    fn handle(&mut self, ready: Ready, _: &mut Context<Self>) -> Self::Result {
        let name = sender()?;
        self.master.do_send(Happened(Event::Ready {
            name,
            incarnation: ready.incarnation,
        }));
        Ok(())
    }
}

impl Handler<Report> for Reception {
    type Result = Result<(), CallError>;

    fn handle(&mut self, Report { report }: Report, _: &mut Context<Self>) -> Self::Result {
        let name = sender()?;
        self.master.do_send(Reported { name, report });
        Ok(())
    }
}

impl Handler<Spans> for Reception {
    type Result = Result<(), CallError>;

    fn handle(&mut self, Spans { incarnation, spans }: Spans, _: &mut Context<Self>) -> Self::Result {
        sender()?;
        self.outbox.put(incarnation, &spans);
        self.records.spans(spans);
        Ok(())
    }
}

impl Handler<Lacks> for Reception {
    type Result = Result<(), CallError>;

    fn handle(&mut self, lacks: Lacks, _: &mut Context<Self>) -> Self::Result {
        let name = sender()?;
        let Lacks { incarnation, what } = lacks;
        self.master.do_send(Happened(Event::Lacks {
            name,
            incarnation,
            what,
        }));
        Ok(())
    }
}

impl Handler<LostLines> for Reception {
    type Result = Result<(), CallError>;

    fn handle(&mut self, lost: LostLines, _: &mut Context<Self>) -> Self::Result {
        let name = sender()?;
        self.master.do_send(LinesLost {
            name,
            incarnation: lost.incarnation,
            lines: lost.lines,
        });
        Ok(())
    }
}

/// The node that sent the message at hand.
fn sender() -> Result<NodeName, CallError> {
    match scope::current().map(|scope| scope.origin) {
        Some(Origin::Node(name)) => Ok(name),
        _ => Err("only a node can say this".into()),
    }
}

/// The peers of the nodes, whose news go to the master. Clones are the same; who is in it may link.
#[derive(Clone)]
pub(super) struct Links(Arc<Shared>);

struct Shared {
    peers: ArcSwap<HashMap<NodeName, Peer>>,
    settings: Arc<LinkSettings>,
    router: Arc<Router>,
    listener: Listener,
}

impl Links {
    /// Those of every configured node.
    pub(super) fn new(config: &Config, router: Router, master: &Addr<Master>) -> Self {
        let links = Self(Arc::new(Shared {
            peers: ArcSwap::default(),
            settings: Arc::new(crate::node::assemble::settings(config)),
            router: Arc::new(router),
            listener: listener(master.clone()),
        }));
        config.nodes.iter().for_each(|node| links.add(&node.name));
        links
    }

    /// The peer of a node.
    pub(super) fn get(&self, name: &NodeName) -> Option<Peer> {
        self.0.peers.load().get(name).cloned()
    }

    /// Lets a node in from now on.
    pub(super) fn add(&self, name: &NodeName) {
        if self.get(name).is_none() {
            let listener = Arc::clone(&self.0.listener);
            let inbound = FromPeer::new(name.clone(), Arc::clone(&self.0.router), listener);
            let peer = Peer::new(name.clone(), Arc::clone(&self.0.settings), inbound);
            self.change(|peers| drop(peers.insert(name.clone(), peer.clone())));
        }
    }

    /// Lets a node in no more.
    pub(super) fn remove(&self, name: &NodeName) {
        self.change(|peers| drop(peers.remove(name)));
    }

    fn change(&self, change: impl Fn(&mut HashMap<NodeName, Peer>)) {
        self.0.peers.rcu(|peers| {
            let mut changed = HashMap::clone(peers);
            change(&mut changed);
            changed
        });
    }
}

impl Gatekeeper for Links {
    fn admit(&self, dialer: &Identity) -> Result<Peer, Refusal> {
        self.get(&dialer.name).ok_or(Refusal::Unauthorized)
    }
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

/// Tells a process by its link something that is for no other process of the name. Whether there is such a link.
pub(super) fn tell_process<M: Remote>(
    peer: Option<Peer>,
    is_meant: impl Fn(&Identity) -> bool,
    message: &M,
) -> bool
where
    NodeControl: Serves<M>,
{
    let all = peer.as_ref().map(Peer::conns).unwrap_or_default();
    let meant = all.iter().find(|conn| is_meant(&conn.id().peer));
    meant.is_some_and(|conn| tell(conn, message))
}

/// Tells the parents of a node that its next life may have a link beside the present one.
pub(super) fn announce_successor(config: &Config, links: &Links, expect: &Expect) {
    let parents = config.parents_of(&expect.node);
    for parent in parents.filter_map(|parent| links.get(&parent.name)) {
        for conn in parent.conns() {
            tell(&conn, expect);
        }
    }
}

/// Tells a process that has joined to read its configuration again: it may have been applied while it was out of reach.
pub(super) fn remind(peer: Option<Peer>, is_meant: impl Fn(&Identity) -> bool) {
    tell_process(peer, is_meant, &Reload);
}

/// Asks every node with a link to apply the configuration that it reads; gives the calls, which are on their way.
pub(super) fn ask_to_reload(links: &Links, patience: Duration) -> Vec<(NodeName, Call<Reload>)> {
    let peers = links.0.peers.load();
    let up = peers.values().filter(|peer| peer.is_up());
    up.map(|peer| {
        let address: RemoteAddr<NodeControl> = RemoteAddr::new(peer.clone(), patience);
        (peer.name().clone(), address.call(Reload))
    })
    .collect()
}

/// Tells a node that has joined where its parents are, and its children where it is.
///
/// A node is where its link comes from, unless the configuration says otherwise: so nodes may live on several
/// hosts without anybody writing down where.
pub(super) fn introduce(config: &Config, links: &Links, ports: &Ports, joined: &NodeName) {
    let Some(node) = config.node(joined.as_str()) else {
        return;
    };
    let pairs = config.parents_of(joined).map(|parent| (parent, node));
    for (parent, child) in pairs.chain(config.children_of(joined).map(|child| (node, child))) {
        let (Some(parent_link), Some(child_link)) = (links.get(&parent.name), links.get(&child.name)) else {
            continue;
        };
        // The port of its present life: another that has been configured since holds from its next one on.
        let port = ports.rootport(&parent.name).or(parent.rootport);
        let (Some(from), Some(port)) = (parent_link.conns().into_iter().next(), port) else {
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
