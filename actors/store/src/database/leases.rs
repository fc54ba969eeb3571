//! Leases in the database: the rules of `lease`, carried out on rows that the transaction holds.

use std::collections::{BTreeMap, HashMap};

use super::sql::{Dialect, rounded};
use super::tx::Tx;
use crate::change::Change;
use crate::error::StoreError;
use crate::lease::{Lease, NOBODY, TABLE, Verdict, decide, may_write};
use crate::value::{Key, Kind, Value};

/// Most keys of one statement.
pub(crate) const CHUNK: usize = 512;

/// Acquires the leases of entities for `me`, as far as they are free; the verdicts are in the order of the keys.
pub(crate) async fn acquire(
    tx: &mut Tx,
    me: &str,
    entity: &str,
    keys: &[Key],
) -> Result<Vec<Verdict>, StoreError> {
    let mut verdicts = Vec::with_capacity(keys.len());
    for keys in keys.chunks(CHUNK) {
        let count = rounded(keys.len());
        let insert = tx
            .dialect()
            .insert_missing(TABLE, &["entity", "pk", "owner", "fence"], count);
        let row = |key: &Key| [text(entity), text(key), text(NOBODY), Value::Int(0)];
        let values: Vec<Value> = filled(keys, count).flat_map(row).collect();
        tx.execute(insert, &values).await?;
        let rows = held(tx, entity, keys).await?;
        let nobody = Lease {
            owner: NOBODY.to_owned(),
            fence: 0,
        };
        let decided: Vec<Verdict> = keys
            .iter()
            .map(|key| decide(rows.get(&key.to_string()).unwrap_or(&nobody), me))
            .collect();
        let granted: Vec<Key> = keys
            .iter()
            .zip(&decided)
            .filter(|(_, verdict)| matches!(verdict, Verdict::Granted { fresh: true, .. }))
            .map(|(key, _)| key.clone())
            .collect();
        if !granted.is_empty() {
            let count = rounded(granted.len());
            let update = format!(
                "UPDATE {TABLE} SET owner = ?, fence = fence + 1 WHERE entity = ? AND pk IN {}",
                tx.dialect().list(count)
            );
            let values: Vec<Value> = [text(me), text(entity)]
                .into_iter()
                .chain(filled(&granted, count).map(text))
                .collect();
            tx.execute(update, &values).await?;
        }
        verdicts.extend(decided);
    }
    Ok(verdicts)
}

/// The leases of some entities; nobody else can change them until the transaction ends.
pub(crate) async fn held(
    tx: &mut Tx,
    entity: &str,
    keys: &[Key],
) -> Result<HashMap<String, Lease>, StoreError> {
    let mut leases = HashMap::with_capacity(keys.len());
    for keys in keys.chunks(CHUNK) {
        let count = rounded(keys.len());
        let select = format!(
            "SELECT pk, owner, fence FROM {TABLE} WHERE entity = ? AND pk IN {} ORDER BY pk{}",
            tx.dialect().list(count),
            tx.dialect().for_update()
        );
        let values: Vec<Value> = std::iter::once(text(entity))
            .chain(filled(keys, count).map(text))
            .collect();
        for row in tx
            .fetch(select, &values, &[Kind::Text, Kind::Text, Kind::Int])
            .await?
        {
            if let [Value::Text(pk), Value::Text(owner), Value::Int(fence)] = row.as_slice() {
                leases.insert(
                    pk.clone(),
                    Lease {
                        owner: owner.clone(),
                        fence: *fence,
                    },
                );
            }
        }
    }
    Ok(leases)
}

/// Which of some changes `me` may write; that stays so until the transaction ends.
pub(crate) async fn writable(tx: &mut Tx, me: &str, changes: &[&Change]) -> Result<Vec<bool>, StoreError> {
    // There nobody else writes during a transaction, so that no rows are to be held.
    if tx.dialect() == Dialect::Sqlite && are_all_held(tx, me, changes).await? {
        return Ok(vec![true; changes.len()]);
    }
    let mut keys: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
    for change in changes {
        keys.entry(&change.table).or_default().push(change.key.clone());
    }
    let mut leases = HashMap::new();
    for (table, keys) in keys {
        leases.insert(table, held(tx, table, &keys).await?);
    }
    let lease = |change: &Change| leases.get(&*change.table)?.get(&change.key.to_string());
    let allowed = |change: &&Change| may_write(lease(change), me, change.fence);
    Ok(changes.iter().map(allowed).collect())
}

/// Whether `me` may write all of some changes: counted, which is quicker than rows, and nearly always so.
async fn are_all_held(tx: &mut Tx, me: &str, changes: &[&Change]) -> Result<bool, StoreError> {
    for ((entity, fence), keys) in by_lease(changes.iter().copied()) {
        for keys in keys.chunks(CHUNK) {
            let count = rounded(keys.len());
            let select = format!(
                "SELECT COUNT(*) FROM {TABLE} WHERE entity = ? AND owner = ? AND fence = ? AND pk IN {}",
                tx.dialect().list(count)
            );
            let values: Vec<Value> = [text(entity), text(me), Value::Int(fence)]
                .into_iter()
                .chain(filled(keys, count).map(text))
                .collect();
            let rows = tx.fetch(select, &values, &[Kind::Int]).await?;
            let wanted = i64::try_from(keys.len()).unwrap_or(i64::MAX);
            if rows.first().and_then(|row| row.first()) != Some(&Value::Int(wanted)) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The keys of changes, by table and fencing number.
fn by_lease<'a>(changes: impl IntoIterator<Item = &'a Change>) -> BTreeMap<(&'a str, i64), Vec<Key>> {
    let mut keys: BTreeMap<(&str, i64), Vec<Key>> = BTreeMap::new();
    for change in changes {
        let alike = keys.entry((&change.table, change.fence)).or_default();
        alike.push(change.key.clone());
    }
    keys
}

/// Gives the leases of some entities up.
pub(crate) async fn release(tx: &mut Tx, me: &str, entity: &str, keys: &[Key]) -> Result<(), StoreError> {
    for keys in keys.chunks(CHUNK) {
        let count = rounded(keys.len());
        let update = format!(
            "UPDATE {TABLE} SET owner = '' WHERE entity = ? AND owner = ? AND pk IN {}",
            tx.dialect().list(count)
        );
        let values: Vec<Value> = [text(entity), text(me)]
            .into_iter()
            .chain(filled(keys, count).map(text))
            .collect();
        tx.execute(update, &values).await?;
    }
    Ok(())
}

/// Gives all leases of an owner up but those under which some changes are still to be written.
pub(crate) async fn release_all_but(tx: &mut Tx, me: &str, kept: &[Change]) -> Result<(), StoreError> {
    let update = format!("UPDATE {TABLE} SET owner = '' WHERE owner = ?");
    tx.execute(update, &[text(me)]).await?;
    // In the same transaction, so that nobody has seen them free.
    for ((entity, fence), keys) in by_lease(kept) {
        for keys in keys.chunks(CHUNK) {
            let count = rounded(keys.len());
            let update = format!(
                "UPDATE {TABLE} SET owner = ? WHERE entity = ? AND owner = '' AND fence = ? AND pk IN {}",
                tx.dialect().list(count)
            );
            let values: Vec<Value> = [text(me), text(entity), Value::Int(fence)]
                .into_iter()
                .chain(filled(keys, count).map(text))
                .collect();
            tx.execute(update, &values).await?;
        }
    }
    Ok(())
}

/// Takes the leases of `owner` away, which is a node, with all its journals, or one `NODE#JOURNAL`; not those of `me`.
/// Their numbers grow, so that the owner cannot write any more.
pub(crate) async fn force(tx: &mut Tx, me: &str, owner: &str, note: &str) -> Result<u64, StoreError> {
    let (condition, values) = owned(me, owner);
    let update = format!("UPDATE {TABLE} SET owner = '', fence = fence + 1, forced = ? WHERE {condition}");
    let note: String = note.chars().take(400).collect();
    let values: Vec<Value> = std::iter::once(Value::Text(note)).chain(values).collect();
    tx.execute(update, &values).await.map(|done| done.rows)
}

/// How many leases `force` would take away.
pub(crate) async fn count(tx: &mut Tx, me: &str, owner: &str) -> Result<u64, StoreError> {
    let (condition, values) = owned(me, owner);
    let select = format!("SELECT COUNT(*) FROM {TABLE} WHERE {condition}");
    let rows = tx.fetch(select, &values, &[Kind::Int]).await?;
    Ok(match rows.first().and_then(|row| row.first()) {
        Some(Value::Int(count)) => u64::try_from(*count).unwrap_or_default(),
        _ => 0,
    })
}

/// The leases of `owner` without those of `me`. Not by LIKE, for which an underscore in a name is any letter.
fn owned(me: &str, owner: &str) -> (String, [Value; 3]) {
    let journals = format!("{owner}#");
    let letters = journals.chars().count();
    let condition = format!("owner <> ? AND (owner = ? OR SUBSTR(owner, 1, {letters}) = ?)");
    (condition, [text(me), text(owner), Value::Text(journals)])
}

/// `count` of the keys' items, the last one again and again.
fn filled(keys: &[Key], count: usize) -> impl Iterator<Item = &Key> {
    keys.iter().chain(keys.last().into_iter().cycle()).take(count)
}

pub(super) fn text(what: impl std::fmt::Display) -> Value {
    Value::Text(what.to_string())
}
