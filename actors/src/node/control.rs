//! What the master and other nodes ask of a node itself: the service `lampyris.node`.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler};
use lampyris_derive::Service;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::sockets::Listeners;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Node;
use super::handover::hand_over;
use super::reload::Adjustable;
use super::telling::Telling;
use crate::error::CallError;
use crate::message::Origin;
use crate::protocol::{Expect, HandOver, KickFrom, NodeControl, ParentAt, PushTo, Stop, TakeOver};
use crate::scope;

/// Who has asked a node by the link to stop.
pub(crate) const BY_MASTER: &str = "the master";

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
    /// Whether this process is the node, and no successor that stands by.
    pub(crate) in_place: watch::Sender<bool>,
    pub(crate) telling: Arc<Telling>,
}

impl Actor for Control {
    type Context = Context<Self>;
}

impl Handler<ParentAt> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, at: ParentAt, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
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

impl Handler<Expect> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, Expect { node, of, millis }: Expect, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        let until = Instant::now().checked_add(Duration::from_millis(millis));
        let children = self.node.all_children();
        if let (Some(child), Some(until)) = (children.iter().find(|child| *child.name() == node), until) {
            child.expect_successor(of, until.into_std());
        }
        Ok(())
    }
}

impl Handler<TakeOver> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: TakeOver, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        self.in_place.send_replace(true);
        Ok(())
    }
}

impl Handler<Stop> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: Stop, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        if self.stop.try_send(Cause::Asked(BY_MASTER)).is_err() {
            tracing::debug!("asked to stop while stopping");
        }
        Ok(())
    }
}

impl Handler<HandOver> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: HandOver, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
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

/// Refuses an order of anybody else: a node that somebody has got hold of could push a process into a name that is not its own,
/// stop its neighbours, or free what they own.
///
/// # Errors
/// `unauthorized`.
pub(super) fn from_master() -> Result<(), CallError> {
    if sender() == Some(NodeName::master()) {
        return Ok(());
    }
    let text = "only the master gives this order";
    Err(CallError::Runtime(Fault::new(ErrorKind::Unauthorized, text)))
}

/// The node that sent the message at hand.
fn sender() -> Option<NodeName> {
    match scope::current()?.origin {
        Origin::Node(name) => Some(name),
        Origin::Client(_) => None,
    }
}
