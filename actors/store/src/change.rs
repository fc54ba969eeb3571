//! One change of one entity, in the form in which it goes to journal and database.
//!
//! It holds absolute values, never differences, so that it can be carried out twice without harm. It names its
//! columns itself: the journal of an older program can be replayed by a newer one.

use std::borrow::Cow;

use crate::entity::Table;
use crate::value::{Key, Value};

/// The name of a table or column.
pub(crate) type Name = Cow<'static, str>;

/// A column and its new value.
pub(crate) type Assignment<C = Name> = (C, Value);

/// A change that is to reach the database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) table: Name,
    pub(crate) key_column: Name,
    pub(crate) key: Key,
    /// The fencing number of the lease under which it was made.
    pub(crate) fence: i64,
    pub(crate) op: Op,
}

/// What becomes of a row. Its columns are named, or, while it is known which table they are of, given by their places
/// in that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op<C = Name> {
    /// The whole row but for its key, whether there is one or not.
    Put(Vec<Assignment<C>>),
    /// Some columns of a row that is there.
    Set(Vec<Assignment<C>>),
    /// The row is gone.
    Delete,
}

impl<C: PartialEq> Op<C> {
    /// What both together do, `later` having come second.
    pub(crate) fn then(self, later: Self) -> Self {
        match (self, later) {
            (Self::Put(columns), Self::Set(new)) => Self::Put(assigned(columns, new)),
            (Self::Set(columns), Self::Set(new)) => Self::Set(assigned(columns, new)),
            // A row that is gone has no columns to set; whoever says so has it from elsewhere.
            (_, later) => later,
        }
    }
}

impl Op<usize> {
    /// The same with the names of a table's columns.
    pub(crate) fn named(self, table: &Table) -> Op {
        let named = |columns: Vec<Assignment<usize>>| {
            let name = |(at, value): Assignment<usize>| (Name::Borrowed(table.columns[at].name), value);
            columns.into_iter().map(name).collect()
        };
        match self {
            Self::Put(columns) => Op::Put(named(columns)),
            Self::Set(columns) => Op::Set(named(columns)),
            Self::Delete => Op::Delete,
        }
    }
}

impl Op {
    /// The row as it is after this change; `None` for none.
    pub(crate) fn overlay(
        &self,
        row: Option<Vec<Value>>,
        columns: &[&str],
        key_at: usize,
        key: &Key,
    ) -> Option<Vec<Value>> {
        let (assignments, mut row) = match self {
            Self::Delete => return None,
            Self::Set(assignments) => (assignments, row?),
            Self::Put(assignments) => {
                let mut row = row.unwrap_or_else(|| vec![key.value(); columns.len()]);
                row[key_at] = key.value();
                (assignments, row)
            }
        };
        for (name, value) in assignments {
            if let Some(at) = columns.iter().position(|column| column == name) {
                row[at] = value.clone();
            }
        }
        Some(row)
    }
}

fn assigned<C: PartialEq>(mut columns: Vec<Assignment<C>>, new: Vec<Assignment<C>>) -> Vec<Assignment<C>> {
    for (name, value) in new {
        match columns.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => columns.push((name, value)),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gold(amount: i64) -> Vec<Assignment> {
        vec![("gold".into(), Value::Int(amount))]
    }

    #[test]
    fn the_newest_value_of_each_column_is_kept() {
        let name = vec![("name".into(), Value::Text("a".to_owned()))];
        let both = Op::Set(gold(1))
            .then(Op::Set(name.clone()))
            .then(Op::Set(gold(2)));
        assert_eq!(both, Op::Set([gold(2), name].concat()));
        assert_eq!(Op::Put(gold(1)).then(Op::Set(gold(2))), Op::Put(gold(2)));
        assert_eq!(Op::Put(gold(1)).then(Op::Delete), Op::Delete);
        assert_eq!(Op::Delete.then(Op::Put(gold(3))), Op::Put(gold(3)));
    }

    #[test]
    fn a_row_is_seen_as_it_will_be() {
        let (columns, key) = (["id", "gold"], Key::Int(7));
        let row = Some(vec![Value::Int(7), Value::Int(1)]);
        let seen = |op: Op, row| op.overlay(row, &columns, 0, &key);
        assert_eq!(
            seen(Op::Set(gold(2)), row.clone()),
            Some(vec![Value::Int(7), Value::Int(2)])
        );
        assert_eq!(
            seen(Op::Put(gold(3)), None),
            Some(vec![Value::Int(7), Value::Int(3)])
        );
        assert_eq!(seen(Op::Delete, row), None);
        assert_eq!(seen(Op::Set(gold(2)), None), None);
    }
}
