//! What the database lacks: the backlog, and what has become safe since somebody last looked at it, which still waits
//! with the entities themselves.
//!
//! Invariants:
//! - Whoever asks for the backlog sees all that was safe then, in the order in which it was made.
//! - An entity with changes on their way to the backlog is listed before the journal gets the first of them. It is in
//!   somebody's hands then: the list's.
//!
//! Locks are taken in this order: the backlog, an entity, the list.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::backlog::Backlog;
use crate::coming::Safe;
use crate::journal::group::Group;
use crate::lock;
use crate::value::Key;

/// An entity with changes on their way to the backlog.
pub(crate) trait Touched: Send + Sync {
    /// Gives what is safe by now; whether there is more to come, so that it has to stay listed.
    fn collect(&self, safe: &mut Vec<Safe>) -> bool;

    /// The changes of a group did not get into the journal, or that is not known: if it has one, what is in memory is
    /// not what was acknowledged.
    fn fail(&self, group: &Arc<Group>);
}

/// All that the database lacks.
#[derive(Default)]
pub(crate) struct Unwritten {
    backlog: Mutex<Backlog>,
    touched: Mutex<Vec<Arc<dyn Touched>>>,
    /// Entities in the list, and changes in the backlog, when they were last counted.
    listed: AtomicUsize,
    in_backlog: AtomicUsize,
    /// The segment of the journal that is written to, and which one it was when the backlog was last asked for.
    segment: AtomicU64,
    collected: AtomicU64,
}

impl Unwritten {
    /// The backlog, with all that is safe by now.
    pub(crate) fn backlog(&self) -> MutexGuard<'_, Backlog> {
        let mut backlog = lock(&self.backlog);
        // Before the visit: all that stands in earlier ones is safe, and found by it.
        let segment = self.segment.load(Ordering::Acquire);
        let mut safe = Vec::new();
        self.visit(|entity| entity.collect(&mut safe));
        safe.sort_unstable_by_key(|safe| safe.number);
        for Safe {
            change,
            segment,
            since,
            ..
        } in safe
        {
            backlog.add(since, change, segment);
        }
        self.in_backlog.store(backlog.len(), Ordering::Relaxed);
        self.collected.store(segment, Ordering::Relaxed);
        backlog
    }

    /// The backlog as somebody has seen it last, for those who work on what they have found there.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Backlog> {
        lock(&self.backlog)
    }

    /// The journal goes on in another segment; what stands in earlier ones has been settled.
    pub(crate) fn begin_segment(&self, number: u64) {
        self.segment.store(number, Ordering::Release);
    }

    /// The oldest segment of the journal that may be needed. Visits nobody.
    pub(crate) fn oldest_segment(&self) -> u64 {
        let backlog = lock(&self.backlog);
        let collected = self.collected.load(Ordering::Relaxed);
        backlog
            .oldest_segment()
            .map_or(collected, |oldest| oldest.min(collected))
    }

    /// Lists an entity.
    pub(crate) fn touch(&self, entity: Arc<dyn Touched>) {
        let mut touched = lock(&self.touched);
        touched.push(entity);
        // While nobody can take it from the list, so that it is counted before it is not.
        self.listed.fetch_add(1, Ordering::Relaxed);
    }

    /// Has the entities with a change of a group learn that it failed.
    pub(crate) fn fail(&self, group: &Arc<Group>) {
        // One visit at a time, so that nobody is missed.
        let _turn = lock(&self.backlog);
        self.visit(|entity| {
            entity.fail(group);
            true
        });
    }

    /// Visits those listed; they stay so while they say so.
    fn visit(&self, stays: impl FnMut(&Arc<dyn Touched>) -> bool) {
        let mut visited = std::mem::take(&mut *lock(&self.touched));
        let before = visited.len();
        visited.retain(stays);
        self.listed.fetch_sub(before - visited.len(), Ordering::Relaxed);
        lock(&self.touched).append(&mut visited);
    }

    /// Whether one more entity may wait to be written, `most` being how many may; or this one, which does already.
    pub(crate) fn has_room(&self, most: usize, table: &'static str, key: &Key) -> bool {
        let count = || self.listed.load(Ordering::Relaxed) + self.in_backlog.load(Ordering::Relaxed);
        if count() < most || self.seen().has(table, key) {
            return true;
        }
        // Some of those listed may be in the backlog as well, and have been counted twice.
        let backlog = self.backlog();
        count() < most || backlog.has(table, key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::change::{Change, Op};

    /// Has so many changes that are safe, and one that is not if it stays.
    struct Entity {
        key: i64,
        numbers: Mutex<Vec<u64>>,
        stays: bool,
    }

    impl Touched for Entity {
        fn collect(&self, safe: &mut Vec<Safe>) -> bool {
            for number in std::mem::take(&mut *lock(&self.numbers)) {
                let change = Change {
                    table: "players".into(),
                    key_column: "id".into(),
                    key: Key::Int(self.key),
                    fence: 1,
                    op: Op::Delete,
                };
                safe.push(Safe {
                    change,
                    number,
                    segment: number,
                    since: Instant::now(),
                });
            }
            self.stays
        }

        fn fail(&self, _: &Arc<Group>) {}
    }

    fn touch(unwritten: &Unwritten, key: i64, numbers: &[u64], stays: bool) {
        unwritten.touch(Arc::new(Entity {
            key,
            numbers: Mutex::new(numbers.to_vec()),
            stays,
        }));
    }

    #[test]
    fn the_backlog_has_what_is_safe_in_the_order_in_which_it_was_made() {
        let unwritten = Unwritten::default();
        touch(&unwritten, 1, &[1, 7], false);
        touch(&unwritten, 2, &[5], true);
        let keys = |batch: Vec<crate::backlog::Taken>| -> Vec<_> {
            batch.into_iter().map(|taken| taken.change.key).collect()
        };
        let batch = unwritten.backlog().take(Instant::now(), 9);
        assert_eq!(keys(batch), [2, 1].map(Key::Int));
        assert_eq!(lock(&unwritten.touched).len(), 1);
    }

    #[test]
    fn a_segment_is_needed_until_what_is_in_it_was_collected_and_written() {
        let unwritten = Unwritten::default();
        unwritten.begin_segment(1);
        touch(&unwritten, 1, &[1], false);
        unwritten.begin_segment(2);
        assert_eq!(unwritten.oldest_segment(), 0);
        let batch = unwritten.backlog().take(Instant::now(), 9);
        unwritten.begin_segment(3);
        assert_eq!(unwritten.oldest_segment(), 1);
        unwritten.seen().done(&batch[0]);
        assert_eq!(unwritten.oldest_segment(), 2);
        drop(unwritten.backlog());
        assert_eq!(unwritten.oldest_segment(), 3);
    }

    #[test]
    fn an_entity_that_is_listed_and_in_the_backlog_waits_once() {
        let unwritten = Unwritten::default();
        let has_room = |most, key| unwritten.has_room(most, "players", &Key::Int(key));
        for key in 1..=3 {
            touch(&unwritten, key, &[1], false);
        }
        assert!(has_room(4, 9) && !has_room(3, 9) && has_room(3, 2));
        touch(&unwritten, 1, &[2], false);
        assert!(has_room(4, 9));
    }
}
