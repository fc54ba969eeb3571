//! `/metrics`: the numbers of the whole cluster in Prometheus' text format. docs/metrics.md tells each.
//!
//! Numbers of a node that has not reported for a while are left out, so that nobody takes them for news;
//! `lampyris_node_report_age_seconds` says how old they would be.

mod data;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actix_web::web::Data;
use actix_web::{HttpResponse, middleware, web};
use lampyris_runtime::name::MASTER;
use lampyris_runtime::supervisor::roster::State;

use self::text::Text;
use super::auth;
use super::problem::Problem;
use super::seat::Seat;
use crate::certificates::{CertificateInfo, certificates_of};
use crate::master::NodeView;
use crate::meter::{BOUNDS, Times};
use crate::otlp::Counts;
use crate::report::{HandlerReport, LinkReport, NodeReport};

/// A report that is older tells nothing of now, in seconds.
const STALE: f64 = 10.0;

/// Handlers of a node that have series of their own, the first of its table; the rest are one, named `_other`.
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
    let config = seat.config();
    // Files are read.
    let own = web::block(move || certificates_of(&config, MASTER)).await;
    of_certificates(&mut text, MASTER, &own.unwrap_or_default());
    for node in &nodes {
        of_supervision(&mut text, node);
        let name = node.supervision.name.as_str();
        let last = seat.records.node(name, |known| {
            let age = known.age(Instant::now())?;
            Some((Arc::clone(&known.report), age))
        });
        if let Some((report, age)) = last.flatten() {
            of_report(&mut text, name, &report, age.as_secs_f64());
        }
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

fn of_report(text: &mut Text, node: &str, report: &NodeReport, age: f64) {
    text.add("node_report_age_seconds", "gauge", &[("node", node)], age);
    if age > STALE {
        return;
    }
    of_process(text, node, report);
    for service in &report.services {
        let labels = [("node", node), ("service", service.name.as_str())];
        text.add("mailbox_depth", "gauge", &labels, service.depth as f64);
        text.add("mailbox_capacity", "gauge", &labels, service.capacity as f64);
        text.add("mailbox_high_water", "gauge", &labels, service.high_water as f64);
    }
    let (own, rest) = report.handlers.split_at(report.handlers.len().min(MOST_HANDLERS));
    own.iter().for_each(|handler| of_handler(text, node, handler));
    if !rest.is_empty() {
        of_handler(text, node, &together(rest));
    }
    report.links.iter().for_each(|link| of_link(text, node, link));
    let strangers = report
        .strangers
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count));
    refused(text, "link_refused_total", &[("node", node)], strangers);
    of_certificates(text, node, &report.certificates);
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
    some("loop_busy_seconds_total", "counter", Some(process.busy_seconds));
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

/// Handlers taken together. They must be the same ones each time, as what is counted may not fall.
fn together(rest: &[HandlerReport]) -> HandlerReport {
    let (mut times, mut errors) = (Times::default(), BTreeMap::<String, u64>::new());
    for handler in rest {
        times.add(&handler.times);
        for (kind, count) in &handler.errors {
            *errors.entry(kind.clone()).or_default() += count;
        }
    }
    HandlerReport {
        service: "_other".to_owned(),
        name: "_other".to_owned(),
        command: None,
        calls: rest.iter().map(|handler| handler.calls).sum(),
        errors: errors.into_iter().collect(),
        times,
    }
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

fn of_certificates(text: &mut Text, node: &str, certificates: &[CertificateInfo]) {
    for CertificateInfo { file, until_ms, .. } in certificates {
        let labels = [("node", node), ("file", &file.to_string_lossy())];
        let until = *until_ms as f64 / 1e3;
        text.add("certificate_expiry_timestamp_seconds", "gauge", &labels, until);
    }
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
            errors: vec![("timeout".into(), 1)],
            times: Times::default(),
        };
        let mut report = NodeReport {
            handlers: (0..10_000).map(handler).collect(),
            ..NodeReport::default()
        };
        let calls = |report: &NodeReport| {
            let mut text = Text::default();
            of_report(&mut text, "gate", report, 0.0);
            let text = text.finish();
            let series = text
                .lines()
                .filter_map(|line| line.strip_prefix("lampyris_calls_total{"));
            let number = |line: &str| {
                line.rsplit_once(' ')
                    .map(|(series, value)| (series.to_owned(), value.parse::<u64>()))
            };
            let all = series.filter_map(number);
            all.map(|(series, value)| (series, value.unwrap()))
                .collect::<BTreeMap<_, _>>()
        };
        let before = calls(&report);
        assert_eq!(before.len(), MOST_HANDLERS + 1);
        assert_eq!(before.values().sum::<u64>(), report.calls());
        // One that was called least is called most.
        report.handlers[9_999].calls += 1;
        report.handlers[0].calls += 1_000_000;
        let after = calls(&report);
        assert!(
            before.iter().all(|(series, count)| after[series] >= *count),
            "no counter falls"
        );
    }
}
