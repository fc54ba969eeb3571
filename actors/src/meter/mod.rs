//! What a service's handlers do, in numbers: calls, their faults, how long they take.
//!
//! It has to cost next to nothing, as it stands in the way of every call: [`Tally`] adds without an atomic
//! operation on the node's own thread, of the calls that one wake brings only the first is timed, and the end of a
//! call is told only if it was timed or failed. Whoever reads
//! the numbers may be on any thread.

mod histogram;
mod tally;

use std::time::Duration;

use lampyris_runtime::error::ErrorKind;

pub(crate) use histogram::{BOUNDS, Histogram, Times};
pub(crate) use tally::Tally;

/// The numbers of one handler.
#[derive(Debug)]
pub(crate) struct HandlerMeter {
    started: Tally,
    faults: [Tally; ErrorKind::ALL.len()],
    time: Histogram,
    /// How many calls had been started when the last one was timed.
    timed_at: Tally,
}

impl HandlerMeter {
    /// Of a handler that runs on this thread, above all.
    pub(crate) fn new() -> Self {
        Self {
            started: Tally::here(),
            faults: std::array::from_fn(|_| Tally::here()),
            time: Histogram::here(),
            timed_at: Tally::here(),
        }
    }

    /// The handler starts.
    pub(crate) fn start(&self) {
        self.started.add(1);
    }

    /// A call has ended in a fault.
    pub(crate) fn fault(&self, kind: ErrorKind) {
        if let Some(place) = ErrorKind::ALL.iter().position(|known| *known == kind) {
            self.faults[place].add(1);
        }
    }

    /// A call of a pool, which times each, as its threads cannot tell whose calls came in between.
    pub(crate) fn time_one(&self, took: Duration) {
        self.time.record(took, 1);
    }

    /// A call that was timed stands for all those of its handler since the last one that was.
    pub(crate) fn time(&self, took: Duration) {
        let started = self.started.get();
        let stands_for = started.saturating_sub(self.timed_at.get()).max(1);
        self.timed_at.set(started);
        self.time.record(took, stands_for);
    }

    /// How many calls were started.
    pub(crate) fn started(&self) -> u64 {
        self.started.get()
    }

    /// How many ended by each fault that has happened.
    pub(crate) fn faults(&self) -> Vec<(String, u64)> {
        let counted = ErrorKind::ALL.iter().zip(&self.faults);
        counted
            .map(|(kind, tally)| (kind.name().to_owned(), tally.get()))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// How long they took.
    pub(crate) fn times(&self) -> Times {
        self.time.times()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_and_a_timed_one_stands_for_those_before() {
        let meter = HandlerMeter::new();
        for _ in 0..10 {
            meter.start();
        }
        meter.time(Duration::from_millis(3));
        meter.fault(ErrorKind::Timeout);
        assert_eq!(meter.started(), 10);
        assert_eq!(meter.faults(), [("timeout".to_owned(), 1)]);
        assert_eq!(meter.times().count(), 10);
        meter.start();
        meter.time(Duration::from_millis(1));
        assert_eq!(meter.times().count(), 11);
    }
}
