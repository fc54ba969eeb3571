//! Waiting for something that can be asked for, with a deadline. Nothing else in the tests waits for time to pass.

use std::time::{Duration, Instant};

/// How long most things may take. Far more than they do, as the machine may have other work.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long between two looks.
const STEP: Duration = Duration::from_millis(5);

/// Looks again and again until there is something to see.
///
/// # Panics
/// After [`PATIENCE`], naming what was waited for.
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    match within(PATIENCE, look) {
        Some(found) => found,
        None => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// Looks again and again until there is something to see, or the time is over.
pub fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::park_timeout(STEP);
    }
}
