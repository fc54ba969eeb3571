//! Rows: loads them with their leases, and carries out changes under the leases' numbers.

use std::collections::HashMap;

use super::batch::Batch;
use super::leases;
use super::sql::{marks, rounded};
use super::tx::{Database, Tx};
use crate::change::Change;
use crate::entity::Table;
use crate::error::StoreError;
use crate::lease::Verdict;
use crate::value::{Key, Kind, Value};

/// A row by its key, `None` for none, and the fencing number under which it may be written.
pub(crate) type Loaded = (i64, Option<Vec<Value>>);

/// What came of one entity that was to be loaded.
pub(crate) enum Outcome {
    Loaded(Loaded),
    OwnedElsewhere(std::sync::Arc<str>),
}

/// What came of one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    /// This node is not the owner any more.
    Fenced,
}

/// Makes the table of an entity, if it is not there.
pub(crate) async fn create(db: &Database, table: &Table) -> Result<(), StoreError> {
    for statement in db.dialect().create(table) {
        let mut tx = db.begin().await?;
        match tx.execute(statement, &[]).await {
            Ok(_) => tx.commit().await?,
            // An index that is there already, or a table that is not ours to make; reading it will show.
            Err(StoreError::Refused(why)) => {
                tracing::debug!(table = table.name, %why, "not made");
                tx.roll_back().await;
            }
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

/// Loads rows together with their leases, in the order of the keys.
pub(crate) async fn load(
    db: &Database,
    me: &str,
    table: &Table,
    keys: &[Key],
) -> Result<Vec<Outcome>, StoreError> {
    let mut tx = db.begin().await?;
    let result = load_in(&mut tx, me, table, keys).await;
    finish(tx, result).await
}

async fn load_in(tx: &mut Tx, me: &str, table: &Table, keys: &[Key]) -> Result<Vec<Outcome>, StoreError> {
    let verdicts = leases::acquire(tx, me, table.name, keys).await?;
    let mut rows = by_keys(tx, table, keys).await?;
    let outcome = |(key, verdict)| match verdict {
        Verdict::Granted { fence, .. } => Outcome::Loaded((fence, rows.remove(key))),
        Verdict::Refused { owner } => Outcome::OwnedElsewhere(owner),
    };
    Ok(keys.iter().zip(verdicts).map(outcome).collect())
}

async fn by_keys(tx: &mut Tx, table: &Table, keys: &[Key]) -> Result<HashMap<Key, Vec<Value>>, StoreError> {
    let mut found = HashMap::with_capacity(keys.len());
    let (dialect, kinds) = (tx.dialect(), table.kinds());
    for keys in keys.chunks(leases::CHUNK) {
        let count = rounded(keys.len());
        let select = format!(
            "{} WHERE {} IN ({})",
            dialect.select(table),
            dialect.name(table.key_column().name),
            marks(count)
        );
        let filled = keys.iter().chain(keys.last().into_iter().cycle()).take(count);
        let values: Vec<Value> = filled.map(Key::value).collect();
        for row in tx.fetch(select, &values, &kinds).await? {
            let key = Key::of(row[table.key].clone()).map_err(|why| StoreError::BadRow {
                table: table.name,
                why,
            })?;
            found.insert(key, row);
        }
    }
    Ok(found)
}

/// The rows of a question, `tail` being what stands behind `FROM table`.
pub(crate) async fn select(
    db: &Database,
    table: &Table,
    tail: &str,
    values: &[Value],
) -> Result<Vec<Vec<Value>>, StoreError> {
    let mut tx = db.begin().await?;
    let sql = format!("{} {tail}", tx.dialect().select(table));
    let result = tx.fetch(sql, values, &table.kinds()).await;
    finish(tx, result).await
}

/// The primary keys of the rows with a foreign key.
pub(crate) async fn keys_of(db: &Database, table: &Table, foreign: &Key) -> Result<Vec<Key>, StoreError> {
    let Some(column) = table.foreign.map(|at| table.columns[at].name) else {
        return Err(StoreError::BadKey(format!("{} has no foreign key", table.name)));
    };
    let mut tx = db.begin().await?;
    let (dialect, key) = (tx.dialect(), table.key_column());
    let sql = format!(
        "SELECT {key} FROM {} WHERE {} = ? ORDER BY {key}",
        dialect.name(table.name),
        dialect.name(column),
        key = dialect.name(key.name),
    );
    let result = tx.fetch(sql, &[foreign.value()], &[key.kind]).await;
    let rows = finish(tx, result).await?;
    let bad = |why| StoreError::BadRow {
        table: table.name,
        why,
    };
    rows.into_iter()
        .flatten()
        .map(|value| Key::of(value).map_err(bad))
        .collect()
}

/// Inserts a row whose key the database draws, and gives the key.
pub(crate) async fn insert_generated(
    db: &Database,
    table: &Table,
    row: Vec<Value>,
) -> Result<Key, StoreError> {
    let mut tx = db.begin().await?;
    let sql = tx.dialect().insert_generated(table);
    let others = row.into_iter().enumerate().filter(|(at, _)| *at != table.key);
    let values: Vec<Value> = others.map(|(_, value)| value).collect();
    let result = if sql.contains(" RETURNING ") {
        tx.fetch(sql, &values, &[Kind::Int]).await.map(|rows| {
            match rows.first().and_then(|row| row.first()) {
                Some(Value::Int(id)) => *id,
                _ => 0,
            }
        })
    } else {
        tx.execute(sql, &values).await.map(|done| done.id)
    };
    finish(tx, result).await.map(Key::Int)
}

/// Carries out changes, all or none of them but for those that are fenced; the answers are in their order.
pub(crate) async fn write(db: &Database, me: &str, changes: &[&Change]) -> Result<Vec<Written>, StoreError> {
    let mut tx = db.begin().await?;
    let result = write_in(&mut tx, me, changes).await;
    finish(tx, result).await
}

async fn write_in(tx: &mut Tx, me: &str, changes: &[&Change]) -> Result<Vec<Written>, StoreError> {
    let writable = leases::writable(tx, me, changes).await?;
    let mut written = Vec::with_capacity(changes.len());
    let mut batch = Batch::default();
    for (change, writable) in changes.iter().zip(writable) {
        if writable {
            batch.add(change);
        }
        written.push(if writable { Written::Yes } else { Written::Fenced });
    }
    for (sql, values) in batch.statements(tx.dialect()) {
        tx.execute(sql, &values).await?;
    }
    Ok(written)
}

async fn finish<T>(tx: Tx, result: Result<T, StoreError>) -> Result<T, StoreError> {
    match result {
        Ok(value) => tx.commit().await.map(|()| value),
        Err(why @ StoreError::Refused(_)) => {
            tx.roll_back().await;
            Err(why)
        }
        Err(why) => Err(why),
    }
}
