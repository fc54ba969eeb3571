//! The changes of one entity on their way to the backlog. They wait with the entity itself, so that the journal's
//! thread need not look for it, and what follows each other soon becomes one change here, where it is made.
//!
//! Pure, but that it asks the journal's groups what has become of them.

use std::sync::Arc;
use std::time::Instant;

use crate::change::{Change, Op};
use crate::journal::group::{Fate, Group, Ticket};

/// Changes that are written to the journal together, as one.
struct Part {
    op: Op<usize>,
    /// The number of the first of them; of the last one that deletes the row, see `Backlog::put_last`.
    number: u64,
    /// The group of the first of them.
    group: Arc<Group>,
}

/// A change that is in the journal, and has to be put into the backlog.
pub(crate) struct Safe {
    pub(crate) change: Change,
    pub(crate) number: u64,
    pub(crate) segment: u64,
    pub(crate) since: Instant,
}

/// Oldest first: at most one that is safe, or soon will be, and one for each group that is not written yet.
#[derive(Default)]
pub(crate) struct Coming {
    parts: Vec<Part>,
    /// Somebody will come and collect them.
    pub(crate) listed: bool,
}

impl Coming {
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// A change that was put into the journal's queue.
    pub(crate) fn add(&mut self, op: Op<usize>, ticket: &Ticket) {
        if let [.., last] = &mut *self.parts
            && Arc::ptr_eq(&last.group, &ticket.group)
        {
            last.then(op, ticket.number);
            return;
        }
        self.join_safe();
        self.parts.push(Part {
            op,
            number: ticket.number,
            group: Arc::clone(&ticket.group),
        });
    }

    /// Makes one of the first two, if both are safe.
    fn join_safe(&mut self) {
        if let [first, second, ..] = &*self.parts
            && first.group.is_safe()
            && second.group.is_safe()
        {
            let second = self.parts.remove(1);
            self.parts[0].then(second.op, second.number);
        }
    }

    /// Takes out what is safe by now; `change` makes a change of it. What has failed comes to nothing.
    pub(crate) fn collect(&mut self, change: impl Fn(Op<usize>) -> Change, safe: &mut Vec<Safe>) {
        let settled = self.parts.iter().take_while(|part| part.group.fate().is_some());
        let settled = settled.count();
        for Part { op, number, group } in self.parts.drain(..settled) {
            if let Some(Fate::Safe { segment, since }) = group.fate() {
                safe.push(Safe {
                    change: change(op),
                    number,
                    segment: *segment,
                    since: *since,
                });
            }
        }
    }

    /// Takes out what was to be written with a group; whether there was anything.
    pub(crate) fn fail(&mut self, group: &Arc<Group>) -> bool {
        let before = self.parts.len();
        self.parts.retain(|part| !Arc::ptr_eq(&part.group, group));
        self.parts.len() < before
    }
}

impl Part {
    /// Another change has come after it.
    fn then(&mut self, op: Op<usize>, number: u64) {
        if op == Op::Delete {
            self.number = number;
        }
        let old = std::mem::replace(&mut self.op, Op::Delete);
        self.op = old.then(op);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StoreError;
    use crate::value::{Key, Value};

    fn ticket(group: &Arc<Group>, number: u64) -> Ticket {
        Ticket {
            group: Arc::clone(group),
            number,
        }
    }

    fn gold(amount: i64) -> Op<usize> {
        Op::Set(vec![(1, Value::Int(amount))])
    }

    fn safe(segment: u64) -> Fate {
        let since = Instant::now();
        Fate::Safe { segment, since }
    }

    /// As the database is to see it.
    fn named(op: Op<usize>) -> Op {
        match op {
            Op::Set(columns) => Op::Set(
                columns
                    .into_iter()
                    .map(|(_, gold)| ("gold".into(), gold))
                    .collect(),
            ),
            _ => Op::Delete,
        }
    }

    fn collected(coming: &mut Coming) -> Vec<(Op, u64, u64)> {
        let change = |op| Change {
            table: "players".into(),
            key_column: "id".into(),
            key: Key::Int(1),
            fence: 1,
            op: named(op),
        };
        let mut safe = Vec::new();
        coming.collect(change, &mut safe);
        safe.into_iter()
            .map(|safe| (safe.change.op, safe.number, safe.segment))
            .collect()
    }

    #[test]
    fn what_is_not_written_yet_stays_and_the_rest_is_one_change_of_the_oldest_segment() {
        let groups: Vec<_> = (0..4).map(|_| Arc::new(Group::default())).collect();
        let mut coming = Coming::default();
        for (number, group) in [(1, 0), (2, 0), (3, 1), (4, 2), (5, 3)] {
            coming.add(gold(number), &ticket(&groups[group], number as u64));
            if group > 0 {
                groups[group - 1].settle(safe(group as u64));
            }
        }
        let all = collected(&mut coming);
        assert_eq!(all, [(named(gold(3)), 1, 1), (named(gold(4)), 4, 3)]);
        assert!(collected(&mut coming).is_empty() && !coming.is_empty());
        groups[3].settle(safe(9));
        assert_eq!(collected(&mut coming), [(named(gold(5)), 5, 9)]);
        assert!(coming.is_empty());
    }

    #[test]
    fn a_row_is_deleted_when_that_was_asked_for_last() {
        let group = Arc::new(Group::default());
        let mut coming = Coming::default();
        coming.add(gold(1), &ticket(&group, 1));
        coming.add(Op::Delete, &ticket(&group, 4));
        group.settle(safe(1));
        assert_eq!(collected(&mut coming), [(Op::Delete, 4, 1)]);
    }

    #[test]
    fn what_failed_is_gone_and_what_came_before_and_after_is_not() {
        let groups: Vec<_> = (0..3).map(|_| Arc::new(Group::default())).collect();
        let mut coming = Coming::default();
        for (group, number) in groups.iter().zip(1..) {
            coming.add(gold(number), &ticket(group, number as u64));
        }
        groups[0].settle(safe(1));
        assert!(coming.fail(&groups[1]) && !coming.fail(&groups[1]));
        groups[1].settle(Fate::Failed(StoreError::Closed));
        groups[2].settle(safe(2));
        assert_eq!(
            collected(&mut coming),
            [(named(gold(1)), 1, 1), (named(gold(3)), 3, 2)]
        );
    }
}
