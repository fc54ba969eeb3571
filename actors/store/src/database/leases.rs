//! Leases in the database: the rules of `lease`, carried out on rows that the transaction holds.

use std::collections::{BTreeMap, HashMap};

use super::sql::{Dialect, rounded};
use super::tx::{Database, Tx};
use crate::change::Change;
use crate::error::StoreError;
use crate::lease::{Lease, NOBODY, TABLE, Verdict, decide, may_write};
use crate::value::{Key, Kind, Value};

/// Most keys of one statement.
pub(crate) const CHUNK: usize = 512;

/// Whether a lease is somebody's, beside its key. Written so that no planner looks through all of an owner's by their
/// index: the keys are fewer.
const OWNER: &str = "COALESCE(owner, '')";

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
                "SELECT COUNT(*) FROM {TABLE} WHERE entity = ? AND {OWNER} = ? AND fence = ? AND pk IN {}",
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
            "UPDATE {TABLE} SET owner = '' WHERE entity = ? AND {OWNER} = ? AND pk IN {}",
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
                "UPDATE {TABLE} SET owner = ? WHERE entity = ? AND {OWNER} = '' AND fence = ? AND pk IN {}",
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
/// Their numbers grow, so that the owner cannot write any more. In several transactions, `done` being told after each
/// how many leases that were.
pub(crate) async fn force(
    db: &Database,
    me: &str,
    owner: &str,
    note: &str,
    mut done: impl FnMut(u64),
) -> Result<(), StoreError> {
    let note = Value::Text(note.chars().take(400).collect());
    for owner in owners(db, me, owner).await? {
        loop {
            let mut tx = db.begin_anyway().await?;
            let leases = some_of(&mut tx, &owner).await?;
            let mut count = 0;
            for (entity, keys) in &leases {
                count += take_away(&mut tx, &owner, entity, keys, &note).await?;
            }
            tx.commit().await?;
            if leases.is_empty() {
                break;
            }
            done(count);
        }
    }
    Ok(())
}

/// How many leases `force` would take away.
pub(crate) async fn count(db: &Database, me: &str, owner: &str) -> Result<u64, StoreError> {
    let mut count = 0;
    for owner in owners(db, me, owner).await? {
        let select = format!("SELECT COUNT(*) FROM {TABLE} WHERE owner = ?");
        let mut tx = db.begin_anyway().await?;
        let rows = tx.fetch(select, &[text(owner)], &[Kind::Int]).await?;
        tx.commit().await?;
        if let Some([Value::Int(leases)]) = rows.first().map(Vec::as_slice) {
            count += u64::try_from(*leases).unwrap_or_default();
        }
    }
    Ok(count)
}

/// Those who have leases and are meant by `owner`, without `me`. From one owner to the next in the index: there are few
/// owners, and may be many leases.
async fn owners(db: &Database, me: &str, owner: &str) -> Result<Vec<String>, StoreError> {
    let journals = format!("{owner}#");
    let select = format!("SELECT MIN(owner) FROM {TABLE} WHERE owner > ?");
    let (mut owners, mut last) = (Vec::new(), NOBODY.to_owned());
    let mut tx = db.begin_anyway().await?;
    while let Some(Value::Text(next)) = tx
        .fetch(select.clone(), &[text(&last)], &[Kind::Text])
        .await?
        .pop()
        .and_then(|mut row| row.pop())
    {
        if next != me && (next == owner || next.starts_with(&journals)) {
            owners.push(next.clone());
        }
        last = next;
    }
    tx.commit().await?;
    Ok(owners)
}

/// Some leases of an owner, by their tables.
async fn some_of(tx: &mut Tx, owner: &str) -> Result<BTreeMap<String, Vec<Key>>, StoreError> {
    let select = format!("SELECT entity, pk FROM {TABLE} WHERE owner = ? LIMIT {CHUNK}");
    let rows = tx
        .fetch(select, &[text(owner)], &[Kind::Text, Kind::Text])
        .await?;
    let mut leases: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for row in rows {
        if let Ok([Value::Text(entity), Value::Text(pk)]) = <[Value; 2]>::try_from(row) {
            leases.entry(entity).or_default().push(Key::Text(pk.into()));
        }
    }
    Ok(leases)
}

async fn take_away(
    tx: &mut Tx,
    owner: &str,
    entity: &str,
    keys: &[Key],
    note: &Value,
) -> Result<u64, StoreError> {
    let count = rounded(keys.len());
    // Of those that have been given up in the meantime there are none.
    let update = format!(
        "UPDATE {TABLE} SET owner = '', fence = fence + 1, forced = ? WHERE entity = ? AND {OWNER} = ? AND pk IN {}",
        tx.dialect().list(count)
    );
    let values: Vec<Value> = [note.clone(), text(entity), text(owner)]
        .into_iter()
        .chain(filled(keys, count).map(text))
        .collect();
    tx.execute(update, &values).await.map(|done| done.rows)
}

/// `count` of the keys' items, the last one again and again.
fn filled(keys: &[Key], count: usize) -> impl Iterator<Item = &Key> {
    keys.iter().chain(keys.last().into_iter().cycle()).take(count)
}

pub(super) fn text(what: impl std::fmt::Display) -> Value {
    Value::Text(what.to_string())
}
