//! The backlog's rules, one by one and all together by seeds.

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

#[test]
fn what_may_wait_for_ever_does_not_hold_its_segment_once_it_is_in_another_one() {
    let (mut backlog, now) = (Backlog::default(), Instant::now());
    backlog.add(now, change(1, 10), 5);
    backlog.add(now, change(2, 20), 5);
    let mut batch = backlog.take(now, 9);
    assert_eq!(backlog.refused_of(5), None, "on their way");
    backlog.failed(now, batch.remove(0), true);
    assert_eq!(backlog.refused_of(5), None, "one may be written soon");
    backlog.done(&batch[0]);
    let refused = backlog.refused_of(5).unwrap();
    assert_eq!(refused, [change(1, 10)]);
    backlog.carried(&refused, 5, 9);
    assert_eq!((backlog.oldest_segment(), backlog.refused_of(5)), (Some(9), None));
    let again = backlog.take(now + LONGEST, 9).remove(0);
    backlog.done(&again);
    assert_eq!(backlog.oldest_segment(), None);
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
