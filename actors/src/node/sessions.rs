//! Clients of any node, by session id: a push or a kick finds its way up and down the tree.
//!
//! The node that has the client does it. Another hands it down to the child that is, or leads to, that node, or
//! else up to a parent, but never back up the way that it came down. At most once: what cannot be handed on is an
//! error to the node that tried, which logs it.

use lampyris_runtime::codec::Payload;
use lampyris_runtime::config::Config;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::link::Peer;
use lampyris_runtime::name::NodeName;

use super::Node;
use crate::message::{IntoClient, Remote};
use crate::net::SessionId;
use crate::protocol::{KickFrom, NodeControl, PushTo};
use crate::remote::RemoteAddr;
use crate::service::Serves;

impl Node {
    /// Sends a frame to a client, on whichever node of the tree it is. Pushes to one client arrive in order, at
    /// most once; none is an error later, when the client is gone.
    ///
    /// # Errors
    /// The payload cannot be written, a queue is full, or no way leads to the session's node.
    pub fn push(&self, session: &SessionId, command: u32, payload: &impl IntoClient) -> Result<(), Fault> {
        let mut bytes = bytes::BytesMut::new();
        payload.write_client(&mut bytes)?;
        let push = PushTo {
            session: session.clone(),
            command,
            payload: Payload::from(bytes.freeze()),
        };
        self.route_push(push, None)
    }

    /// Disconnects a client, on whichever node of the tree it is.
    ///
    /// # Errors
    /// A queue is full, or no way leads to the session's node.
    pub fn kick(&self, session: &SessionId, reason: &str) -> Result<(), Fault> {
        let kick = KickFrom {
            session: session.clone(),
            reason: reason.to_owned(),
        };
        self.route_kick(kick, None)
    }

    /// Does it here or hands it on; `from` is the node that handed it on to this one.
    pub(super) fn route_push(&self, push: PushTo, from: Option<&NodeName>) -> Result<(), Fault> {
        if push.session.node == *self.name() {
            let clients = self.clients().ok_or_else(|| self.no_way(&push.session.node))?;
            return clients.push(push.session.number, push.command, push.payload);
        }
        self.hand_on(&push.session.node.clone(), from, push)
    }

    /// As [`Node::route_push`].
    pub(super) fn route_kick(&self, kick: KickFrom, from: Option<&NodeName>) -> Result<(), Fault> {
        if kick.session.node == *self.name() {
            let clients = self.clients().ok_or_else(|| self.no_way(&kick.session.node))?;
            if !clients.kick(kick.session.number, kick.reason) {
                tracing::debug!(
                    session = kick.session.number,
                    "a client that was to be kicked is gone"
                );
            }
            return Ok(());
        }
        self.hand_on(&kick.session.node.clone(), from, kick)
    }

    fn hand_on<M: Remote>(&self, to: &NodeName, from: Option<&NodeName>, message: M) -> Result<(), Fault>
    where
        NodeControl: Serves<M>,
    {
        let next = self.next_hop(to, from).ok_or_else(|| self.no_way(to))?;
        let address: RemoteAddr<NodeControl> = self.remote(next);
        address
            .notify(message)
            .map_err(crate::error::CallError::into_fault)
    }

    /// Down to the child that is, or leads to, the node; else up to the parent that does, or to any. What a
    /// parent has handed on (`from`) goes down only, so nothing goes in circles.
    fn next_hop(&self, to: &NodeName, from: Option<&NodeName>) -> Option<Peer> {
        let present = self.present();
        let leads = |peer: &&Peer| peer.name() == to || is_below(&present.config, to, peer.name());
        if let Some(child) = present.children.values().find(leads) {
            return Some(child.clone());
        }
        if from.is_some_and(|name| present.parents.contains_key(name)) {
            return None;
        }
        let up = || present.parents.values().filter(|parent| parent.is_up());
        let next = up().find(leads).or_else(|| up().next());
        next.or_else(|| present.parents.values().next()).cloned()
    }

    fn no_way(&self, to: &NodeName) -> Fault {
        Fault::new(
            ErrorKind::NoSuchNode,
            format!("no way leads from {} to a client of {to}", self.name()),
        )
    }
}

/// Whether a node is a descendant of another. The configuration has no cycles.
fn is_below(config: &Config, node: &NodeName, ancestor: &NodeName) -> bool {
    let mut parents = config.parents_of(node).map(|parent| &parent.name);
    parents.any(|parent| parent == ancestor || is_below(config, parent, ancestor))
}
