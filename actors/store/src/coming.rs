//! The changes of one entity on their way to the backlog. They wait with the entity itself, so that the journal's
//! thread need not look for it, and what follows each other soon becomes one change here, where it is made.
//!
//! What a change was is told by what it has left: the entity as the next one found it, and which columns to take from
//! that. So to make one of two is to forget what the first has left.
//!
//! Pure, but that it asks the journal's groups what has become of them.

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use crate::change::{Change, Name, Op};
use crate::entity::Entity;
use crate::journal::group::{Fate, Group, Ticket};

/// What a change does to the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Put,
    Set(Columns),
    Delete,
}

/// Columns of a table by their places: a bit for each, and the last one for all that have none of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns(u64);

impl Columns {
    const fn of(at: usize) -> Self {
        Self(1 << if at < 63 { at } else { 63 })
    }

    const fn has(self, at: usize) -> bool {
        self.0 & Self::of(at).0 != 0
    }
}

impl What {
    fn of(op: &Op<usize>) -> Self {
        match op {
            Op::Put(_) => Self::Put,
            Op::Set(columns) => Self::Set(Columns(
                columns.iter().fold(0, |all, (at, _)| all | Columns::of(*at).0),
            )),
            Op::Delete => Self::Delete,
        }
    }

    /// What both together do, `later` having come second.
    fn then(self, later: Self) -> Self {
        match (self, later) {
            (Self::Put, Self::Set(_)) => Self::Put,
            (Self::Set(Columns(one)), Self::Set(Columns(other))) => Self::Set(Columns(one | other)),
            (_, later) => later,
        }
    }

    /// The change that has left `entity`; `None` for one that cannot have left none.
    fn to_op<E: Entity>(self, entity: Option<&E>) -> Option<Op> {
        let columns = |is_meant: &dyn Fn(usize) -> bool| {
            let row = E::TABLE.columns.iter().zip(entity?.to_row()).enumerate();
            let meant = row.filter(|(at, _)| *at != E::TABLE.key && is_meant(*at));
            Some(
                meant
                    .map(|(_, (column, value))| (Name::Borrowed(column.name), value))
                    .collect(),
            )
        };
        match self {
            Self::Put => columns(&|_| true).map(Op::Put),
            Self::Set(these) => columns(&|at| these.has(at)).map(Op::Set),
            Self::Delete => Some(Op::Delete),
        }
    }
}

/// Changes that are written to the journal together, as one.
struct Part {
    what: What,
    /// The number of the first of them; of the last one that deletes the row, see `Backlog::put_last`.
    number: u64,
    /// The group of the first of them.
    group: Arc<Group>,
}

impl Part {
    /// Another change has come after it.
    fn then(&mut self, later: What, number: u64) {
        if later == What::Delete {
            self.number = number;
        }
        self.what = self.what.then(later);
    }

    fn is_settled(&self) -> bool {
        self.group.fate().is_some()
    }
}

/// A change that is in the journal, and has to be put into the backlog.
pub(crate) struct Safe {
    pub(crate) change: Change,
    pub(crate) number: u64,
    pub(crate) segment: u64,
    pub(crate) since: Instant,
}

/// A part, and the entity as it has left it, `None` if it has left none.
struct Older<E> {
    part: Part,
    left: Option<E>,
}

impl<E> Older<E> {
    /// Another one has come after it.
    fn then(&mut self, later: Self) {
        self.part.then(later.part.what, later.part.number);
        self.left = later.left;
    }
}

/// Mostly one that is safe, and one for each group that is not written yet.
pub(crate) struct Coming<E> {
    /// What it has left is the entity as it is now.
    newest: Option<Part>,
    /// Oldest first: mostly one, here in the entity's own memory, as any other is not in the processor's cache.
    older: SmallVec<[Older<E>; 1]>,
    /// Somebody will come and collect them.
    pub(crate) listed: bool,
}

impl<E> Default for Coming<E> {
    fn default() -> Self {
        Self {
            newest: None,
            older: SmallVec::new(),
            listed: false,
        }
    }
}

impl<E: Entity> Coming<E> {
    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_none() && self.older.is_empty()
    }

    /// A change that was put into the journal's queue. `before` is the entity as it has found it.
    pub(crate) fn add(&mut self, op: &Op<usize>, ticket: &Ticket, before: Option<E>) {
        let what = What::of(op);
        let Ticket { group, number } = ticket;
        if let Some(newest) = &mut self.newest
            && Arc::ptr_eq(&newest.group, group)
        {
            return newest.then(what, *number);
        }
        let newest = Part {
            what,
            number: *number,
            group: Arc::clone(group),
        };
        if let Some(part) = self.newest.replace(newest) {
            self.grow_older(part, before);
        }
    }

    /// One more of the older ones. Makes one of the first two of them if both are safe; as the first is if the second
    /// is.
    fn grow_older(&mut self, part: Part, left: Option<E>) {
        if self
            .older
            .get(1)
            .is_some_and(|second| second.part.group.is_safe())
        {
            let second = self.older.remove(1);
            self.older[0].then(second);
        }
        let last = Older { part, left };
        match self.older.as_mut_slice() {
            [first] if last.part.group.is_safe() => first.then(last),
            _ => self.older.push(last),
        }
    }

    /// Takes out what is safe by now; `now` is the entity, and `change` makes a change of it. What has failed comes to
    /// nothing.
    pub(crate) fn collect(&mut self, now: Option<&E>, change: impl Fn(Op) -> Change, safe: &mut Vec<Safe>) {
        let mut collect = |part: Part, left: Option<&E>| {
            if let Some(Fate::Safe { segment, since }) = part.group.fate()
                && let Some(op) = part.what.to_op(left)
            {
                safe.push(Safe {
                    change: change(op),
                    number: part.number,
                    segment: *segment,
                    since: *since,
                });
            }
        };
        let settled = self.older.iter().take_while(|older| older.part.is_settled());
        let settled = settled.count();
        for Older { part, left } in self.older.drain(..settled) {
            collect(part, left.as_ref());
        }
        if self.older.is_empty()
            && let Some(newest) = self.newest.take_if(|newest| newest.is_settled())
        {
            collect(newest, now);
        }
    }

    /// Takes out what was to be written with a group; whether there was anything.
    pub(crate) fn fail(&mut self, group: &Arc<Group>) -> bool {
        let before = self.older.len();
        self.older.retain(|older| !Arc::ptr_eq(&older.part.group, group));
        let newest = self.newest.take_if(|newest| Arc::ptr_eq(&newest.group, group));
        newest.is_some() || self.older.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StoreError;
    use crate::value::{Key, Value};

    #[derive(Clone, crate::Entity)]
    #[entity(table = "players", mode = "behind", crate = crate)]
    struct Player {
        #[entity(key)]
        id: i64,
        gold: i64,
        level: i64,
    }

    /// An entity and its changes.
    #[derive(Default)]
    struct World {
        entity: Option<Player>,
        coming: Coming<Player>,
        number: u64,
    }

    impl World {
        fn change(&mut self, group: &Arc<Group>, op: Op<usize>, after: Option<(i64, i64)>) {
            let after = after.map(|(gold, level)| Player { id: 1, gold, level });
            let before = std::mem::replace(&mut self.entity, after);
            self.number += 1;
            let ticket = Ticket::of(group, self.number);
            self.coming.add(&op, &ticket, before);
        }

        fn put(&mut self, group: &Arc<Group>, gold: i64, level: i64) {
            self.change(group, Op::Put(Vec::new()), Some((gold, level)));
        }

        fn set_gold(&mut self, group: &Arc<Group>, gold: i64) {
            let level = self.entity.as_ref().map_or(0, |player| player.level);
            let op = Op::Set(vec![(1, Value::Int(gold))]);
            self.change(group, op, Some((gold, level)));
        }

        fn set_level(&mut self, group: &Arc<Group>, level: i64) {
            let gold = self.entity.as_ref().map_or(0, |player| player.gold);
            let op = Op::Set(vec![(2, Value::Int(level))]);
            self.change(group, op, Some((gold, level)));
        }

        fn collect(&mut self) -> Vec<(Op, u64, u64)> {
            let change = |op| Change {
                table: "players".into(),
                key_column: "id".into(),
                key: Key::Int(1),
                fence: 1,
                op,
            };
            let mut safe = Vec::new();
            self.coming.collect(self.entity.as_ref(), change, &mut safe);
            let seen = |safe: Safe| (safe.change.op, safe.number, safe.segment);
            safe.into_iter().map(seen).collect()
        }
    }

    fn groups<const N: usize>() -> [Arc<Group>; N] {
        std::array::from_fn(|_| Arc::default())
    }

    fn columns(columns: &[(&'static str, i64)]) -> Vec<(Name, Value)> {
        let value = |(name, value): &(&'static str, i64)| ((*name).into(), Value::Int(*value));
        columns.iter().map(value).collect()
    }

    fn safe(segment: u64) -> Fate {
        let since = Instant::now();
        Fate::Safe { segment, since }
    }

    #[test]
    fn what_is_not_written_yet_stays_and_the_rest_is_one_change_of_the_oldest_segment() {
        let (mut world, groups) = (World::default(), groups::<4>());
        world.put(&groups[0], 0, 0);
        assert_eq!(world.collect(), []);
        groups[0].settle(safe(1));
        assert_eq!(
            world.collect(),
            [(Op::Put(columns(&[("gold", 0), ("level", 0)])), 1, 1)]
        );
        assert!(world.coming.is_empty());
        world.set_gold(&groups[1], 2);
        world.set_gold(&groups[1], 3);
        groups[1].settle(safe(2));
        world.set_level(&groups[2], 4);
        groups[2].settle(safe(3));
        world.set_gold(&groups[3], 5);
        // Not the gold that nobody may have yet.
        assert_eq!(
            world.collect(),
            [(Op::Set(columns(&[("gold", 3), ("level", 4)])), 2, 2)]
        );
        assert!(world.collect().is_empty() && !world.coming.is_empty());
        groups[3].settle(safe(9));
        assert_eq!(world.collect(), [(Op::Set(columns(&[("gold", 5)])), 5, 9)]);
        assert!(world.coming.is_empty());
    }

    #[test]
    fn of_many_changes_that_are_safe_few_are_kept_and_none_is_forgotten() {
        let (mut world, groups) = (World::default(), groups::<100>());
        for (at, group) in groups.iter().enumerate() {
            world.set_gold(group, 1 + at as i64);
            // Each is safe when the next but one comes.
            if let Some(before) = at.checked_sub(1) {
                groups[before].settle(safe(1 + before as u64));
            }
            assert!(world.coming.older.len() <= 2, "{at}");
        }
        let gold = |gold| Op::Set(columns(&[("gold", gold)]));
        let collected = world.collect();
        assert_eq!(collected.last().map(|(op, ..)| op), Some(&gold(99)));
        assert_eq!(
            collected.first().map(|(_, number, segment)| (*number, *segment)),
            Some((1, 1))
        );
        groups[99].settle(safe(100));
        assert_eq!(world.collect(), [(gold(100), 100, 100)]);
        assert!(world.coming.is_empty());
    }

    #[test]
    fn a_row_is_deleted_when_that_was_asked_for_last_and_what_comes_then_is_a_new_one() {
        let (mut world, groups) = (World::default(), groups::<3>());
        world.set_gold(&groups[0], 1);
        world.set_level(&groups[0], 1);
        world.change(&groups[0], Op::Delete, None);
        groups[0].settle(safe(1));
        assert_eq!(world.collect(), [(Op::Delete, 3, 1)]);
        world.change(&groups[1], Op::Delete, None);
        groups[1].settle(safe(2));
        world.put(&groups[2], 7, 8);
        groups[2].settle(safe(3));
        let put = Op::Put(columns(&[("gold", 7), ("level", 8)]));
        assert_eq!(world.collect(), [(Op::Delete, 4, 2), (put, 5, 3)]);
    }

    #[test]
    fn what_failed_is_gone_and_what_came_before_and_after_is_not() {
        let (mut world, groups) = (World::default(), groups::<3>());
        for (group, gold) in groups.iter().zip(1..) {
            world.set_gold(group, gold);
        }
        groups[0].settle(safe(1));
        assert!(world.coming.fail(&groups[1]) && !world.coming.fail(&groups[1]));
        groups[1].settle(Fate::Failed(StoreError::Closed));
        groups[2].settle(safe(2));
        let gold = |gold| Op::Set(columns(&[("gold", gold)]));
        assert_eq!(world.collect(), [(gold(1), 1, 1), (gold(3), 3, 2)]);
    }

    #[test]
    fn columns_behind_the_last_bit_are_one() {
        assert!(Columns::of(63).has(200) && !Columns::of(62).has(63) && Columns::of(0).has(0));
    }
}
