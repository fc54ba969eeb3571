//! `/metrics`: the numbers of the whole cluster in Prometheus' text format. docs/metrics.md tells each.
//!
//! Numbers of a node that has not reported for a while are left out, so that nobody takes them for news;
//! `lampyris_node_report_age_seconds` says how old they would be.

mod data;
mod text;

use std::collections::BTreeMap;
use std::time::Instant;

use actix_web::web::Data;
use actix_web::{HttpResponse, middleware, web};
use lampyris_runtime::name::MASTER;
use lampyris_runtime::supervisor::roster::State;

use self::text::Text;
use super::auth;
use super::problem::Problem;
use super::seat::Seat;
use crate::master::NodeView;
use crate::meter::{BOUNDS, Times};
use crate::otlp::Counts;
use crate::records::Known;
use crate::report::{HandlerReport, LinkReport, NodeReport};

/// A report that is older tells nothing of now, in seconds.
const STALE: f64 = 10.0;

/// Handlers of a node that have series of their own; the rest are one, named `_other`.
const MOST_HANDLERS: usize = 200;

pub(super) fn routes(config: &mut web::ServiceConfig, open: bool) {
    let resource = web::resource("/metrics")
        .route(web::get().to(metrics))
        .default_service(web::to(|| async { Problem::not_allowed("GET").response() }));
    match open {
        true => config.service(resource),
        false => config.service(resource.wrap(middleware::from_fn(auth::require))),
    };
}

async fn metrics(seat: Data<Seat>) -> Result<HttpResponse, Problem> {
    let (nodes, standing) = (seat.nodes().await?, seat.standing().await?);
    let mut text = Text::default();
    let version = env!("CARGO_PKG_VERSION");
    text.add(
        "build_info",
        "gauge",
        &[("version", version), ("role", "master")],
        1.0,
    );
    text.add("master_uptime_seconds", "gauge", &[], standing.uptime);
    text.add(
        "events_total",
        "counter",
        &[],
        *seat.records.last_event().borrow() as f64,
    );
    of_export(&mut text, seat.outbox.counts());
    refused(&mut text, "admin_refused_total", &[], seat.desk.refusals());
    let of_master = [("node", MASTER)];
    refused(
        &mut text,
        "link_refused_total",
        &of_master,
        seat.strangers.counts(),
    );
    for node in &nodes {
        of_supervision(&mut text, node);
        seat.records.node(node.supervision.name.as_str(), |known| {
            of_report(&mut text, node, known)
        });
    }
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text.finish()))
}

/// Who was not let in, by reason, behind the labels of where.
fn refused<'a>(
    text: &mut Text,
    metric: &'static str,
    labels: &[(&str, &str)],
    counts: impl Iterator<Item = (&'a str, u64)>,
) {
    for (reason, count) in counts {
        let labels = [labels, &[("reason", reason)]].concat();
        text.add(metric, "counter", &labels, count as f64);
    }
}

fn of_export(text: &mut Text, counts: Counts) {
    for (outcome, spans) in [("sent", counts.sent), ("dropped", counts.dropped)] {
        text.add(
            "otlp_spans_total",
            "counter",
            &[("outcome", outcome)],
            spans as f64,
        );
    }
    text.add("otlp_spans_waiting", "gauge", &[], counts.waiting as f64);
}

/// All states, so that each has a series that is 0 or 1.
const STATES: [State; 9] = [
    State::Stopped,
    State::Starting,
    State::Ready,
    State::Degraded,
    State::Draining,
    State::Stopping,
    State::Backoff,
    State::Failed,
    State::Unreachable,
];

fn of_supervision(text: &mut Text, view: &NodeView) {
    let node = &view.supervision;
    let name = [("node", node.name.as_str())];
    let is = |yes: bool| if yes { 1.0 } else { 0.0 };
    text.add("node_up", "gauge", &name, is(node.state.is_up()));
    for state in STATES {
        let labels = [name[0], ("state", state.name())];
        text.add("node_state", "gauge", &labels, is(node.state == state));
    }
    text.add("node_restarts_total", "counter", &name, node.restarts as f64);
    text.add(
        "node_backoff_seconds",
        "gauge",
        &name,
        node.next_try_in.unwrap_or(0.0),
    );
    text.add("node_adopted", "gauge", &name, is(node.adopted));
    if let Some(uptime) = node.uptime {
        text.add("node_uptime_seconds", "gauge", &name, uptime);
    }
}

fn of_report(text: &mut Text, view: &NodeView, known: &Known) {
    let node = view.supervision.name.as_str();
    let Some(age) = known.age(Instant::now()).map(|age| age.as_secs_f64()) else {
        return;
    };
    text.add("node_report_age_seconds", "gauge", &[("node", node)], age);
    if age > STALE {
        return;
    }
    let report = &known.report;
    of_process(text, node, report);
    for service in &report.services {
        let labels = [("node", node), ("service", service.name.as_str())];
        text.add("mailbox_depth", "gauge", &labels, service.depth as f64);
        text.add("mailbox_capacity", "gauge", &labels, service.capacity as f64);
        text.add("mailbox_high_water", "gauge", &labels, service.high_water as f64);
    }
    for handler in &shown(&report.handlers) {
        of_handler(text, node, handler);
    }
    report.links.iter().for_each(|link| of_link(text, node, link));
    let strangers = report
        .strangers
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count));
    refused(text, "link_refused_total", &[("node", node)], strangers);
    of_clients(text, node, report);
    if let Some(data) = &report.data {
        data::add(text, node, data);
    }
}

fn of_process(text: &mut Text, node: &str, report: &NodeReport) {
    let (name, process) = ([("node", node)], &report.process);
    let mut some = |metric, kind, value: Option<f64>| {
        if let Some(value) = value {
            text.add(metric, kind, &name, value);
        }
    };
    some(
        "process_resident_memory_bytes",
        "gauge",
        process.rss.map(|bytes| bytes as f64),
    );
    some("process_cpu_seconds_total", "counter", process.cpu_seconds);
    some("process_open_fds", "gauge", process.fds.map(|count| count as f64));
    some(
        "process_max_fds",
        "gauge",
        process.fd_limit.map(|count| count as f64),
    );
    some(
        "process_threads",
        "gauge",
        process.threads.map(|count| count as f64),
    );
    some("loop_lag_seconds", "gauge", Some(process.lag));
    some(
        "node_drained",
        "gauge",
        Some(if report.drained { 1.0 } else { 0.0 }),
    );
}

/// The handlers by name; beyond so many, those that are called least are taken together.
fn shown(handlers: &[HandlerReport]) -> Vec<HandlerReport> {
    let mut all = handlers.to_vec();
    all.sort_by_key(|handler| std::cmp::Reverse(handler.calls));
    let rest = all.split_off(all.len().min(MOST_HANDLERS));
    if rest.is_empty() {
        return all;
    }
    let (mut times, mut errors) = (Times::default(), BTreeMap::<String, u64>::new());
    for handler in &rest {
        times.add(&handler.times);
        for (kind, count) in &handler.errors {
            *errors.entry(kind.clone()).or_default() += count;
        }
    }
    all.push(HandlerReport {
        service: "_other".to_owned(),
        name: "_other".to_owned(),
        command: None,
        calls: rest.iter().map(|handler| handler.calls).sum(),
        errors: errors.into_iter().collect(),
        times,
    });
    all
}

fn of_handler(text: &mut Text, node: &str, handler: &HandlerReport) {
    let labels = [
        ("node", node),
        ("service", &handler.service),
        ("handler", &handler.name),
    ];
    text.add("calls_total", "counter", &labels, handler.calls as f64);
    for (kind, count) in &handler.errors {
        let labels = [labels[0], labels[1], labels[2], ("error", kind)];
        text.add("call_errors_total", "counter", &labels, *count as f64);
    }
    let mut below = 0;
    for (at, count) in handler.times.buckets.iter().enumerate() {
        below += count;
        let bound = BOUNDS
            .get(at)
            .map_or("+Inf".to_owned(), |micros| (*micros as f64 / 1e6).to_string());
        let labels = [labels[0], labels[1], labels[2], ("le", &bound)];
        text.add_to(
            "call_duration_seconds",
            "histogram",
            "_bucket",
            &labels,
            below as f64,
        );
    }
    let sum = handler.times.micros as f64 / 1e6;
    text.add_to("call_duration_seconds", "histogram", "_sum", &labels, sum);
    text.add_to(
        "call_duration_seconds",
        "histogram",
        "_count",
        &labels,
        below as f64,
    );
}

fn of_link(text: &mut Text, node: &str, link: &LinkReport) {
    let labels = [("node", node), ("peer", link.peer.as_str())];
    text.add("link_up", "gauge", &labels, if link.up { 1.0 } else { 0.0 });
    text.add("link_connections_total", "counter", &labels, link.epoch as f64);
    if let Some(micros) = link.rtt_us {
        text.add("link_rtt_seconds", "gauge", &labels, micros as f64 / 1e6);
    }
    for (direction, bytes, frames) in [
        ("in", link.bytes_in, link.frames_in),
        ("out", link.bytes_out, link.frames_out),
    ] {
        let labels = [labels[0], labels[1], ("direction", direction)];
        text.add("link_bytes_total", "counter", &labels, bytes as f64);
        text.add("link_frames_total", "counter", &labels, frames as f64);
    }
    text.add("link_calls_in_flight", "gauge", &labels, link.calls as f64);
    text.add("link_queue_bytes", "gauge", &labels, link.queued as f64);
    text.add("link_held_calls", "gauge", &labels, link.held as f64);
    text.add(
        "link_late_replies_total",
        "counter",
        &labels,
        link.late_replies as f64,
    );
}

fn of_clients(text: &mut Text, node: &str, report: &NodeReport) {
    let Some(clients) = &report.clients else { return };
    let name = [("node", node)];
    text.add("net_connections", "gauge", &name, clients.connected as f64);
    text.add("net_connections_max", "gauge", &name, clients.most as f64);
    text.add("net_accepted_total", "counter", &name, clients.accepted as f64);
    text.add(
        "net_late_answers_total",
        "counter",
        &name,
        clients.late_answers as f64,
    );
    text.add(
        "net_dropped_pushes_total",
        "counter",
        &name,
        clients.dropped_pushes as f64,
    );
    for (metric, counts) in [
        ("net_refused_total", &clients.refused),
        ("net_closed_total", &clients.closed),
    ] {
        for (reason, count) in counts {
            text.add(metric, "counter", &[name[0], ("reason", reason)], *count as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_handlers_are_no_ten_thousand_series() {
        let handler = |number: u64| HandlerReport {
            service: "game".into(),
            name: format!("h{number}"),
            command: None,
            calls: number,
            errors: Vec::new(),
            times: Times::default(),
        };
        let all: Vec<_> = (0..10_000).map(handler).collect();
        let shown = shown(&all);
        assert_eq!(shown.len(), MOST_HANDLERS + 1);
        let sum = |handlers: &[HandlerReport]| handlers.iter().map(|handler| handler.calls).sum::<u64>();
        assert_eq!(sum(&shown), sum(&all));
    }
}
