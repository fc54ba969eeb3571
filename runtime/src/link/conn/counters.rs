//! What a connection has done so far, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a connection has done so far; plain numbers for tables and metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Frames that arrived.
    pub frames_in: AtomicU64,
    /// Bytes that arrived.
    pub bytes_in: AtomicU64,
    /// Bytes that were written.
    pub bytes_out: AtomicU64,
    /// Answers that came when nobody waited for them any more.
    pub late_replies: AtomicU64,
    /// The last round trip of a heartbeat, in microseconds; 0 before the first.
    pub round_trip: AtomicU64,
}

/// Adds to a counter; they are statistics, so no order is needed.
pub(in crate::link) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
