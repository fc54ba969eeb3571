//! The nodes as the API tells them: what the master knows, and what the node has reported last.

mod handlers;

use std::collections::BTreeMap;
use std::time::Instant;

use lampyris_runtime::config::{Config, Setting};
use lampyris_runtime::supervisor::roster::{NodeSnapshot, PastExit, Role};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) use self::handlers::{HandlerView, handlers};
use super::seat::Seat;
use crate::certificates::CertificateInfo;
use crate::master::NodeView;
use crate::records::{Event, Point};
use crate::report::{ClientsReport, DataReport, LinkReport, ProcessReport, ServiceReport};

/// One node. What is not known is `null`; what comes from its report is as old as `report_age` says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct NodeSummary {
    /// Its name.
    pub(super) name: String,
    /// How it fares: ready, starting, degraded, draining, stopping, stopped, backoff, failed or unreachable.
    pub(super) state: String,
    /// For how long it has been in this state, in seconds.
    pub(super) since: f64,
    /// Why it is in this state.
    pub(super) reason: String,
    /// Whether this master starts it.
    start: bool,
    /// Its process.
    pub(super) pid: Option<u32>,
    /// Whether the process was started by an earlier master.
    adopted: bool,
    /// Which life, as 32 hexadecimal digits.
    incarnation: Option<String>,
    /// How often it was started again after an end that nobody asked for.
    pub(super) restarts: u64,
    /// How near it is to a crash loop.
    restart_window: Window,
    /// Until the next attempt, in seconds; only in backoff.
    next_try_in: Option<f64>,
    /// Its last ends, oldest first, at most 20.
    last_exits: Vec<ExitView>,
    /// How long the process has been running, in seconds.
    uptime: Option<f64>,
    /// The second process of the node, while one life takes the place of another.
    beside: Option<BesideView>,
    /// How many lines of this life's log could not be written.
    lost_lines: u64,
    /// What to look at, in words.
    warnings: Vec<String>,
    /// The application that it runs.
    pub(super) app: String,
    /// Resident memory in bytes.
    pub(super) rss: Option<u64>,
    /// Where its link comes from, while it is up.
    host: Option<String>,
    /// The nodes that it dials.
    parents: Vec<String>,
    /// The nodes that dial it.
    children: Vec<String>,
    /// Whether an operator has taken it out of service.
    pub(super) drained: Option<bool>,
    /// The version of its runtime.
    version: Option<String>,
    /// How old its report is, in seconds.
    pub(super) report_age: Option<f64>,
    /// Game clients, of a node with a port for them.
    pub(super) clients: Option<u64>,
    /// Messages that wait or are being worked on.
    mailbox: Option<u64>,
    /// The last second in numbers.
    pub(super) last: Option<Point>,
}

/// A report that is older than this is no news any more, in seconds.
const STALE: f64 = 3.5;

impl NodeSummary {
    /// Whether what its last report says holds now.
    pub(super) fn reports(&self) -> bool {
        self.report_age.is_some_and(|age| age <= STALE)
    }

    /// Takes the fractions off the times that grow by themselves, so that a node without news looks the same for a
    /// while.
    pub(super) fn settle(&mut self) {
        const GRAIN: f64 = 5.0;
        let coarse = |time: f64| (time / GRAIN).floor() * GRAIN;
        self.since = coarse(self.since);
        self.uptime = self.uptime.map(coarse);
        self.report_age = self.report_age.map(coarse);
        for exit in &mut self.last_exits {
            exit.ago = coarse(exit.ago);
        }
        if let Some(beside) = &mut self.beside {
            beside.uptime = coarse(beside.uptime);
        }
    }
}

/// The second process of a node.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct BesideView {
    /// `successor` or `leaving`.
    #[schema(value_type = String)]
    role: Role,
    /// Its number, once it is started.
    pid: Option<u32>,
    /// How long it has been running, in seconds.
    uptime: f64,
}

/// How near a node is to a crash loop.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Window {
    /// Failed starts within the period; more than `intensity` are a crash loop.
    failed_starts: usize,
    /// How many are allowed.
    intensity: u32,
    /// The period, in seconds.
    period: f64,
}

/// One end of a node's process.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct ExitView {
    /// How long ago, in seconds.
    ago: f64,
    /// How long the process had been running, in seconds.
    uptime: f64,
    /// The end in words.
    reason: String,
    /// Whether the master had asked for it.
    asked: bool,
    /// Whether the master had to kill it.
    killed: bool,
    /// The exit code, if it ended by itself.
    code: Option<i32>,
    /// The number of the signal that killed it.
    signal: Option<i32>,
    /// The last lines of its output.
    last_lines: Vec<String>,
}

/// One node with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NodeDetail {
    #[serde(flatten)]
    pub(super) summary: NodeSummary,
    /// What the operating system knows of its process.
    process: Option<ProcessReport>,
    /// Its services.
    services: Vec<ServiceReport>,
    /// Its handlers.
    handlers: Vec<HandlerView>,
    /// Its links.
    links: Vec<LinkReport>,
    /// Dialers that were not let in at its port for links, by reason.
    strangers: BTreeMap<String, u64>,
    /// The certificates that it uses, with their dates.
    certificates: Vec<CertificateInfo>,
    /// Its port for game clients.
    port: Option<PortView>,
    /// Its database, journal and cache, as it has told last.
    data: Option<DataReport>,
    /// Whether that is told by the life that it is in, and it is up. Else it may be otherwise by now.
    data_current: bool,
    /// A quarter of an hour, one point a second, oldest first.
    pub(super) points: Vec<Point>,
    /// Its last events.
    events: Vec<Event>,
    /// What is configured, with where each value comes from. Secrets are covered.
    config: Vec<SettingView>,
}

/// The port for game clients.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct PortView {
    /// Clients that are connected.
    connected: u64,
    /// How many may be.
    most: u64,
    /// Connections that got a session.
    accepted: u64,
    /// Connections that got none, by reason.
    refused: BTreeMap<String, u64>,
    /// Connections that ended, by reason.
    closed: BTreeMap<String, u64>,
    /// Answers that came when the call or the client was gone.
    late_answers: u64,
    /// Pushes to clients that were gone, or did not read.
    dropped_pushes: u64,
}

/// One key of the configuration.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct SettingView {
    /// The key.
    key: String,
    /// Its value.
    value: String,
    /// `file …:line:column`, `env …` or `default`.
    origin: String,
}

impl From<Setting> for SettingView {
    fn from(Setting { key, value, origin }: Setting) -> Self {
        Self { key, value, origin }
    }
}

impl From<&ClientsReport> for PortView {
    fn from(report: &ClientsReport) -> Self {
        Self {
            connected: report.connected,
            most: report.most,
            accepted: report.accepted,
            refused: report.refused.iter().cloned().collect(),
            closed: report.closed.iter().cloned().collect(),
            late_answers: report.late_answers,
            dropped_pushes: report.dropped_pushes,
        }
    }
}

impl From<PastExit> for ExitView {
    fn from(past: PastExit) -> Self {
        Self {
            ago: past.ago,
            uptime: past.uptime,
            reason: past.reason,
            asked: past.asked,
            killed: past.killed,
            code: past.exit.code,
            signal: past.exit.signal,
            last_lines: past.exit.last_lines.to_vec(),
        }
    }
}

/// A node's summary, of the master's view and the last report.
pub(super) fn summary(seat: &Seat, view: NodeView) -> NodeSummary {
    let name = view.supervision.name.clone();
    let now = Instant::now();
    let mut summary = supervised(&seat.config(), view);
    seat.records.node(name.as_str(), |known| {
        let report = &known.report;
        summary.report_age = known.age(now).map(|age| age.as_secs_f64());
        summary.drained = Some(report.drained);
        summary.version = Some(report.version.clone());
        summary.clients = report.clients.as_ref().map(|clients| clients.connected);
        summary.mailbox = Some(report.depth());
        summary.last = known.last_point();
        // A node on another host knows its memory, the master does not.
        summary.rss = summary
            .rss
            .or(report.process.rss.filter(|_| summary.pid.is_some()));
    });
    summary
}

fn supervised(config: &Config, view: NodeView) -> NodeSummary {
    let NodeSnapshot {
        name,
        state,
        since,
        reason,
        start,
        wanted: _,
        pid,
        adopted,
        incarnation,
        restarts,
        restart_window,
        next_try_in,
        last_exits,
        uptime,
        beside,
    } = view.supervision;
    NodeSummary {
        parents: config
            .parents_of(&name)
            .map(|node| node.name.to_string())
            .collect(),
        children: config
            .children_of(&name)
            .map(|node| node.name.to_string())
            .collect(),
        name: name.to_string(),
        state: state.name().to_owned(),
        since,
        reason,
        start,
        pid,
        adopted,
        incarnation: incarnation.map(|known| known.to_string()),
        restarts,
        restart_window: Window {
            failed_starts: restart_window.failed_starts,
            intensity: restart_window.intensity,
            period: restart_window.period,
        },
        next_try_in,
        last_exits: last_exits.into_iter().map(ExitView::from).collect(),
        uptime,
        beside: beside.map(|second| BesideView {
            role: second.role,
            pid: second.pid,
            uptime: second.uptime,
        }),
        lost_lines: view.lost_lines,
        warnings: view.warnings,
        app: view.app,
        rss: view.rss,
        host: view.host.map(|host| host.to_string()),
        drained: None,
        version: None,
        report_age: None,
        clients: None,
        mailbox: None,
        last: None,
    }
}

/// All that is known of a node, but for the points, of which there are many.
pub(super) fn detail(seat: &Seat, view: NodeView) -> NodeDetail {
    /// Events of one node that are told with it.
    const EVENTS: usize = 50;
    let (life, is_up) = (view.supervision.incarnation, view.supervision.state.is_up());
    let summary = summary(seat, view);
    let name = summary.name.as_str();
    let config = seat.config();
    let settings = config
        .node(name)
        .map(|node| config.effective(node))
        .unwrap_or_default();
    let mut detail = NodeDetail {
        process: None,
        services: Vec::new(),
        handlers: Vec::new(),
        links: Vec::new(),
        strangers: BTreeMap::new(),
        certificates: Vec::new(),
        port: None,
        data: None,
        data_current: false,
        points: Vec::new(),
        events: seat
            .records
            .events(0, EVENTS, |event| event.node.as_deref() == Some(name)),
        config: settings.into_iter().map(SettingView::from).collect(),
        summary: summary.clone(),
    };
    seat.records.node(name, |known| {
        let report = &known.report;
        detail.process = Some(report.process.clone());
        detail.services.clone_from(&report.services);
        detail.handlers = handlers(name, known);
        detail.links.clone_from(&report.links);
        detail.strangers = report.strangers.iter().cloned().collect();
        detail.certificates.clone_from(&report.certificates);
        detail.port = report.clients.as_ref().map(PortView::from);
        detail.data.clone_from(&report.data);
        detail.data_current = is_up && life == Some(report.incarnation);
    });
    detail
}

#[cfg(test)]
impl NodeSummary {
    /// A node of which nothing is known but its name.
    pub(super) fn for_tests(name: &str) -> Self {
        use lampyris_runtime::name::NodeName;
        use lampyris_runtime::supervisor::roster::{NodeSpec, Roster};
        let name = NodeName::new(name).expect("a name");
        let now = Instant::now();
        let roster = Roster::new(now, vec![NodeSpec::new(name.clone())], 1).expect("one node");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        let text = format!("[master]\nrootport = 9999\n[servers.{name}]\napp = \"x\"\nrootport = 9000\n");
        std::fs::write(&file, text).expect("a file");
        let config = Config::load(&file, std::iter::empty()).expect("a configuration");
        let view = NodeView {
            supervision: roster.snapshot(now).remove(0),
            app: "x".into(),
            rss: None,
            host: None,
            lost_lines: 0,
            warnings: Vec::new(),
        };
        supervised(&config, view)
    }
}
