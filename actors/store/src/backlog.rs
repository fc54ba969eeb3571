//! What is in the journal and not yet in the database. A pure machine: it is told the time, and does no work itself.
//!
//! Invariants:
//! - There is at most one waiting change for each entity, with the newest value of each column.
//! - Changes under different fencing numbers are never one: what was made under the earlier lease has been written,
//!   or that lease was taken away, and others may have changed the row since. The later one alone counts.
//! - An entity whose change is on its way to the database gets no second one on its way: order is kept.
//! - No change leaves but by `done`: what failed waits again, and holds its segment of the journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// How many changes there are, for those who do not want to wait for the backlog.
    count: Arc<AtomicUsize>,
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
        self.count.store(self.len(), Ordering::Relaxed);
    }

    fn leave(&mut self, segment: u64, since: Instant) {
        self.segments.remove(segment);
        self.ages.remove(since);
        self.count.store(self.len(), Ordering::Relaxed);
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

    /// Where this number stands at any time, without the lock of whoever keeps the backlog.
    pub(crate) fn count(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.count)
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

    /// Since when the oldest change waits.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.ages.first()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::change::Name;
    use crate::value::Value;

    fn change(key: i64, gold: i64) -> Change {
        set(key, 1, "gold", gold)
    }

    fn set(key: i64, fence: i64, column: &'static str, value: i64) -> Change {
        let op = Op::Set(vec![(column.into(), Value::Int(value))]);
        Change {
            table: "players".into(),
            key_column: "id".into(),
            key: Key::Int(key),
            fence,
            op,
        }
    }

    fn gold(taken: &Taken) -> i64 {
        match &taken.change.op {
            Op::Set(columns) => match columns[0].1 {
                Value::Int(gold) => gold,
                _ => panic!("no gold"),
            },
            _ => panic!("no set"),
        }
    }

    #[test]
    fn only_the_newest_version_goes_to_the_database_oldest_entity_first() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        for (key, amount) in [(1, 10), (2, 20), (1, 11), (3, 30)] {
            backlog.add(now, change(key, amount), 5);
        }
        let batch = backlog.take(now, 2);
        assert_eq!(batch.iter().map(gold).collect::<Vec<_>>(), [11, 20]);
        assert_eq!(backlog.len(), 3);
    }

    #[test]
    fn an_entity_is_never_twice_on_its_way() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        backlog.add(now, change(1, 10), 5);
        let first = backlog.take(now, 9);
        backlog.add(now, change(1, 11), 6);
        assert!(backlog.take(now, 9).is_empty());
        let known: Vec<_> = backlog
            .of("players", &Key::Int(1))
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        assert_eq!(known, [change(1, 10), change(1, 11)]);
        backlog.done(&first[0]);
        assert_eq!(backlog.oldest_segment(), Some(6));
        assert_eq!(gold(&backlog.take(now, 9)[0]), 11);
    }

    #[test]
    fn what_failed_does_not_overwrite_what_came_later_and_holds_its_segment() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        backlog.add(now, change(1, 10), 5);
        let first = backlog.take(now, 9).remove(0);
        backlog.add(now, change(1, 11), 6);
        backlog.failed(now, first, false);
        assert_eq!((backlog.oldest_segment(), backlog.len()), (Some(5), 1));
        assert_eq!(gold(&backlog.take(now, 9)[0]), 11);
    }

    #[test]
    fn a_change_is_as_old_as_its_oldest_part_until_the_database_has_it() {
        let (mut backlog, begun) = (Backlog::default(), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(backlog.oldest(), None);
        backlog.add(begun, change(1, 10), 5);
        backlog.add(after(1), change(2, 20), 5);
        backlog.add(after(2), change(1, 11), 5);
        let mut batch = backlog.take(after(2), 9);
        assert_eq!(backlog.oldest(), Some(begun), "also on its way");
        backlog.add(after(3), change(1, 12), 6);
        backlog.done(&batch.remove(1));
        backlog.failed(after(4), batch.remove(0), true);
        assert_eq!(backlog.oldest(), Some(begun), "also when it was refused");
        let last = backlog.take(after(99), 9).remove(0);
        backlog.done(&last);
        assert_eq!(backlog.oldest(), None);
    }

    #[test]
    fn a_refused_change_waits_longer_each_time_and_is_not_in_the_way() {
        let (mut backlog, mut now) = (Backlog::default(), Instant::now());
        backlog.add(now, change(1, 10), 5);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let refused = backlog.take(now, 1).remove(0);
            backlog.failed(now, refused, true);
            backlog.add(now, change(2, 20), 5);
            let other = backlog.take(now, 9);
            assert_eq!(other.len(), 1);
            backlog.done(&other[0]);
            let before = now;
            let has_to_wait = |backlog: &Backlog, now| {
                let waiting = backlog.waiting.get("players", &Key::Int(1));
                waiting.is_some_and(|waiting| waiting.not_before > now)
            };
            while has_to_wait(&backlog, now) {
                now += Duration::from_millis(50);
            }
            waits.push(now - before);
        }
        assert!(waits.is_sorted(), "{waits:?}");
        assert!(*waits.last().unwrap() <= LONGEST + Duration::from_millis(50));
    }

    #[test]
    fn what_was_made_under_an_earlier_lease_is_no_part_of_what_comes_later() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        backlog.add(now, set(1, 1, "gold", 10), 5);
        backlog.add(now, set(1, 3, "level", 5), 6);
        backlog.add(now, set(1, 1, "gold", 11), 7);
        assert_eq!((backlog.oldest_segment(), backlog.overtaken()), (Some(6), 2));
        let first = backlog.take(now, 9).remove(0);
        assert_eq!(first.change, set(1, 3, "level", 5));
        backlog.add(now, set(1, 5, "gold", 20), 8);
        backlog.failed(now, first, true);
        assert_eq!((backlog.oldest_segment(), backlog.len()), (Some(8), 1));
        let last = backlog.take(now, 9).remove(0);
        assert_eq!(last.change, set(1, 5, "gold", 20), "at once: it was not refused");
        backlog.done(&last);
        assert_eq!((backlog.oldest_segment(), backlog.oldest()), (None, None));
    }

    #[test]
    fn rows_are_deleted_in_the_order_in_which_it_was_asked_for() {
        let (mut backlog, now) = (Backlog::default(), Instant::now());
        let delete = |key| Change {
            op: Op::Delete,
            ..change(key, 0)
        };
        for change in [change(1, 10), change(2, 20), delete(2), change(3, 30), delete(1)] {
            backlog.add(now, change, 5);
        }
        let order: Vec<Change> = backlog
            .take(now, 9)
            .into_iter()
            .map(|taken| taken.change)
            .collect();
        assert_eq!(order, [delete(2), change(3, 30), delete(1)]);
    }

    /// Entities of one node, over a database whose leases may be taken away, or be another node's for a while.
    #[derive(Default)]
    struct World {
        backlog: Backlog,
        flying: Vec<Taken>,
        /// The fencing number of each lease, which is this node's.
        fences: HashMap<Key, i64>,
        database: HashMap<Key, BTreeMap<Name, Value>>,
        /// What the database is to have in the end.
        wanted: HashMap<Key, BTreeMap<Name, Value>>,
    }

    impl World {
        fn fence(&self, key: &Key) -> i64 {
            self.fences.get(key).copied().unwrap_or(1)
        }

        fn change(&mut self, now: Instant, key: i64, column: &'static str, step: i64) {
            let change = set(key, self.fence(&Key::Int(key)), column, step);
            let wanted = self.wanted.entry(Key::Int(key)).or_default();
            wanted.insert(column.into(), Value::Int(step));
            self.backlog.add(now, change, step as u64);
        }

        /// The lease passes to another node, which writes, and back; what had not been written is lost.
        fn pass_on(&mut self, key: &Key, step: i64) {
            let fence = self.fence(key) + 2;
            self.fences.insert(key.clone(), fence);
            let row = self.database.entry(key.clone()).or_default();
            row.insert("gold".into(), Value::Int(step));
            self.wanted.insert(key.clone(), row.clone());
        }

        fn land(&mut self, taken: Taken) {
            if taken.change.fence == self.fence(&taken.change.key) {
                let Op::Set(columns) = &taken.change.op else {
                    panic!("no set")
                };
                let row = self.database.entry(taken.change.key.clone()).or_default();
                row.extend(columns.iter().cloned());
            }
            self.backlog.done(&taken);
        }
    }

    #[test]
    fn nothing_is_lost_and_nothing_comes_back_whatever_happens() {
        for seed in 1..400_u64 {
            let mut dice = seed;
            let mut roll = |bound: u64| {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                dice % bound
            };
            let (mut world, mut now) = (World::default(), Instant::now());
            for step in 1..300 {
                now += Duration::from_millis(roll(400));
                let key = roll(5) as i64;
                match roll(9) {
                    0..4 => world.change(now, key, ["gold", "level"][roll(2) as usize], step),
                    4 | 5 => world.flying.extend(world.backlog.take(now, roll(3) as usize)),
                    // Given up in order, or by force.
                    6 if !world.backlog.has("players", &Key::Int(key)) || roll(4) == 0 => {
                        world.pass_on(&Key::Int(key), step);
                    }
                    _ if world.flying.is_empty() => {}
                    _ => {
                        let taken = world.flying.remove(roll(world.flying.len() as u64) as usize);
                        match roll(3) {
                            0 => world.backlog.failed(now, taken, false),
                            1 => world.backlog.failed(now, taken, true),
                            _ => world.land(taken),
                        }
                    }
                }
            }
            std::mem::take(&mut world.flying)
                .into_iter()
                .for_each(|taken| world.land(taken));
            let rest = world.backlog.take(now + LONGEST * 2, 99);
            rest.into_iter().for_each(|taken| world.land(taken));
            assert_eq!((world.backlog.len(), world.backlog.oldest_segment()), (0, None));
            assert_eq!(world.backlog.oldest(), None);
            assert_eq!(world.database, world.wanted, "seed {seed}");
        }
    }
}
