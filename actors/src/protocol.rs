//! What the master and the nodes say to each other, besides the users' own messages.
//!
//! ```text
//!  node → master   Ready                  it serves; said on every new link
//!  master → node   ParentAt               where one of its parents listens
//!  master → node   HandOver               its listening sockets, for a master that adopts it
//!  node → master   Report                 how it fares; once a second
//!  node → master   Spans                  what its handlers did for traced calls
//!  master → node   ReportNow              it is asked to report before the second is over
//!  master → node   SetDrained             it is taken out of service, or back into it
//!  master → node   ListClients            some of its game clients
//!  master → node   Disconnect             one of them is sent away
//!  master → node   FollowClient           the next call of one of them is traced
//!  master → node   Stop                   finish the calls in flight and end
//!  node ⇄ node     PushTo, KickFrom       to the node that has the session, up and down the tree
//! ```

use std::net::SocketAddr;

use lampyris_derive::Remote;
use lampyris_runtime::codec::Payload;
use lampyris_runtime::name::{Incarnation, NodeName};
use serde::{Deserialize, Serialize};

use crate::net::{ClientInfo, SessionId};
use crate::report::{NodeReport, Span};

/// The node serves.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.master.ready")]
pub(crate) struct Ready {
    /// Which life of it.
    pub(crate) incarnation: Incarnation,
}

/// Where a parent of the node listens for its children.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.parent_at")]
pub(crate) struct ParentAt {
    /// The parent.
    pub(crate) parent: NodeName,
    /// Its host; `None`: the host at which the node reaches the master.
    pub(crate) host: Option<String>,
    /// Its `rootport`.
    pub(crate) port: u16,
}

/// The node is to finish its calls in flight and to end.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.stop")]
pub(crate) struct Stop;

/// The node is to hand copies of its listening sockets to the master, which was not the one that started it.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.hand_over")]
pub(crate) struct HandOver;

/// A frame for a client of some node.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.session.push")]
pub(crate) struct PushTo {
    /// Whose client.
    pub(crate) session: SessionId,
    /// The command id of the frame.
    pub(crate) command: u32,
    /// Its payload.
    pub(crate) payload: Payload,
}

/// A client of some node is to be disconnected.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.session.kick")]
pub(crate) struct KickFrom {
    /// Whose client.
    pub(crate) session: SessionId,
    /// Why, for the log.
    pub(crate) reason: String,
}

/// How a node fares.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.master.report")]
pub(crate) struct Report {
    /// The numbers.
    pub(crate) report: NodeReport,
}

/// What handlers of a node did for traced calls.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.master.spans")]
pub(crate) struct Spans {
    /// The spans, as they ended.
    pub(crate) spans: Vec<Span>,
}

/// The node is to report now.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.report_now")]
pub(crate) struct ReportNow;

/// The node is to take no more calls, or to take them again.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.set_drained")]
pub(crate) struct SetDrained {
    /// Whether it is to be out of service.
    pub(crate) drained: bool,
}

/// Some of the node's game clients, by number.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.list_clients", reply = Vec<ClientInfo>)]
pub(crate) struct ListClients {
    /// Only those with a higher number.
    pub(crate) after: u64,
    /// Only those whose address contains this text.
    pub(crate) text: String,
    /// Only the first so many.
    pub(crate) most: u32,
}

/// One of the node's game clients is to be sent away. The answer: whether there was such a client.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.disconnect", reply = bool)]
pub(crate) struct Disconnect {
    /// Its number.
    pub(crate) number: u64,
    /// Why, for the log.
    pub(crate) reason: String,
}

/// The next call of a game client is part of a trace.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.follow_client")]
pub(crate) struct FollowClient {
    /// Where the client connects from.
    pub(crate) addr: SocketAddr,
    /// The trace, as 32 hexadecimal digits.
    pub(crate) trace: String,
}

crate::service! {
    /// What every node answers itself.
    pub(crate) NodeControl {
        ParentAt, Stop, HandOver, PushTo, KickFrom, ReportNow, SetDrained, ListClients, Disconnect, FollowClient
    }
}

crate::service! {
    /// What the master answers.
    pub(crate) MasterControl { Ready, Report, Spans }
}
