//! Gathers a node's report out of what its parts count anyway.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lampyris_runtime::link::{Conn, Peer};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::{limits, usage};

use super::{
    ClientsReport, DataReport, HandlerReport, LinkReport, NodeReport, ProcessReport, Relation, ServiceReport,
};
use crate::certificates::{CertificateInfo, certificates_of};
use crate::net::CountersSnapshot;
use crate::node::Node;
use crate::service::Inbox;
use crate::system::Busy;

/// How often the dates of certificates are read.
const DATES: Duration = Duration::from_secs(60);

/// What a report is gathered from.
pub(crate) struct Gatherer {
    node: Node,
    master: Peer,
    inboxes: Vec<Arc<Inbox>>,
    busy: Busy,
    links: HashMap<NodeName, Sums>,
    fd_limit: Option<u64>,
    certificates: Vec<CertificateInfo>,
    dates_read: Option<Instant>,
    started: Instant,
}

/// The counts of a link's former connections, and the one that is counted now.
#[derive(Default)]
struct Sums {
    before: Counts,
    now: Option<Arc<Conn>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    frames_in: u64,
    frames_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    late_replies: u64,
}

impl Counts {
    fn of(conn: &Conn) -> Self {
        let counters = &conn.counters;
        Self {
            frames_in: counters.frames_in.load(Ordering::Relaxed),
            frames_out: conn.frames_out(),
            bytes_in: counters.bytes_in.load(Ordering::Relaxed),
            bytes_out: counters.bytes_out.load(Ordering::Relaxed),
            late_replies: counters.late_replies.load(Ordering::Relaxed),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            frames_in: self.frames_in + other.frames_in,
            frames_out: self.frames_out + other.frames_out,
            bytes_in: self.bytes_in + other.bytes_in,
            bytes_out: self.bytes_out + other.bytes_out,
            late_replies: self.late_replies + other.late_replies,
        }
    }
}

impl Sums {
    /// The counts with those of the connection that is current now.
    fn with(&mut self, current: Option<Arc<Conn>>) -> Counts {
        let same = match (&self.now, &current) {
            (Some(now), Some(current)) => Arc::ptr_eq(now, current),
            (None, None) => true,
            _ => false,
        };
        if !same {
            if let Some(ended) = self.now.take() {
                self.before = self.before.plus(Counts::of(&ended));
            }
            self.now = current;
        }
        self.before
            .plus(self.now.as_deref().map(Counts::of).unwrap_or_default())
    }
}

impl Gatherer {
    pub(crate) fn new(node: Node, master: Peer, inboxes: Vec<Arc<Inbox>>, busy: Busy) -> Self {
        Self {
            node,
            master,
            inboxes,
            busy,
            links: HashMap::new(),
            fd_limit: limits::open_files(),
            certificates: Vec::new(),
            dates_read: None,
            started: Instant::now(),
        }
    }

    /// The report of this moment.
    pub(crate) fn report(&mut self, drained: bool) -> NodeReport {
        NodeReport {
            incarnation: self.node.incarnation(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.started.elapsed().as_secs_f64(),
            drained,
            process: self.process(),
            services: self.inboxes.iter().map(|inbox| service(inbox)).collect(),
            handlers: self.inboxes.iter().flat_map(|inbox| handlers(inbox)).collect(),
            links: self.links(),
            strangers: self.strangers(),
            clients: self.clients(),
            data: self.node.store().snapshot().map(DataReport::from),
            certificates: self.certificates(),
        }
    }

    fn process(&self) -> ProcessReport {
        let pid = std::process::id();
        let held = usage::held(pid);
        ProcessReport {
            rss: held.map(|held| held.resident_bytes),
            cpu_seconds: usage::own_processor_time().map(|time| time.as_secs_f64()),
            busy_seconds: self.busy.time().as_secs_f64(),
            fds: usage::open_files(pid),
            fd_limit: self.fd_limit,
            threads: held.map(|held| held.threads),
            lag: self.busy.take_lag().as_secs_f64(),
        }
    }

    fn links(&mut self) -> Vec<LinkReport> {
        let (node, sums) = (&self.node, &mut self.links);
        let (parents, children) = (node.parents(), node.all_children());
        let parents = parents.iter().map(|peer| (peer, Relation::Parent));
        let children = children.iter().map(|peer| (peer, Relation::Child));
        let all = parents.chain(children).chain([(&self.master, Relation::Master)]);
        let mut links: Vec<_> = all
            .map(|(peer, relation)| link(peer, relation, sums.entry(peer.name().clone()).or_default()))
            .collect();
        links.sort_by(|left, right| left.peer.cmp(&right.peer));
        links
    }

    fn strangers(&self) -> Vec<(String, u64)> {
        if self.node.config().rootport.is_none() {
            return Vec::new();
        }
        owned(self.node.strangers().counts().collect())
    }

    /// The dates are in files, which are not read for each report.
    fn certificates(&mut self) -> Vec<CertificateInfo> {
        let is_old = |read: Instant| read.elapsed() >= DATES;
        if self.dates_read.is_none_or(is_old) {
            self.certificates = certificates_of(&self.node.cluster(), self.node.name().as_str());
            self.dates_read = Some(Instant::now());
        }
        self.certificates.clone()
    }

    fn clients(&self) -> Option<ClientsReport> {
        let clients = self.node.clients()?;
        let counters = clients.counters();
        Some(ClientsReport {
            connected: clients.count() as u64,
            most: self.node.config().clients.max_clients as u64,
            refused: refused(&counters),
            accepted: counters.accepted,
            closed: owned(counters.closed),
            late_answers: counters.late_answers,
            dropped_pushes: counters.dropped_pushes,
        })
    }
}

/// Connections that got no session, by reason.
fn refused(counters: &CountersSnapshot) -> Vec<(String, u64)> {
    owned(vec![
        ("full", counters.rejected_full),
        ("socket", counters.rejected_socket),
        ("accept_error", counters.accept_errors),
    ])
}

fn owned(counts: Vec<(&'static str, u64)>) -> Vec<(String, u64)> {
    counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

fn service(inbox: &Inbox) -> ServiceReport {
    ServiceReport {
        name: inbox.service().to_owned(),
        depth: inbox.unanswered() as u64,
        capacity: inbox.limit() as u64,
        high_water: inbox.high_water() as u64,
    }
}

fn handlers(inbox: &Inbox) -> impl Iterator<Item = HandlerReport> {
    let service = inbox.service();
    let called = |handler: &&crate::service::Measured| {
        handler.command.is_some() || handler.meter.started() > 0 || !super::is_internal(service)
    };
    inbox
        .handlers()
        .iter()
        .filter(called)
        .map(move |handler| HandlerReport {
            service: service.to_owned(),
            name: handler.name.to_owned(),
            command: handler.command,
            calls: handler.meter.started(),
            errors: handler.meter.faults(),
            times: handler.meter.times(),
        })
}

fn link(peer: &Peer, relation: Relation, sums: &mut Sums) -> LinkReport {
    let conn = peer.conn();
    let counts = sums.with(conn.clone());
    let trip = conn
        .as_ref()
        .map(|conn| conn.counters.round_trip.load(Ordering::Relaxed));
    LinkReport {
        peer: peer.name().clone(),
        relation,
        up: conn.is_some(),
        epoch: peer.epoch(),
        addr: conn.as_ref().map(|conn| conn.id().addr.to_string()),
        rtt_us: trip.filter(|micros| *micros > 0),
        frames_in: counts.frames_in,
        frames_out: counts.frames_out,
        bytes_in: counts.bytes_in,
        bytes_out: counts.bytes_out,
        late_replies: counts.late_replies,
        calls: conn.as_ref().map_or(0, |conn| conn.calls() as u64),
        queued: conn.as_ref().map_or(0, |conn| conn.queued() as u64),
        held: peer.held().0 as u64,
        why_down: peer.why_down(),
    }
}
