//! The entities of one table that this node has: one cell for each, however often it is loaded.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::backlog::Backlog;
use crate::entity::{Entity, Table};
use crate::error::StoreError;
use crate::lock;
use crate::value::{Key, Value};

/// One entity: the row that there is or is not, and the right to write it.
pub(crate) struct Cell<E> {
    pub(crate) key: Key,
    pub(crate) fence: AtomicI64,
    /// `None` when there is no such row.
    pub(crate) entity: Mutex<Option<E>>,
    /// What is here is not what was acknowledged, or not this node's any more.
    pub(crate) lost: AtomicBool,
    /// The journal's number of its last change. Not the journal's own mark on it, so that its thread need not touch
    /// the memory that handlers work on.
    pub(crate) last_change: AtomicU64,
    /// Held by who changes it; by a lock for as long as it lasts.
    pub(crate) gate: Arc<tokio::sync::Mutex<()>>,
    /// When it was last used, in milliseconds since the shelf was made.
    used: AtomicU64,
}

impl<E> Cell<E> {
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

/// The shelf of one entity type.
pub(crate) struct Shelf<E> {
    cells: Mutex<HashMap<Key, Arc<Cell<E>>>>,
    made: Instant,
    /// Whether the table is known to be there.
    pub(crate) created: AtomicBool,
}

impl<E: Entity> Shelf<E> {
    pub(crate) fn new() -> Self {
        Self {
            cells: Mutex::default(),
            made: Instant::now(),
            created: AtomicBool::new(false),
        }
    }

    /// The cell of a key, which counts as used now.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Cell<E>>> {
        let cell = lock(&self.cells)
            .get(key)
            .filter(|cell| !cell.is_lost())
            .cloned()?;
        cell.used.store(self.millis(Instant::now()), Ordering::Relaxed);
        Some(cell)
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.made).as_millis()).unwrap_or(u64::MAX)
    }
}

/// A shelf, whatever its entities are.
pub(crate) trait AnyShelf: Send + Sync {
    fn table(&self) -> &'static Table;

    fn created(&self) -> &AtomicBool;

    /// Whether it has the entity.
    fn has(&self, key: &Key) -> bool;

    /// Puts an entity on the shelf that was just loaded under `fence`.
    fn place(&self, key: &Key, fence: i64, row: Option<Vec<Value>>) -> Result<(), StoreError>;

    /// Takes those off the shelf that nobody has used for `idle`: not in anybody's hands, and not to be written.
    /// Or only one of them. `settled` is the journal's number up to which changes have had their outcome.
    fn evict(
        &self,
        now: Instant,
        idle: Duration,
        settled: u64,
        backlog: &Mutex<Backlog>,
        only: Option<&Key>,
    ) -> Vec<Key>;

    /// Takes an entity off the shelf, as this node does not own it any more under `fence`; not one that it has loaded
    /// anew since.
    fn lose(&self, key: &Key, fence: i64);

    /// The row as it is now, `None` when there is none, for the cache.
    fn row(&self, key: &Key) -> Option<Option<Vec<Value>>>;

    fn len(&self) -> usize;
}

impl<E: Entity> AnyShelf for Shelf<E> {
    fn table(&self) -> &'static Table {
        E::TABLE
    }

    fn created(&self) -> &AtomicBool {
        &self.created
    }

    fn has(&self, key: &Key) -> bool {
        lock(&self.cells).get(key).is_some_and(|cell| !cell.is_lost())
    }

    fn place(&self, key: &Key, fence: i64, row: Option<Vec<Value>>) -> Result<(), StoreError> {
        let bad = |why| StoreError::BadRow {
            table: E::TABLE.name,
            why,
        };
        let entity = row.map(E::from_row).transpose().map_err(bad)?;
        let cell = Cell {
            key: key.clone(),
            fence: AtomicI64::new(fence),
            entity: Mutex::new(entity),
            lost: AtomicBool::new(false),
            last_change: AtomicU64::new(0),
            gate: Arc::default(),
            used: AtomicU64::new(self.millis(Instant::now())),
        };
        lock(&self.cells).insert(key.clone(), Arc::new(cell));
        Ok(())
    }

    fn evict(
        &self,
        now: Instant,
        idle: Duration,
        settled: u64,
        backlog: &Mutex<Backlog>,
        only: Option<&Key>,
    ) -> Vec<Key> {
        let now = self.millis(now);
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let mut cells = lock(&self.cells);
        let backlog = lock(backlog);
        let leaves = |cell: &Arc<Cell<E>>| {
            if now.saturating_sub(cell.used.load(Ordering::Relaxed)) < idle || Arc::strong_count(cell) > 1 {
                return false;
            }
            // Nobody can come by a cell while the map is locked, unless he has it in his hands. What whoever had it
            // has done is seen from here on.
            fence(Ordering::Acquire);
            cell.last_change.load(Ordering::Relaxed) <= settled && !backlog.has(E::TABLE.name, &cell.key)
        };
        let left: Vec<Key> = match only {
            Some(key) => cells
                .get(key)
                .filter(|cell| leaves(cell))
                .map(|cell| cell.key.clone())
                .into_iter()
                .collect(),
            None => cells
                .values()
                .filter(|cell| leaves(cell))
                .map(|cell| cell.key.clone())
                .collect(),
        };
        for key in &left {
            cells.remove(key);
        }
        left
    }

    fn lose(&self, key: &Key, fence: i64) {
        let mut cells = lock(&self.cells);
        let is_meant = |cell: &Arc<Cell<E>>| cell.fence.load(Ordering::Relaxed) <= fence;
        if cells.get(key).is_some_and(is_meant)
            && let Some(cell) = cells.remove(key)
        {
            cell.lost.store(true, Ordering::Release);
        }
    }

    fn row(&self, key: &Key) -> Option<Option<Vec<Value>>> {
        let cell = lock(&self.cells)
            .get(key)
            .filter(|cell| !cell.is_lost())
            .cloned()?;
        let row = lock(&cell.entity).as_ref().map(E::to_row);
        Some(row)
    }

    fn len(&self) -> usize {
        lock(&self.cells).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Change, Op};

    #[derive(Clone, crate::Entity)]
    #[entity(table = "players", mode = "behind", crate = crate)]
    struct Player {
        #[entity(key)]
        id: i64,
        gold: i64,
    }

    const IDLE: Duration = Duration::from_secs(1800);

    fn shelf() -> (Shelf<Player>, Mutex<Backlog>) {
        let shelf = Shelf::new();
        for id in 1..=3 {
            shelf
                .place(&Key::Int(id), 1, Some(vec![Value::Int(id), Value::Int(5)]))
                .unwrap();
        }
        (shelf, Mutex::default())
    }

    #[test]
    fn the_idle_leave_but_neither_the_dirty_nor_those_in_use() {
        let (shelf, backlog) = shelf();
        let now = Instant::now();
        let op = Op::Set(vec![("gold".into(), Value::Int(6))]);
        let change = Change {
            table: "players".into(),
            key_column: "id".into(),
            key: Key::Int(1),
            fence: 1,
            op,
        };
        lock(&backlog).add(now, change, 1);
        let held = shelf.get(&Key::Int(2)).unwrap();
        assert_eq!(shelf.evict(now + IDLE / 2, IDLE, 0, &backlog, None), []);
        assert_eq!(
            shelf.evict(now + IDLE * 2, IDLE, 0, &backlog, None),
            [Key::Int(3)]
        );
        held.last_change.store(7, Ordering::Relaxed);
        drop(held);
        assert_eq!(
            shelf.evict(now + IDLE * 9, IDLE, 6, &backlog, None),
            [],
            "its change waits for the journal"
        );
        assert!(shelf.has(&Key::Int(1)) && shelf.has(&Key::Int(2)) && !shelf.has(&Key::Int(3)));
        assert_eq!(
            shelf.evict(now + IDLE * 9, IDLE, 7, &backlog, None),
            [Key::Int(2)]
        );
    }

    #[test]
    fn use_keeps_an_entity() {
        let (shelf, backlog) = shelf();
        let later = Instant::now() + IDLE * 2;
        for cell in lock(&shelf.cells).values() {
            cell.used.store(shelf.millis(later - IDLE / 2), Ordering::Relaxed);
        }
        assert_eq!(shelf.evict(later, IDLE, 0, &backlog, None), []);
    }

    #[test]
    fn who_holds_a_lost_entity_learns_of_it_and_the_next_load_is_a_new_one() {
        let (shelf, _) = shelf();
        let held = shelf.get(&Key::Int(1)).unwrap();
        shelf.lose(&Key::Int(1), 1);
        assert!(held.is_lost() && !shelf.has(&Key::Int(1)));
        shelf.place(&Key::Int(1), 2, None).unwrap();
        shelf.lose(&Key::Int(1), 1);
        assert!(shelf.has(&Key::Int(1)), "it is there under a later lease");
        assert!(shelf.row(&Key::Int(1)).unwrap().is_none());
        assert_eq!(shelf.len(), 3);
    }
}
