//! What every part of the admin side works with: the master to ask, the records to read, the desk that lets people in.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use arc_swap::ArcSwap;
use lampyris_runtime::config::Config;
use lampyris_runtime::link::{Peer, Strangers};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::reply::Desk;

use super::FrontDesk;
use super::problem::Problem;
use crate::error::{AppError, CallError};
use crate::master::{HowStands, LinkTo, Master, NodeView, Nodes, Standing};
use crate::message::Remote;
use crate::otlp::Outbox;
use crate::protocol::NodeControl;
use crate::records::{EventKind, News, Records};
use crate::remote::RemoteAddr;
use crate::service::Serves;

/// How long a node may take to answer a question of its own.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same, of what it has to ask a database: less than the commands wait for the master.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// The operator's seat. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Seat {
    applied: Arc<ArcSwap<Config>>,
    pub(super) master: Addr<Master>,
    pub(super) records: Records,
    pub(super) outbox: Outbox,
    pub(super) desk: Arc<FrontDesk>,
    /// Who was not let in at the master's port for links.
    pub(super) strangers: Arc<Strangers>,
    /// Streams that are open.
    pub(super) streams: Arc<Desk>,
}

impl Seat {
    pub(crate) fn new(
        applied: Arc<ArcSwap<Config>>,
        master: Addr<Master>,
        (records, outbox): (Records, Outbox),
        desk: Arc<FrontDesk>,
        strangers: Arc<Strangers>,
    ) -> Self {
        Self {
            applied,
            master,
            records,
            outbox,
            desk,
            strangers,
            streams: Arc::default(),
        }
    }

    /// The configuration that is applied at this moment.
    pub(super) fn config(&self) -> Arc<Config> {
        self.applied.load_full()
    }

    /// All nodes as the master sees them.
    pub(super) async fn nodes(&self) -> Result<Vec<NodeView>, Problem> {
        self.master.send(Nodes).await.map_err(|_| Problem::unavailable())
    }

    /// One of them.
    pub(super) async fn node(&self, name: &str) -> Result<NodeView, Problem> {
        let nodes = self.nodes().await?.into_iter();
        let mut found = nodes.filter(|node| node.supervision.name.as_str() == name);
        found.next().ok_or_else(|| Problem::no_such_node(name))
    }

    /// How the whole is.
    pub(super) async fn standing(&self) -> Result<Standing, Problem> {
        self.master
            .send(HowStands)
            .await
            .map_err(|_| Problem::unavailable())
    }

    /// The link to a node, while it is up.
    pub(super) async fn link(&self, name: &str) -> Result<Peer, Problem> {
        let no_such_node = || Problem::no_such_node(name);
        let node = NodeName::new(name).map_err(|_| no_such_node())?;
        let link = self
            .master
            .send(LinkTo(node))
            .await
            .map_err(|_| Problem::unavailable())?;
        let link = link.ok_or_else(no_such_node)?;
        let down = || {
            let text = format!("{name} has no link to the master, so it cannot be asked");
            Problem::conflict("unreachable", text).node(name)
        };
        Some(link).filter(Peer::is_up).ok_or_else(down)
    }

    /// Asks a node itself.
    pub(super) async fn ask<M: Remote>(&self, name: &str, question: M) -> Result<M::Reply, Problem>
    where
        NodeControl: Serves<M>,
    {
        self.ask_within(PATIENCE, name, question).await
    }

    /// The same, of what may take its time.
    pub(super) async fn ask_slowly<M: Remote>(&self, name: &str, question: M) -> Result<M::Reply, Problem>
    where
        NodeControl: Serves<M>,
    {
        self.ask_within(LONG_PATIENCE, name, question).await
    }

    async fn ask_within<M: Remote>(
        &self,
        patience: Duration,
        name: &str,
        question: M,
    ) -> Result<M::Reply, Problem>
    where
        NodeControl: Serves<M>,
    {
        let address: RemoteAddr<NodeControl> = RemoteAddr::new(self.link(name).await?, patience);
        address
            .call(question)
            .await
            .map_err(|error| unanswered(name, error))
    }

    /// Notes what somebody has asked for.
    pub(super) fn audit(&self, who: &str, node: Option<&str>, text: String) {
        tracing::info!(by = who, node, text, "an operator asked");
        let news = News::new(EventKind::Action, text).by(who);
        self.records.note(match node {
            Some(node) => news.node(node),
            None => news,
        });
    }
}

fn unanswered<E: AppError>(name: &str, error: CallError<E>) -> Problem {
    let fault = error.into_fault();
    Problem::conflict("no answer of the node", format!("{name}: {fault}")).node(name)
}
