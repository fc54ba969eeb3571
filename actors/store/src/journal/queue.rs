//! The way to the journal's thread: changes in the groups that they will be written in. Bounded.
//!
//! Invariants: changes are taken in the order in which they came; every group that changes were put into is settled,
//! also if the thread is gone.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::group::{Fate, Group, Ticket};
use crate::error::StoreError;
use crate::lock;

/// Changes that may wait for the thread.
const MOST: usize = 65_536;
/// Most changes of one group.
const GROUP: usize = 8192;

/// Changes that are to be written together.
#[derive(Default)]
pub(super) struct Batch {
    /// Their records, as yet without their sums.
    pub(super) records: Vec<u8>,
    /// How many they are.
    pub(super) count: usize,
    pub(super) group: Arc<Group>,
}

impl Drop for Batch {
    /// Whoever drops it without a word about it did not write it.
    fn drop(&mut self) {
        self.group.settle(Fate::Failed(StoreError::Closed));
    }
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    count: usize,
    /// Changes that have come so far; also the number of the last one.
    came: u64,
    tidy: bool,
    /// No more changes are taken in.
    sealed: bool,
    /// There is nobody on the other side.
    closed: bool,
    /// The thread waits for work.
    idle: bool,
}

/// What the thread and those who bring it work share.
#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    work: Condvar,
}

impl Shared {
    /// Has something done to what waits; the thread is woken when it waits for work.
    fn change<R>(&self, change: impl FnOnce(&mut Waiting) -> R) -> R {
        let mut waiting = lock(&self.waiting);
        let result = change(&mut waiting);
        let idle = std::mem::take(&mut waiting.idle);
        drop(waiting);
        if idle {
            self.work.notify_one();
        }
        result
    }
}

/// Brings work. When all of them are gone, the thread is told to end.
#[derive(Clone)]
pub(super) struct Sender(Arc<Last>);

struct Last(Arc<Shared>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.change(|waiting| waiting.closed = true);
    }
}

/// Takes work.
pub(super) struct Receiver(Arc<Shared>);

impl Drop for Receiver {
    /// Nobody takes what waits, or what would come.
    fn drop(&mut self) {
        let mut waiting = lock(&self.0.waiting);
        waiting.closed = true;
        let left = std::mem::take(&mut waiting.batches);
        drop(waiting);
        drop(left);
    }
}

pub(super) fn queue() -> (Sender, Receiver) {
    let shared = Arc::new(Shared::default());
    (Sender(Arc::new(Last(Arc::clone(&shared)))), Receiver(shared))
}

impl Sender {
    /// Adds a change, whose record `put` appends.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] when too many wait, [`StoreError::Refused`] for a row that is too large,
    /// [`StoreError::Closed`] when nobody takes them.
    pub(super) fn append(
        &self,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), &'static str>,
    ) -> Result<Ticket, StoreError> {
        self.0.0.change(|waiting| {
            if waiting.closed || waiting.sealed {
                return Err(StoreError::Closed);
            }
            if waiting.count >= MOST {
                return Err(StoreError::Overloaded("too many changes wait for the journal"));
            }
            if waiting.batches.back().is_none_or(|last| last.count >= GROUP) {
                waiting.batches.push_back(Batch::default());
            }
            let last = waiting.batches.back_mut().ok_or(StoreError::Closed)?;
            put(&mut last.records).map_err(|why| StoreError::Refused(why.into()))?;
            last.count += 1;
            let group = Arc::clone(&last.group);
            waiting.count += 1;
            waiting.came += 1;
            Ok(Ticket {
                group,
                number: waiting.came,
            })
        })
    }

    /// Takes no more changes in.
    pub(super) fn seal(&self) {
        self.0.0.change(|waiting| waiting.sealed = true);
    }

    /// The number of the last change that came.
    pub(super) fn came(&self) -> u64 {
        lock(&self.0.0.waiting).came
    }

    /// Asks for a look at what is needed no more.
    pub(super) fn tidy(&self) {
        self.0.0.change(|waiting| waiting.tidy = true);
    }
}

impl Receiver {
    /// Waits for work; `false` when there will be none any more.
    pub(super) fn wait(&self) -> bool {
        let mut waiting = lock(&self.0.waiting);
        loop {
            if !waiting.batches.is_empty() || waiting.tidy {
                return true;
            }
            if waiting.closed {
                return false;
            }
            waiting.idle = true;
            waiting = self.0.work.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the oldest group as it is now, and whether a look was asked for.
    pub(super) fn take(&self) -> (Option<Batch>, bool) {
        let mut waiting = lock(&self.0.waiting);
        let batch = waiting.batches.pop_front();
        waiting.count -= batch.as_ref().map_or(0, |batch| batch.count);
        (batch, std::mem::take(&mut waiting.tidy))
    }
}
