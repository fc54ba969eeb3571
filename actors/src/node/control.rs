//! What the master and other nodes ask of a node itself: the service `lampyris.node`.

use std::sync::Arc;

use actix::{Actor, Context, Handler};
use lampyris_derive::Service;
use lampyris_runtime::name::NodeName;
use lampyris_runtime::sockets::Listeners;
use tokio::sync::mpsc;

use super::Node;
use super::handover::hand_over;
use super::reload::Adjustable;
use crate::error::CallError;
use crate::message::Origin;
use crate::protocol::{HandOver, KickFrom, NodeControl, ParentAt, PushTo, Stop};
use crate::scope;

/// Why a node ends.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// SIGTERM, SIGINT, or the master asked.
    Asked(&'static str),
    /// A parent or the master does not want it.
    Refused { code: u8, text: String },
    /// Its master is gone, and the configuration says to end then.
    MasterLost,
}

/// The actor behind a node's own service.
#[derive(Service)]
#[service(name = "lampyris.node", contract = NodeControl)]
pub(crate) struct Control {
    pub(crate) node: Node,
    pub(crate) adjustable: Adjustable,
    pub(crate) stop: mpsc::Sender<Cause>,
    /// The sockets of the node's ports.
    pub(crate) ports: Arc<Listeners>,
}

impl Actor for Control {
    type Context = Context<Self>;
}

impl Handler<ParentAt> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, at: ParentAt, _: &mut Context<Self>) -> Self::Result {
        let own = self.node.config();
        let Some(parent) = own.parents.iter().find(|parent| parent.name == at.parent) else {
            return Ok(()); // no parent of ours
        };
        // An address that is configured counts for more; the port is that of the parent's present life.
        let host = parent.host.clone().or(at.host);
        let host = host.unwrap_or_else(|| self.node.cluster().master.roothost.clone());
        let address = super::ports::host_port(&host, at.port);
        self.adjustable.dialers.borrow().found(&at.parent, address);
        Ok(())
    }
}

impl Handler<Stop> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: Stop, _: &mut Context<Self>) -> Self::Result {
        if self.stop.try_send(Cause::Asked("the master")).is_err() {
            tracing::debug!("asked to stop while stopping");
        }
        Ok(())
    }
}

impl Handler<HandOver> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: HandOver, _: &mut Context<Self>) -> Self::Result {
        let handed = hand_over(&self.node.cluster().run_dir, self.node.name(), &self.ports);
        handed.map_err(|error| {
            tracing::warn!(%error, "the listening sockets could not be handed to the master");
            error.to_string().into()
        })
    }
}

impl Handler<PushTo> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, push: PushTo, _: &mut Context<Self>) -> Self::Result {
        self.node
            .route_push(push, sender().as_ref())
            .map_err(CallError::Runtime)
    }
}

impl Handler<KickFrom> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, kick: KickFrom, _: &mut Context<Self>) -> Self::Result {
        self.node
            .route_kick(kick, sender().as_ref())
            .map_err(CallError::Runtime)
    }
}

/// The node that sent the message at hand.
fn sender() -> Option<NodeName> {
    match &*scope::current()?.origin {
        Origin::Node(name) => Some(name.clone()),
        Origin::Client(_) => None,
    }
}
