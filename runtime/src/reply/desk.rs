//! Where calls are counted while a service has them; pure numbers.
//!
//! A call that is told of as it leaves says which of the desk's kinds it was, and how it ended.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::ErrorKind;

/// What is done when a call that is worth telling leaves a [`Desk`].
type OnLeave = Box<dyn Fn(Visit) + Send + Sync>;

/// Where calls are counted from the moment they are taken in until they are answered.
pub struct Desk {
    taken: AtomicUsize,
    opened: Instant,
    on_leave: Option<OnLeave>,
}

/// What is known of a call that leaves a [`Desk`], if its handler was started.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// Which of the desk's kinds of calls.
    pub kind: u16,
    /// How long it took, up to half an hour; only of calls that are measured.
    pub took: Option<Duration>,
    /// How it ended, if not in a reply.
    pub fault: Option<ErrorKind>,
}

impl Desk {
    /// One that only counts.
    pub fn new() -> Self {
        Self {
            taken: AtomicUsize::new(0),
            opened: Instant::now(),
            on_leave: None,
        }
    }

    /// One that tells of each started call that leaves and was measured, or ended in a fault.
    pub fn telling(on_leave: impl Fn(Visit) + Send + Sync + 'static) -> Self {
        Self {
            on_leave: Some(Box::new(on_leave)),
            ..Self::new()
        }
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes up to `wanted` places at once, fewer when `limit` would be exceeded, and gives how many.
    pub fn enter(&self, wanted: usize, limit: usize) -> usize {
        let free = |n: usize| wanted.min(limit.saturating_sub(n));
        let more = |n| Some(n + free(n));
        let before = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        before.map_or(0, free)
    }

    /// Gives one place back.
    pub(super) fn leave(&self, stay: Stay) {
        self.leave_all(std::iter::once(stay));
    }

    /// Gives several places back at once.
    pub(super) fn leave_all(&self, stays: impl Iterator<Item = Stay>) {
        let count = stays.map(|stay| self.tell(stay)).count();
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }

    fn tell(&self, stay: Stay) {
        let telling = (stay.since != 0 || stay.fault.is_some()) && stay.kind != Stay::NOT_STARTED;
        if telling && let Some(on_leave) = &self.on_leave {
            on_leave(self.visit(stay));
        }
    }

    fn visit(&self, stay: Stay) -> Visit {
        let took = (stay.since != 0).then(|| {
            let micros = self.micros(Instant::now()).wrapping_sub(stay.since);
            // With a paused clock the start may lie ahead.
            Duration::from_micros(i32::try_from(micros).map_or(0, |_| micros.into()))
        });
        Visit {
            kind: stay.kind,
            took,
            fault: stay.fault,
        }
    }

    /// A moment of its own time, never 0.
    pub(super) fn clock(&self, at: Instant) -> u32 {
        self.micros(at).max(1)
    }

    /// Microseconds since it was opened; they begin anew after an hour and more.
    fn micros(&self, at: Instant) -> u32 {
        at.saturating_duration_since(self.opened).as_micros() as u32
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("taken", &self.taken()).finish()
    }
}

/// What a call keeps of its place at a desk. It is small, as it moves about with each call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stay {
    /// When its handler was started, by [`Desk::clock`]; 0 of a call that is not measured.
    pub(super) since: u32,
    /// Which kind of call.
    pub(super) kind: u16,
    /// How it ended.
    pub(super) fault: Option<ErrorKind>,
}

impl Stay {
    /// The kind of a call whose handler has not been started.
    const NOT_STARTED: u16 = u16::MAX;

    pub(super) const fn new() -> Self {
        Self {
            since: 0,
            kind: Self::NOT_STARTED,
            fault: None,
        }
    }
}

/// One place at a desk for something that is no call; given back on drop.
#[derive(Debug)]
pub struct Permit(Arc<Desk>);

impl Permit {
    /// Takes a place, or `None` when `limit` are taken.
    pub fn acquire(desk: &Arc<Desk>, limit: usize) -> Option<Self> {
        (desk.enter(1, limit) == 1).then(|| Self(Arc::clone(desk)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.leave(Stay::new());
    }
}
