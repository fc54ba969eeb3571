//! Points of a node's course, one for each report. Pure.

use std::collections::VecDeque;

use serde::Serialize;
use utoipa::ToSchema;

use crate::report::NodeReport;

/// Points that are kept: a quarter of an hour, one a second.
pub(super) const MOST: usize = 900;

/// A node at one second. What is not known is `null`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Point {
    /// When the report came, in milliseconds of Unix time.
    pub(crate) at_ms: u64,
    /// Calls a second since the point before.
    pub(crate) calls_per_second: Option<f32>,
    /// Calls a second that ended by an error.
    pub(crate) errors_per_second: Option<f32>,
    /// The time of half of the calls, in seconds.
    pub(crate) p50: Option<f32>,
    /// The time of 99 of 100 calls, in seconds.
    pub(crate) p99: Option<f32>,
    /// Processors in use.
    pub(crate) cpu: Option<f32>,
    /// The share of the time in which the node's thread had something to do.
    pub(crate) busy: Option<f32>,
    /// Resident memory in bytes.
    pub(crate) rss: Option<u64>,
    /// Messages that wait or are being worked on.
    pub(crate) mailbox: u32,
    /// Game clients.
    pub(crate) clients: Option<u32>,
    /// How late timers were at most, in seconds.
    pub(crate) lag: f32,
}

impl Point {
    /// The point of a report that came `seconds` after a former one of the same life.
    pub(super) fn of(report: &NodeReport, former: Option<(&NodeReport, f64)>, at_ms: u64) -> Self {
        let former = former.filter(|(_, seconds)| *seconds > 0.0);
        let rate = |count: fn(&NodeReport) -> u64| {
            former.map(|(former, seconds)| {
                (count(report).saturating_sub(count(former)) as f64 / seconds) as f32
            })
        };
        let times = former.map(|(former, _)| report.times().since(&former.times()));
        let quantile = |share| {
            times
                .as_ref()
                .and_then(|times| times.quantile(share))
                .map(|time| time as f32)
        };
        let share = |seconds: fn(&NodeReport) -> Option<f64>| {
            let (former, passed) = former?;
            Some(((seconds(report)? - seconds(former)?).max(0.0) / passed) as f32)
        };
        Self {
            at_ms,
            calls_per_second: rate(NodeReport::calls),
            errors_per_second: rate(NodeReport::errors),
            p50: quantile(0.5),
            p99: quantile(0.99),
            cpu: share(|report| report.process.cpu_seconds),
            busy: share(|report| Some(report.process.busy_seconds)),
            rss: report.process.rss,
            mailbox: u32::try_from(report.depth()).unwrap_or(u32::MAX),
            clients: report
                .clients
                .as_ref()
                .map(|clients| u32::try_from(clients.connected).unwrap_or(u32::MAX)),
            lag: report.process.lag as f32,
        }
    }
}

/// The points of a node.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Point>);

impl History {
    pub(super) fn add(&mut self, point: Point) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(point);
    }

    pub(super) fn points(&self) -> impl ExactSizeIterator<Item = &Point> {
        self.0.iter()
    }

    pub(super) fn last(&self) -> Option<&Point> {
        self.0.back()
    }
}
