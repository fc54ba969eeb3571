//! What is in the journal and not yet in the database. A pure machine: it is told the time, and does no work itself.
//!
//! Invariants:
//! - There is at most one waiting change for each entity, with the newest value of each column.
//! - An entity whose change is on its way to the database gets no second one on its way: order is kept.
//! - No change leaves but by `done`: what failed waits again, and holds its segment of the journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::backoff::delay;
use crate::by_id::{ById, Id};
use crate::change::Change;
use crate::counted::Counted;
use crate::value::Key;

/// Longest time between two attempts to write a change that the database refuses.
const LONGEST: Duration = Duration::from_secs(30);

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
}

impl Backlog {
    /// A change that is safe in `segment` of the journal.
    pub(crate) fn add(&mut self, now: Instant, change: Change, segment: u64) {
        if let Some(waiting) = self.waiting.get_mut(&change.table, &change.key) {
            let old = std::mem::replace(&mut waiting.change.op, crate::change::Op::Delete);
            waiting.change.op = old.then(change.op);
            waiting.change.fence = change.fence;
            return;
        }
        let waiting = Waiting {
            change,
            segment,
            since: now,
            attempts: 0,
            not_before: now,
            turn: self.turns,
        };
        self.segments.add(segment);
        self.ages.add(now);
        self.enqueue(waiting);
    }

    fn enqueue(&mut self, waiting: Waiting) {
        let id = (waiting.change.table.clone(), waiting.change.key.clone());
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
            mut change,
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
        // What has come in the meantime is newer.
        let turn = match self.waiting.remove(&change.table, &change.key) {
            Some(newer) => {
                change.op = change.op.then(newer.change.op);
                change.fence = newer.change.fence;
                self.queue.remove(&newer.turn);
                self.leave(newer.segment, newer.since);
                newer.turn
            }
            None => self.turns,
        };
        self.enqueue(Waiting {
            change,
            segment,
            since,
            attempts,
            not_before,
            turn,
        });
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

    /// Whether the database has everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The oldest segment that is still needed.
    pub(crate) fn oldest_segment(&self) -> Option<u64> {
        self.segments.first()
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
    use crate::change::Op;
    use crate::value::Value;

    fn change(key: i64, gold: i64) -> Change {
        let op = Op::Set(vec![("gold".into(), Value::Int(gold))]);
        Change {
            table: "players".into(),
            key_column: "id".into(),
            key: Key::Int(key),
            fence: 1,
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
    fn nothing_is_lost_and_nothing_comes_back_whatever_happens() {
        for seed in 1..200_u64 {
            let mut dice = seed;
            let mut roll = |bound: u64| {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                dice % bound
            };
            let (mut backlog, mut now) = (Backlog::default(), Instant::now());
            let (mut newest, mut database) = (HashMap::new(), HashMap::new());
            let mut flying: Vec<Taken> = Vec::new();
            let mut land = |backlog: &mut Backlog, taken: Taken| {
                let old = database
                    .insert(taken.change.key.clone(), gold(&taken))
                    .unwrap_or(0);
                assert!(
                    old < gold(&taken),
                    "an older version after a newer one, seed {seed}"
                );
                backlog.done(&taken);
            };
            for step in 1..300 {
                now += Duration::from_millis(roll(400));
                match roll(4) {
                    0 | 1 => {
                        let key = Key::Int(roll(5) as i64);
                        let Key::Int(number) = key else { unreachable!() };
                        backlog.add(now, change(number, step), step as u64);
                        newest.insert(key, step);
                    }
                    2 => flying.extend(backlog.take(now, roll(3) as usize)),
                    _ if flying.is_empty() => {}
                    _ => {
                        let taken = flying.remove(roll(flying.len() as u64) as usize);
                        match roll(3) {
                            0 => backlog.failed(now, taken, false),
                            1 => backlog.failed(now, taken, true),
                            _ => land(&mut backlog, taken),
                        }
                    }
                }
            }
            flying.drain(..).for_each(|taken| land(&mut backlog, taken));
            now += LONGEST * 2;
            backlog
                .take(now, 99)
                .into_iter()
                .for_each(|taken| land(&mut backlog, taken));
            assert_eq!((backlog.len(), backlog.oldest_segment()), (0, None));
            assert_eq!(backlog.oldest(), None);
            assert_eq!(database, newest, "seed {seed}");
        }
    }
}
