//! What is known of one node: its last report, an older one to compare it with, and the points. Pure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::{History, Point};
use crate::meter::Times;
use crate::report::{HandlerReport, NodeReport};

/// At least so far apart are the reports that rates and quantiles of handlers are made of; at most twice as far.
const WINDOW: Duration = Duration::from_secs(10);

/// Two reports that come closer together make no point of their own: one was asked for in between.
const CLOSE: Duration = Duration::from_millis(500);

/// What is known.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) report: Arc<NodeReport>,
    at: Option<Instant>,
    history: History,
    /// The report that the last point is made of.
    pointed: Option<(Instant, Arc<NodeReport>)>,
    /// Older reports of the same life: of one window ago, and of the one before.
    marks: [Option<(Instant, Arc<NodeReport>)>; 2],
}

impl Known {
    /// Takes a report that has come.
    pub(super) fn take(&mut self, report: NodeReport, now: Instant, at_ms: u64) {
        let report = Arc::new(report);
        if self.report.incarnation != report.incarnation {
            (self.pointed, self.marks) = (None, [None, None]);
        }
        let former = self
            .pointed
            .as_ref()
            .map(|(at, former)| (now.saturating_duration_since(*at), &**former));
        if former.is_none_or(|(since, _)| since >= CLOSE) {
            let former = former.map(|(since, former)| (former, since.as_secs_f64()));
            self.history.add(Point::of(&report, former, at_ms));
            self.pointed = Some((now, Arc::clone(&report)));
        }
        let due = |mark: &(Instant, _)| now.saturating_duration_since(mark.0) >= WINDOW;
        if self.marks[0].as_ref().is_none_or(due) {
            self.marks[1] = self.marks[0].replace((now, Arc::clone(&report)));
        }
        (self.report, self.at) = (report, Some(now));
    }

    /// How old the last report is.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        self.at.map(|at| now.saturating_duration_since(at))
    }

    /// The points, oldest first.
    pub(crate) fn points(&self) -> Vec<Point> {
        self.history.points().copied().collect()
    }

    /// The last point.
    pub(crate) fn last_point(&self) -> Option<Point> {
        self.history.last().copied()
    }

    /// Calls a second of a handler, and how long they took, in the last 10 to 20 seconds.
    pub(crate) fn recent(&self, handler: &HandlerReport) -> (Option<f64>, Times) {
        let same = |known: &&HandlerReport| known.service == handler.service && known.name == handler.name;
        let mark = self.marks[1].as_ref().or(self.marks[0].as_ref()).zip(self.at);
        let before = mark.and_then(|((then, report), at)| {
            let seconds = at.saturating_duration_since(*then).as_secs_f64();
            let former = report.handlers.iter().find(same)?;
            (seconds > 0.0).then_some((former, seconds))
        });
        match before {
            Some((former, seconds)) => {
                let calls = handler.calls.saturating_sub(former.calls) as f64;
                (Some(calls / seconds), handler.times.since(&former.times))
            }
            None => (None, handler.times.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::history::MOST;

    fn report(calls: u64, cpu: f64) -> NodeReport {
        let mut report = NodeReport::default();
        report.process.cpu_seconds = Some(cpu);
        report.handlers.push(HandlerReport {
            service: "game".into(),
            name: "game.play".into(),
            command: None,
            calls,
            errors: vec![("timeout".into(), calls / 10)],
            times: Times {
                buckets: vec![0, 0, calls],
                micros: calls * 80,
            },
        });
        report
    }

    #[test]
    fn points_are_rates_between_reports_and_the_oldest_is_forgotten() {
        let (mut known, start) = (Known::default(), Instant::now());
        assert_eq!(known.age(start), None);
        for second in 0..=1000 {
            let now = start + Duration::from_secs(second);
            known.take(report(second * 50, second as f64 / 2.0), now, second);
        }
        let points = known.points();
        assert_eq!((points.len(), points[0].at_ms), (MOST, 101));
        let last = known.last_point().unwrap();
        assert_eq!(
            (last.calls_per_second, last.errors_per_second),
            (Some(50.0), Some(5.0))
        );
        assert_eq!(last.cpu, Some(0.5));
        assert!(last.p99.is_some_and(|time| (50e-6..=100e-6).contains(&time)));
        let (rate, times) = known.recent(&known.report.handlers[0]);
        assert_eq!(rate, Some(50.0));
        assert!((500..=1000).contains(&times.count()), "{times:?}");
        assert_eq!(
            known.age(start + Duration::from_secs(1003)),
            Some(Duration::from_secs(3))
        );
    }

    #[test]
    fn another_life_is_compared_with_nothing() {
        let (mut known, start) = (Known::default(), Instant::now());
        known.take(report(100, 1.0), start, 0);
        let mut next = report(3, 0.1);
        next.incarnation = lampyris_runtime::name::Incarnation::draw().unwrap();
        known.take(next, start + Duration::from_secs(1), 1000);
        assert_eq!(known.last_point().unwrap().calls_per_second, None);
        assert_eq!(known.recent(&known.report.handlers[0]).0, None);
    }
}
