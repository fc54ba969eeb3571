//! The spans that wait for the collector, and when the next batch is to go. Pure: the clock is the caller's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Counts, Ended};

/// Spans that may wait; more drive out the oldest.
const MOST: usize = 8192;

/// Spans of one request: half a megabyte at most.
const BATCH: usize = 512;

/// How long a span waits for others to go with it.
const GATHER: Duration = Duration::from_secs(1);

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Send a batch.
    Now,
    /// Ask again then, or when something is new.
    At(Instant),
    /// Ask again when something is new.
    Never,
    /// Nothing more.
    End,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Ended>,
    /// When the first of those that wait came.
    since: Option<Instant>,
    /// The collector is left alone until then.
    hold: Option<Instant>,
    /// The end is near: until when what waits may still be sent.
    closing: Option<Instant>,
    /// An attempt has failed since then.
    given_up: bool,
    sent: u64,
    dropped: u64,
}

impl Queue {
    pub(super) fn put(&mut self, ended: impl Iterator<Item = Ended>, now: Instant) {
        self.waiting.extend(ended);
        self.since = self.since.or(Some(now)).filter(|_| !self.waiting.is_empty());
        self.drop_oldest();
    }

    /// The next batch leaves the queue.
    pub(super) fn take(&mut self) -> Vec<Ended> {
        let batch = self.waiting.drain(..self.waiting.len().min(BATCH)).collect();
        if self.waiting.is_empty() {
            self.since = None;
        }
        batch
    }

    /// The collector could not take a batch: not before `hold`.
    pub(super) fn put_back(&mut self, batch: Vec<Ended>, hold: Instant) {
        for ended in batch.into_iter().rev() {
            self.waiting.push_front(ended);
        }
        self.hold = Some(hold);
        self.since = Some(self.since.unwrap_or(hold));
        self.given_up = self.closing.is_some();
        self.drop_oldest();
    }

    /// The collector has a batch, but for those that it has rejected.
    pub(super) fn sent(&mut self, spans: usize, rejected: u64) {
        let rejected = rejected.min(spans as u64);
        self.sent += spans as u64 - rejected;
        self.dropped += rejected;
        self.hold = None;
    }

    /// Nobody takes a batch.
    pub(super) fn lost(&mut self, spans: usize) {
        self.dropped += spans as u64;
        self.hold = None;
    }

    /// No more will come; what waits may be sent until `deadline`, as long as no attempt fails.
    pub(super) fn close(&mut self, deadline: Instant) {
        self.closing = Some(deadline);
    }

    /// Until when what waits may be sent, once no more will come.
    pub(super) const fn closing(&self) -> Option<Instant> {
        self.closing
    }

    /// What is to be done next.
    pub(super) fn due(&self, now: Instant) -> Due {
        if let Some(deadline) = self.closing {
            let over = self.waiting.is_empty() || self.given_up || now >= deadline;
            return if over { Due::End } else { Due::Now };
        }
        let Some(since) = self.since else {
            return Due::Never;
        };
        let gathered = if self.waiting.len() >= BATCH {
            since
        } else {
            since + GATHER
        };
        let at = gathered.max(self.hold.unwrap_or(gathered));
        if at <= now { Due::Now } else { Due::At(at) }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            sent: self.sent,
            dropped: self.dropped,
            waiting: self.waiting.len() as u64,
        }
    }

    fn drop_oldest(&mut self) {
        let over = self.waiting.len().saturating_sub(MOST);
        self.waiting.drain(..over);
        self.dropped += over as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::encode::tests::ended;

    fn spans(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Ended> {
        numbers.map(|number| ended(&number.to_string()))
    }

    fn first(batch: &[Ended]) -> &str {
        batch.first().map_or("", |ended| &ended.span.handler)
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_its_first_span_has_waited() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.due(now), Due::Never);
        queue.put(spans(0..1), now);
        assert_eq!(queue.due(now), Due::At(now + GATHER));
        queue.put(spans(1..2), now + GATHER / 2);
        assert_eq!(queue.due(now + GATHER), Due::Now);
        assert_eq!(queue.take().len(), 2);
        assert_eq!(queue.due(now + GATHER), Due::Never);
        queue.put(spans(0..BATCH + 1), now);
        assert_eq!(queue.due(now), Due::Now);
        assert_eq!(queue.take().len(), BATCH);
        assert_eq!(queue.due(now), Due::At(now + GATHER));
    }

    #[test]
    fn what_could_not_be_taken_goes_first_and_not_before_its_time() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.put(spans(0..BATCH), now);
        let batch = queue.take();
        queue.put(spans(BATCH..BATCH + 1), now);
        queue.put_back(batch, now + GATHER * 7);
        assert_eq!(queue.due(now + GATHER), Due::At(now + GATHER * 7));
        assert_eq!(queue.due(now + GATHER * 7), Due::Now);
        assert_eq!(first(&queue.take()), "0");
        queue.sent(BATCH, 0);
        assert_eq!(queue.due(now + GATHER), Due::Now, "it is left alone no more");
    }

    #[test]
    fn of_too_many_the_oldest_are_dropped_and_counted() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.put(spans(0..MOST), now);
        let batch = queue.take();
        queue.put(spans(MOST..MOST + 10), now);
        queue.put_back(batch, now);
        let counts = Counts {
            sent: 0,
            dropped: 10,
            waiting: MOST as u64,
        };
        assert_eq!(queue.counts(), counts);
        assert_eq!(first(&queue.take()), "10");
        queue.sent(BATCH, 7);
        assert_eq!(
            (queue.counts().sent, queue.counts().dropped),
            (BATCH as u64 - 7, 17)
        );
        queue.sent(1, u64::MAX);
        assert_eq!(queue.counts().dropped, 18);
    }

    #[test]
    fn at_the_end_everything_goes_at_once_until_an_attempt_fails() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.put(spans(0..BATCH + 1), now);
        let batch = queue.take();
        queue.put_back(batch, now + GATHER * 100);
        queue.close(now + GATHER);
        assert_eq!(queue.due(now), Due::Now);
        assert_eq!(queue.due(now + GATHER), Due::End);
        let batch = queue.take();
        queue.put_back(batch, now);
        assert_eq!(queue.due(now), Due::End);
        let mut empty = Queue::default();
        empty.close(now + GATHER);
        assert_eq!(empty.due(now), Due::End);
    }
}
