//! What the master and the nodes say to each other, besides the users' own messages.
//!
//! ```text
//!  node → master   Ready                  it serves; said on every new link
//!  node → master   Lacks                  its database is down, or up again; said on every new link
//!  node → master   LostLines              so much of its log could not be written
//!  master → node   ParentAt               where one of its parents listens
//!  master → node   Expect                 a successor of one of its children may come
//!  master → node   TakeOver               it is the node now: serve the ports
//!  master → node   HandOver               its listening sockets, for a master that adopts it
//!  master → node   Reload                 the configuration that the master has applied has changed
//!  node → master   Report                 how it fares; once a second
//!  node → master   Spans                  what its handlers did for traced calls
//!  master → node   ReportNow              it is asked to report before the second is over
//!  master → node   SetDrained             it is taken out of service, or back into it
//!  master → node   Force                  the entities of a node that does not come back are freed
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

/// What the node lacks besides its parents.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.master.lacks")]
pub(crate) struct Lacks {
    /// Which life of it.
    pub(crate) incarnation: Incarnation,
    /// In words; `None` for nothing.
    pub(crate) what: Option<String>,
}

/// So many lines of the node's log could not be written since its start.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.master.lost_lines")]
pub(crate) struct LostLines {
    /// Which life of it.
    pub(crate) incarnation: Incarnation,
    /// All of them.
    pub(crate) lines: u64,
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

/// A successor of one of the node's children is being started: for a while it may have a link beside the child's.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.expect")]
pub(crate) struct Expect {
    /// Which child.
    pub(crate) node: NodeName,
    /// The life of it that is to be succeeded.
    pub(crate) of: Incarnation,
    /// For how long this holds, in milliseconds.
    pub(crate) millis: u64,
}

/// The process, which was started to take the place of another, is the node now, and serves its ports. It may have
/// been told before.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.take_over")]
pub(crate) struct TakeOver;

/// The node is to finish its calls in flight and to end.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.stop")]
pub(crate) struct Stop;

/// The node is to read its configuration once more, and to apply what has changed.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.reload")]
pub(crate) struct Reload;

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
    /// In which life of the node.
    pub(crate) incarnation: Incarnation,
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

/// The entities that another node owns, or this one under a journal that it has lost, are freed. The answer: how many.
#[derive(Debug, Clone, Serialize, Deserialize, Remote)]
#[remote(name = "lampyris.node.force", reply = u64)]
pub(crate) struct Force {
    /// The other node, or this one.
    pub(crate) owner: String,
    /// Who wants it and why, for the log and the leases.
    pub(crate) reason: String,
    /// Only say how many.
    pub(crate) dry_run: bool,
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
        ParentAt, Expect, TakeOver, Reload, Stop, HandOver, PushTo, KickFrom, ReportNow, SetDrained, Force,
        ListClients, Disconnect, FollowClient
    }
}

crate::service! {
    /// What the master answers.
    pub(crate) MasterControl { Ready, Lacks, LostLines, Report, Spans }
}
