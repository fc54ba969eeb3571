//! The plain copy of the cluster that the admin side reads.

use std::net::IpAddr;

use actix::{Context, Handler, Message};
use lampyris_runtime::supervisor::roster::NodeSnapshot;
use lampyris_runtime::supervisor::usage;
use serde::Serialize;

use super::{Master, now};

/// Asks the master for all nodes.
#[derive(Message)]
#[rtype(result = "Vec<NodeView>")]
pub struct Nodes;

/// One node, as an operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct NodeView {
    /// How the supervisor sees it.
    #[serde(flatten)]
    pub supervision: NodeSnapshot,
    /// The application that it runs.
    pub app: String,
    /// Resident memory in bytes, if its process is on this host.
    pub rss: Option<u64>,
    /// Where its link comes from, while it is up.
    pub host: Option<IpAddr>,
    /// How many lines of this life's log could not be written.
    pub lost_lines: u64,
    /// What an operator should look at, in words.
    pub warnings: Vec<String>,
}

impl Handler<Nodes> for Master {
    type Result = Vec<NodeView>;

    fn handle(&mut self, _: Nodes, _: &mut Context<Self>) -> Vec<NodeView> {
        self.roster
            .snapshot(now())
            .into_iter()
            .map(|node| self.view(node))
            .collect()
    }
}

impl Master {
    fn view(&self, node: NodeSnapshot) -> NodeView {
        let link = self.links.get(&node.name).and_then(|peer| peer.conn());
        NodeView {
            app: self
                .config
                .node(node.name.as_str())
                .map(|config| config.app.clone())
                .unwrap_or_default(),
            rss: node
                .pid
                .filter(|pid| self.processes.is_own(&node.name, *pid))
                .and_then(usage::resident_bytes),
            host: link.map(|link| link.id().addr.ip()),
            lost_lines: self.losses.of(&node.name, node.incarnation),
            warnings: self
                .losses
                .warning(&node.name, node.incarnation, now())
                .into_iter()
                .collect(),
            supervision: node,
        }
    }
}
