//! What a node tells the master of itself once a second: plain numbers, most of them counted since its start.
//!
//! It knows neither how they are counted nor who looks at them. Rates and quantiles are made of two reports by
//! whoever wants them.

mod data;
mod gather;
mod span;

use lampyris_runtime::name::{Incarnation, NodeName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use data::{CacheReport, DataReport};
pub(crate) use gather::Gatherer;
pub(crate) use span::{Span, SpanLog, new_trace, trace_of, trace_text};

use crate::certificates::CertificateInfo;
use crate::meter::Times;

/// A node at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeReport {
    /// Which life of it.
    pub(crate) incarnation: Incarnation,
    /// The version of its program's runtime.
    pub(crate) version: String,
    /// For how long its services have run, in seconds.
    pub(crate) uptime: f64,
    /// Whether an operator has taken it out of service.
    pub(crate) drained: bool,
    pub(crate) process: ProcessReport,
    pub(crate) services: Vec<ServiceReport>,
    pub(crate) handlers: Vec<HandlerReport>,
    pub(crate) links: Vec<LinkReport>,
    /// Dialers that were not let in at its port for links, by reason; only of a node with such a port.
    #[serde(default)]
    pub(crate) strangers: Vec<(String, u64)>,
    /// Only of a node with a port for clients.
    pub(crate) clients: Option<ClientsReport>,
    /// Only of a node with a database.
    pub(crate) data: Option<DataReport>,
    /// The certificates that it uses.
    #[serde(default)]
    pub(crate) certificates: Vec<CertificateInfo>,
}

/// What the operating system knows of the process. What it does not tell is `null`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProcessReport {
    /// Resident memory in bytes.
    pub(crate) rss: Option<u64>,
    /// Processor time since its start, in seconds.
    pub(crate) cpu_seconds: Option<f64>,
    /// For how long its thread has had something to do since its start, in seconds: a node that always has is at its
    /// limit. Processor time tells that less well, as a thread that looks for work takes some of it.
    #[serde(default)]
    pub(crate) busy_seconds: f64,
    /// Open files and sockets.
    pub(crate) fds: Option<u64>,
    /// How many it may open.
    pub(crate) fd_limit: Option<u64>,
    /// Threads.
    pub(crate) threads: Option<u64>,
    /// How long at most something held its thread in the last second, in seconds: so late were timers and messages.
    pub(crate) lag: f64,
}

/// One service of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ServiceReport {
    /// Its name.
    pub(crate) name: String,
    /// Messages that wait or are being worked on.
    pub(crate) depth: u64,
    /// How many there may be.
    pub(crate) capacity: u64,
    /// The most there have been.
    pub(crate) high_water: u64,
}

/// One handler of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HandlerReport {
    pub(crate) service: String,
    pub(crate) name: String,
    /// The command of clients that it answers to.
    pub(crate) command: Option<u32>,
    pub(crate) calls: u64,
    /// How many calls ended by each fault.
    pub(crate) errors: Vec<(String, u64)>,
    pub(crate) times: Times,
}

/// What the other end of a link is to the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Relation {
    /// The node dials it.
    Parent,
    /// It dials the node.
    Child,
    /// The master.
    Master,
}

/// One link of a node, as this end sees it. Counts go on from one connection to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LinkReport {
    /// The other end.
    #[schema(value_type = String)]
    pub(crate) peer: NodeName,
    /// What the other end is.
    pub(crate) relation: Relation,
    /// Whether there is a connection.
    pub(crate) up: bool,
    /// How many connections there have been.
    pub(crate) epoch: u64,
    /// Where the other end is, while up.
    pub(crate) addr: Option<String>,
    /// The last round trip of a heartbeat, in microseconds.
    pub(crate) rtt_us: Option<u64>,
    /// Frames that came.
    pub(crate) frames_in: u64,
    /// Messages that were sent.
    pub(crate) frames_out: u64,
    /// Bytes that came.
    pub(crate) bytes_in: u64,
    /// Bytes that were sent.
    pub(crate) bytes_out: u64,
    /// Answers that came when nobody waited any more.
    pub(crate) late_replies: u64,
    /// Calls that wait for their answers.
    pub(crate) calls: u64,
    /// Bytes that wait to be written.
    pub(crate) queued: u64,
    /// Calls that wait for the link to come up.
    pub(crate) held: u64,
    /// Why it is down.
    pub(crate) why_down: Option<String>,
}

/// The port for game clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientsReport {
    pub(crate) connected: u64,
    pub(crate) most: u64,
    pub(crate) accepted: u64,
    pub(crate) refused: Vec<(String, u64)>,
    pub(crate) closed: Vec<(String, u64)>,
    pub(crate) late_answers: u64,
    pub(crate) dropped_pushes: u64,
}

impl Default for NodeReport {
    /// The report of nobody, for whoever has none yet.
    fn default() -> Self {
        Self {
            incarnation: Incarnation::from_bytes([0; 16]),
            version: String::new(),
            uptime: 0.0,
            drained: false,
            process: ProcessReport::default(),
            services: Vec::new(),
            handlers: Vec::new(),
            links: Vec::new(),
            strangers: Vec::new(),
            clients: None,
            data: None,
            certificates: Vec::new(),
        }
    }
}

impl NodeReport {
    /// How long calls of all handlers of the users took.
    pub(crate) fn times(&self) -> Times {
        let mut all = Times::default();
        self.own_handlers().for_each(|handler| all.add(&handler.times));
        all
    }

    /// Calls of all handlers of the users.
    pub(crate) fn calls(&self) -> u64 {
        self.own_handlers().map(|handler| handler.calls).sum()
    }

    /// Calls of them that ended by a fault.
    pub(crate) fn errors(&self) -> u64 {
        self.own_handlers()
            .flat_map(|handler| &handler.errors)
            .map(|(_, count)| count)
            .sum()
    }

    /// Messages that wait or are being worked on, in all services of the users.
    pub(crate) fn depth(&self) -> u64 {
        let own = self.services.iter().filter(|service| !is_internal(&service.name));
        own.map(|service| service.depth).sum()
    }

    fn own_handlers(&self) -> impl Iterator<Item = &HandlerReport> {
        self.handlers
            .iter()
            .filter(|handler| !is_internal(&handler.service))
    }
}

/// Whether a service, or a handler, is the runtime's own, which no figure for people counts.
pub(crate) fn is_internal(name: &str) -> bool {
    name.starts_with("lampyris.")
}
