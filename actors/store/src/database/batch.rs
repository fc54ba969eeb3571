//! Changes as statements: those that are alike share one, which writes up to 512 rows. Pure.
//!
//! No entity has two changes in a batch, so that their order is free as far as the store knows: rows are deleted first,
//! then whole rows are written, then columns are set; each of these table after table, as changes of them came. Where a
//! row refers to another one, whose table mostly comes first then, the database mostly agrees.

use std::collections::{BTreeMap, HashMap};

use super::sql::Dialect;
use crate::change::{Assignment, Change, Op};
use crate::value::{Key, Value};

/// How many rows one statement writes: few sizes, as each is a statement to prepare.
const SIZES: [usize; 4] = [512, 128, 16, 1];
/// Most values of one statement, below the limit of every database.
const MOST_VALUES: usize = 30_000;
/// Most bytes of texts and blobs in a statement of several rows, below what every database takes in one packet.
const MOST_BYTES: usize = 1 << 20;

/// A statement with its values.
pub(super) type Statement = (String, Vec<Value>);

/// What makes changes alike.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Alike<'a> {
    what: What,
    /// How many tables came before its own.
    turn: usize,
    table: &'a str,
    /// The key's column.
    key: &'a str,
    columns: Vec<&'a str>,
}

/// What a statement does to its rows, in the order in which it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum What {
    Delete,
    Put,
    Set,
}

/// The key of a row and its values, without the key.
type Row<'a> = (&'a Key, &'a [Assignment]);

/// Changes to be carried out together.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    rows: BTreeMap<Alike<'a>, Vec<Row<'a>>>,
    turns: HashMap<(What, &'a str), usize>,
}

impl<'a> Batch<'a> {
    /// Adds a change of an entity that has none in here.
    pub(super) fn add(&mut self, change: &'a Change) {
        let (what, values): (_, &[Assignment]) = match &change.op {
            Op::Delete => (What::Delete, &[]),
            Op::Put(values) => (What::Put, values),
            Op::Set(values) => (What::Set, values),
        };
        let next = self.turns.len();
        let alike = Alike {
            what,
            turn: *self.turns.entry((what, &change.table)).or_insert(next),
            table: &change.table,
            key: &change.key_column,
            columns: values.iter().map(|(name, _)| &**name).collect(),
        };
        self.rows.entry(alike).or_default().push((&change.key, values));
    }

    /// The statements that carry it out.
    pub(super) fn statements(&self, dialect: Dialect) -> impl Iterator<Item = Statement> {
        self.rows.iter().flat_map(move |(alike, rows)| {
            let mut rows = rows.as_slice();
            std::iter::from_fn(move || {
                let (now, later) = rows.split_at(size(rows)?);
                rows = later;
                Some((alike.sql(dialect, now.len()), alike.values(now)))
            })
        })
    }
}

impl Alike<'_> {
    fn sql(&self, dialect: Dialect, rows: usize) -> String {
        let (table, key, columns) = (self.table, self.key, &self.columns);
        match self.what {
            What::Delete => dialect.delete(table, key, rows),
            What::Put => dialect.put(table, key, columns, rows),
            What::Set if rows == 1 => dialect.set(table, key, columns),
            What::Set => dialect.set_many(table, key, columns, rows),
        }
    }

    fn values(&self, rows: &[Row<'_>]) -> Vec<Value> {
        let mut values = Vec::with_capacity(rows.len() * (self.columns.len() + 1));
        for (key, assignments) in rows {
            values.push(key.value());
            values.extend(assignments.iter().map(|(_, value)| value.clone()));
        }
        // The one statement that has the key last.
        if self.what == What::Set && rows.len() == 1 {
            values.rotate_left(1);
        }
        values
    }
}

/// How many of the rows, which are alike, the next statement takes; `None` when there are none.
fn size(rows: &[Row<'_>]) -> Option<usize> {
    let values = rows.first()?.1.len() + 1;
    let fits = |size: &usize| {
        *size <= rows.len()
            && *size * values <= MOST_VALUES
            && rows[..*size].iter().map(bytes).sum::<usize>() <= MOST_BYTES
    };
    // A row that is too large for company goes by itself.
    Some(SIZES.into_iter().find(fits).unwrap_or(1))
}

fn bytes((_, values): &Row<'_>) -> usize {
    let bytes = values.iter().map(|(_, value)| match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 0,
    });
    bytes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: i64, op: Op) -> Change {
        Change {
            table: "players".into(),
            key_column: "id".into(),
            key: Key::Int(key),
            fence: 1,
            op,
        }
    }

    fn named(name: &str) -> Vec<Assignment> {
        vec![("name".into(), Value::Text(name.to_owned()))]
    }

    /// How many values each statement has.
    fn sizes(changes: &[Change]) -> Vec<usize> {
        let mut batch = Batch::default();
        changes.iter().for_each(|change| batch.add(change));
        let statements = batch.statements(Dialect::Sqlite);
        statements.map(|(_, values)| values.len()).collect()
    }

    #[test]
    fn rows_that_are_alike_share_statements_whatever_is_done_to_them() {
        for op in [Op::Put(named("ann")), Op::Set(named("ann"))] {
            let changes: Vec<_> = (0..1187).map(|key| change(key, op.clone())).collect();
            assert_eq!(sizes(&changes), [1024, 1024, 256, 32, 32, 2, 2, 2]);
        }
        let changes: Vec<_> = (0..529).map(|key| change(key, Op::Delete)).collect();
        assert_eq!(sizes(&changes), [512, 16, 1]);
    }

    #[test]
    fn a_statement_has_neither_too_many_values_nor_too_many_bytes() {
        let wide: Vec<Assignment> = (0..99)
            .map(|at| (format!("c{at}").into(), Value::Int(at)))
            .collect();
        let changes: Vec<_> = (0..512).map(|key| change(key, Op::Put(wide.clone()))).collect();
        assert_eq!(sizes(&changes), [12_800; 4]);
        for (length, statements) in [
            (MOST_BYTES / 16, 4),
            (MOST_BYTES / 16 + 1, 64),
            (MOST_BYTES + 1, 64),
        ] {
            let long = Op::Put(named(&"x".repeat(length)));
            let changes: Vec<_> = (0..64).map(|key| change(key, long.clone())).collect();
            assert_eq!(sizes(&changes).len(), statements, "{length} bytes");
        }
    }

    #[test]
    fn tables_are_written_in_the_order_in_which_changes_of_them_came() {
        let of = |table: &'static str, key, op| Change {
            table: table.into(),
            ..change(key, op)
        };
        let put = || Op::Put(named("ann"));
        let changes = [
            of("players", 1, Op::Set(named("ann"))),
            of("players", 2, Op::Delete),
            of("teams", 1, put()),
            of("guilds", 1, Op::Delete),
            of("players", 3, put()),
        ];
        let mut batch = Batch::default();
        changes.iter().for_each(|change| batch.add(change));
        let statements = batch.statements(Dialect::Sqlite);
        let tables: Vec<String> = statements
            .map(|(sql, _)| sql.split('"').nth(1).unwrap().to_owned())
            .collect();
        assert_eq!(tables, ["players", "guilds", "teams", "players", "players"]);
    }

    #[test]
    fn what_is_not_alike_goes_by_itself_and_rows_leave_before_others_come() {
        let both = vec![named("bob").remove(0), ("gold".into(), Value::Int(7))];
        let changes = [
            change(1, Op::Set(named("ann"))),
            change(2, Op::Put(both)),
            change(3, Op::Put(named("ann"))),
            change(4, Op::Delete),
        ];
        let mut batch = Batch::default();
        changes.iter().for_each(|change| batch.add(change));
        let statements: Vec<Statement> = batch.statements(Dialect::Sqlite).collect();
        let words = |(sql, _): &Statement| sql.split(' ').next().unwrap().to_owned();
        let done: Vec<String> = statements.iter().map(words).collect();
        assert_eq!(done, ["DELETE", "INSERT", "INSERT", "UPDATE"]);
        let ann = Value::Text("ann".to_owned());
        assert_eq!(statements[1].1, [Value::Int(3), ann.clone()]);
        assert_eq!(statements[3].1, [ann, Value::Int(1)], "the key comes last");
    }
}
