//! A number that only grows, cheap to add to on the thread that made it.
//!
//! Nodes have one thread, so nearly every addition is that thread's: it needs no atomic read-modify-write, which
//! costs as much as the rest of the bookkeeping together. Other threads, those of pools, add to a second number.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number.
#[derive(Debug)]
pub(crate) struct Tally {
    owner: usize,
    own: AtomicU64,
    others: AtomicU64,
}

impl Tally {
    /// Zero; owned by this thread.
    pub(crate) fn here() -> Self {
        Self {
            owner: this_thread(),
            own: AtomicU64::new(0),
            others: AtomicU64::new(0),
        }
    }

    /// Adds.
    pub(crate) fn add(&self, count: u64) {
        if self.owner == this_thread() {
            // Only this thread writes here, so nothing comes between.
            let more = self.own.load(Ordering::Relaxed).wrapping_add(count);
            self.own.store(more, Ordering::Relaxed);
        } else {
            self.others.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Raises it to a number that it has not passed yet, as far as this thread knows.
    pub(crate) fn set(&self, to: u64) {
        self.add(to.saturating_sub(self.get()));
    }

    /// The number.
    pub(crate) fn get(&self) -> u64 {
        let own = self.own.load(Ordering::Relaxed);
        own.wrapping_add(self.others.load(Ordering::Relaxed))
    }
}

thread_local! {
    static HERE: u8 = const { 0 };
}

/// A number that no other living thread has: where a variable of its own lies.
fn this_thread() -> usize {
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_addition_is_lost_whoever_adds() {
        let tally = Tally::here();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..10_000).for_each(|_| tally.add(1)));
            }
            (0..10_000).for_each(|_| tally.add(2));
        });
        assert_eq!(tally.get(), 50_000);
        tally.set(50_003);
        tally.set(7);
        assert_eq!(tally.get(), 50_003);
    }
}
