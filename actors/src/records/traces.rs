//! The spans of traced calls, the last ones. Pure.

use std::collections::VecDeque;

use crate::report::Span;

/// Spans that are kept.
const MOST: usize = 4096;

/// The ring.
#[derive(Debug, Default)]
pub(super) struct Traces(VecDeque<Span>);

impl Traces {
    pub(super) fn add(&mut self, spans: Vec<Span>) {
        self.0.extend(spans);
        let over = self.0.len().saturating_sub(MOST);
        self.0.drain(..over);
    }

    /// The spans of one trace, by their start.
    pub(super) fn of(&self, trace: &str) -> Vec<Span> {
        let mut spans: Vec<_> = self
            .0
            .iter()
            .filter(|span| span.trace == trace)
            .cloned()
            .collect();
        spans.sort_by_key(|span| span.start_us);
        spans
    }
}
