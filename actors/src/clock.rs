//! The time, read seldom: to read it takes as long as a small handler.
//!
//! What a handler reads of the clock is kept, so that the loop that called it need not read it again.

use std::cell::Cell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

thread_local! {
    static READ: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Now; with the paused clock of a test, the test's now.
pub(crate) fn now() -> Instant {
    let now = tokio::time::Instant::now().into_std();
    READ.set(Some(now));
    now
}

/// What was read on this thread since this was last asked.
pub(crate) fn last_read() -> Option<Instant> {
    READ.take()
}

/// A moment in milliseconds of Unix time; 0 for one before that began.
pub(crate) fn unix_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
