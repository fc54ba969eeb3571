//! What is in the journal and not yet in the database, as far as it has been collected. A pure machine: it is told the
//! time, and does no work itself.
//!
//! Invariants:
//! - There is at most one waiting change for each entity, with the newest value of each column.
//! - Changes under different fencing numbers are never one: what was made under the earlier lease has been written,
//!   or that lease was taken away, and others may have changed the row since. The later one alone counts.
//! - An entity whose change is on its way to the database gets no second one on its way: order is kept.
//! - No change leaves but by `done`: what failed waits again, and holds its segment of the journal until it is in another
//!   one as a whole.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::backoff::delay;
use crate::by_id::{ById, Id};
use crate::change::{Change, Op};
use crate::counted::Counted;
use crate::value::Key;

/// Longest time between two attempts to write a change that the database refuses.
const LONGEST: Duration = Duration::from_secs(30);

/// After so many refusals nobody waits for a change any more.
const SEVERAL: u32 = 3;

/// A change that waits.
#[derive(Debug)]
struct Waiting {
    change: Change,
    /// The oldest segment of the journal that has part of it.
    segment: u64,
    /// When its oldest part was acknowledged.
    since: Instant,
    attempts: u32,
    /// Not to be tried before.
    not_before: Instant,
    /// Its place in the queue.
    turn: u64,
}

/// A change on its way to the database.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) change: Change,
    segment: u64,
    since: Instant,
    attempts: u32,
}

impl Taken {
    /// The oldest segment of the journal that has part of it.
    pub(crate) fn segment(&self) -> u64 {
        self.segment
    }
}

/// The changes that wait, and those that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    waiting: ById<Waiting>,
    queue: BTreeMap<u64, Id>,
    /// Those on their way.
    flying: ById<Change>,
    /// The segments of the journal that changes need.
    segments: Counted<u64>,
    /// Since when changes wait: few moments, as those that were safe together came together.
    ages: Counted<Instant>,
    turns: u64,
    /// Changes that came to nothing, as one under a later lease took their place.
    overtaken: u64,
}

impl Backlog {
    /// A change that is safe in `segment` of the journal.
    pub(crate) fn add(&mut self, now: Instant, change: Change, segment: u64) {
        if let Some(waiting) = self.waiting.get_mut(&change.table, &change.key) {
            if waiting.change.fence == change.fence {
                let old = std::mem::replace(&mut waiting.change.op, Op::Delete);
                waiting.change.op = old.then(change.op);
                if waiting.change.op == Op::Delete {
                    self.put_last(&change.table, &change.key);
                }
                return;
            }
            self.overtaken += 1;
            if waiting.change.fence > change.fence {
                return;
            }
            self.remove(&change);
        }
        let waiting = Waiting {
            change,
            segment,
            since: now,
            attempts: 0,
            not_before: now,
            turn: self.turns,
        };
        self.enqueue(waiting);
    }

    /// Rows are deleted in the order in which that was asked for, whatever was done to them before: those that refer
    /// to others go first.
    fn put_last(&mut self, table: &str, key: &Key) {
        if let Some(waiting) = self.waiting.get_mut(table, key)
            && let Some(id) = self.queue.remove(&waiting.turn)
        {
            waiting.turn = self.turns;
            self.turns += 1;
            self.queue.insert(waiting.turn, id);
        }
    }

    /// Takes out what waits of the entity of a change.
    fn remove(&mut self, change: &Change) -> Option<Waiting> {
        let waiting = self.waiting.remove(&change.table, &change.key)?;
        self.queue.remove(&waiting.turn);
        self.leave(waiting.segment, waiting.since);
        Some(waiting)
    }

    fn enqueue(&mut self, waiting: Waiting) {
        let id = (waiting.change.table.clone(), waiting.change.key.clone());
        self.segments.add(waiting.segment);
        self.ages.add(waiting.since);
        self.turns = self.turns.max(waiting.turn + 1);
        self.queue.insert(waiting.turn, id.clone());
        self.waiting.insert(id, waiting);
    }

    fn leave(&mut self, segment: u64, since: Instant) {
        self.segments.remove(segment);
        self.ages.remove(since);
    }

    /// Up to `size` changes whose time has come, oldest first.
    pub(crate) fn take(&mut self, now: Instant, size: usize) -> Vec<Taken> {
        let ready = |(turn, id): (&u64, &Id)| {
            let is_due = |waiting: &Waiting| waiting.not_before <= now;
            let ready = self.waiting.get(&id.0, &id.1).is_some_and(is_due);
            (ready && self.flying.get(&id.0, &id.1).is_none()).then_some((*turn, id.clone()))
        };
        let ready: Vec<_> = self.queue.iter().filter_map(ready).take(size).collect();
        let mut batch = Vec::with_capacity(ready.len());
        for (turn, id) in ready {
            self.queue.remove(&turn);
            if let Some(Waiting {
                change,
                segment,
                since,
                attempts,
                ..
            }) = self.waiting.remove(&id.0, &id.1)
            {
                self.flying.insert(id, change.clone());
                batch.push(Taken {
                    change,
                    segment,
                    since,
                    attempts,
                });
            }
        }
        batch
    }

    /// A change has reached the database, or never may.
    pub(crate) fn done(&mut self, taken: &Taken) {
        self.flying.remove(&taken.change.table, &taken.change.key);
        self.leave(taken.segment, taken.since);
    }

    /// A change did not reach the database, for a reason of its own (`refused`) or for another one.
    pub(crate) fn failed(&mut self, now: Instant, taken: Taken, refused: bool) {
        let Taken {
            change,
            segment,
            since,
            attempts,
        } = taken;
        self.flying.remove(&change.table, &change.key);
        let attempts = attempts + u32::from(refused);
        let not_before = if refused {
            now + delay(attempts, LONGEST)
        } else {
            now
        };
        self.leave(segment, since);
        let mut failed = Waiting {
            change,
            segment,
            since,
            attempts,
            not_before,
            turn: self.turns,
        };
        // What has come in the meantime is newer.
        if let Some(newer) = self.remove(&failed.change) {
            if newer.change.fence == failed.change.fence {
                failed.change.op = failed.change.op.then(newer.change.op);
                failed.turn = newer.turn;
            } else {
                self.overtaken += 1;
                if newer.change.fence > failed.change.fence {
                    failed = newer;
                }
            }
        }
        self.enqueue(failed);
    }

    /// What the database does not know yet of an entity: the change on its way, then the one that waits.
    pub(crate) fn of(&self, table: &'static str, key: &Key) -> [Option<&Change>; 2] {
        let flying = self.flying.get(table, key);
        let waiting = self.waiting.get(table, key);
        [flying, waiting.map(|waiting| &waiting.change)]
    }

    /// Whether the database lacks something of an entity.
    pub(crate) fn has(&self, table: &'static str, key: &Key) -> bool {
        self.of(table, key).iter().any(Option::is_some)
    }

    /// Changes that wait or are on their way.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.flying.len()
    }

    /// What waits, once there is nothing else than what the database has refused several times; empty when nothing waits.
    pub(crate) fn only_refused(&self) -> Option<Vec<Change>> {
        let waiting = || self.waiting.values();
        let is_idle = self.flying.len() == 0 && waiting().all(|waiting| waiting.attempts >= SEVERAL);
        is_idle.then(|| waiting().map(|waiting| waiting.change.clone()).collect())
    }

    /// The oldest segment that is still needed.
    pub(crate) fn oldest_segment(&self) -> Option<u64> {
        self.segments.first()
    }

    /// How many changes came to nothing, as others under a later lease took their place.
    pub(crate) fn overtaken(&self) -> u64 {
        self.overtaken
    }

    /// The changes for which a segment of the journal is kept, if the database has refused all of them by themselves, so
    /// that they may wait for ever.
    pub(crate) fn refused_of(&self, segment: u64) -> Option<Vec<Change>> {
        let waiting = self.waiting.values();
        let refused = waiting.filter(|waiting| waiting.segment == segment && waiting.attempts > 0);
        let refused: Vec<Change> = refused.map(|waiting| waiting.change.clone()).collect();
        (!refused.is_empty() && refused.len() == self.segments.count(segment)).then_some(refused)
    }

    /// Changes that wait, and nothing else of the segment `from`, are now in the segment `to` as a whole.
    pub(crate) fn carried(&mut self, changes: &[Change], from: u64, to: u64) {
        for change in changes {
            // One that is on its way by now needs what it needed.
            if let Some(waiting) = self.waiting.get_mut(&change.table, &change.key)
                && waiting.segment == from
            {
                waiting.segment = to;
                self.segments.remove(from);
                self.segments.add(to);
            }
        }
    }

    /// Since when the oldest change waits.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.ages.first()
    }
}
