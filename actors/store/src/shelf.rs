//! The entities of one table that this node has: one cell for each, however often it is loaded.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use foldhash::HashSet;

use crate::cell::Cell;
use crate::entity::{Entity, Table};
use crate::error::StoreError;
use crate::lock;
use crate::unwritten::Unwritten;
use crate::value::{Key, Value};

/// A cell by its key. The key is in the cell alone, so that who finds it has read all that he needs for that.
struct Shelved<E>(Arc<Cell<E>>);

impl<E> Borrow<Key> for Shelved<E> {
    fn borrow(&self) -> &Key {
        &self.0.key
    }
}

impl<E> Hash for Shelved<E> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.key.hash(hasher);
    }
}

impl<E> PartialEq for Shelved<E> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl<E> Eq for Shelved<E> {}

/// The shelf of one entity type.
pub(crate) struct Shelf<E> {
    cells: Mutex<HashSet<Shelved<E>>>,
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

    /// The cell of a key, which counts as used now. When that is, is for the next look: to read the clock would take
    /// longer than all else here.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Cell<E>>> {
        let cell = self.kept(key)?;
        cell.used.store(true, Ordering::Relaxed);
        Some(cell)
    }

    /// The cell of a key, unless it is lost.
    fn kept(&self, key: &Key) -> Option<Arc<Cell<E>>> {
        let cells = lock(&self.cells);
        let Shelved(cell) = cells.get(key)?;
        (!cell.is_lost()).then(|| Arc::clone(cell))
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
    /// Or only one of them. They are idle since the first look after they were used.
    fn evict(&self, now: Instant, idle: Duration, unwritten: &Unwritten, only: Option<&Key>) -> Vec<Key>;

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
        self.kept(key).is_some()
    }

    fn place(&self, key: &Key, fence: i64, row: Option<Vec<Value>>) -> Result<(), StoreError> {
        let bad = |why| StoreError::BadRow {
            table: E::TABLE.name,
            why,
        };
        let entity = row.map(E::from_row).transpose().map_err(bad)?;
        let cell = Cell::new(key.clone(), fence, entity);
        lock(&self.cells).replace(Shelved(Arc::new(cell)));
        Ok(())
    }

    fn evict(&self, now: Instant, idle: Duration, unwritten: &Unwritten, only: Option<&Key>) -> Vec<Key> {
        let now = self.millis(now);
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let backlog = unwritten.backlog();
        let mut cells = lock(&self.cells);
        let leaves = |Shelved(cell): &Shelved<E>| {
            if cell.used.swap(false, Ordering::Relaxed) {
                cell.seen.store(now, Ordering::Relaxed);
            }
            let is_idle = now.saturating_sub(cell.seen.load(Ordering::Relaxed)) >= idle;
            // Nobody can come by a cell while the map is locked, unless he has it in his hands: a handler, or the list
            // of those with changes for the backlog, which grows no more while that is locked and nobody has it.
            is_idle && Arc::strong_count(cell) == 1 && !backlog.has(E::TABLE.name, &cell.key)
        };
        let left: Vec<Key> = match only {
            Some(key) => cells
                .get(key)
                .filter(|shelved| leaves(shelved))
                .map(|Shelved(cell)| cell.key.clone())
                .into_iter()
                .collect(),
            None => cells
                .iter()
                .filter(|shelved| leaves(shelved))
                .map(|Shelved(cell)| cell.key.clone())
                .collect(),
        };
        for key in &left {
            cells.remove(key);
        }
        left
    }

    fn lose(&self, key: &Key, fence: i64) {
        let mut cells = lock(&self.cells);
        let is_meant = |Shelved(cell): &Shelved<E>| cell.fence <= fence;
        if cells.get(key).is_some_and(is_meant)
            && let Some(Shelved(cell)) = cells.take(key)
        {
            cell.lost.store(true, Ordering::Release);
        }
    }

    fn row(&self, key: &Key) -> Option<Option<Vec<Value>>> {
        let cell = self.kept(key)?;
        let row = lock(&cell.state).entity.as_ref().map(E::to_row);
        Some(row)
    }

    fn len(&self) -> usize {
        lock(&self.cells).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Op;
    use crate::journal::group::{Fate, Group, Ticket};

    #[derive(Clone, crate::Entity)]
    #[entity(table = "players", mode = "behind", crate = crate)]
    struct Player {
        #[entity(key)]
        id: i64,
        gold: i64,
    }

    const IDLE: Duration = Duration::from_secs(1800);

    fn shelf() -> (Shelf<Player>, Unwritten) {
        let shelf = Shelf::new();
        for id in 1..=3 {
            shelf
                .place(&Key::Int(id), 1, Some(vec![Value::Int(id), Value::Int(5)]))
                .unwrap();
        }
        (shelf, Unwritten::default())
    }

    /// A change of an entity that is given to the journal.
    fn touch(cell: &Arc<Cell<Player>>, unwritten: &Unwritten) -> Arc<Group> {
        let op = Op::Set(vec![(1, Value::Int(6))]);
        let group = Arc::<Group>::default();
        let mut state = lock(&cell.state);
        state.coming.listed = true;
        unwritten.touch(Arc::<Cell<Player>>::clone(cell));
        let ticket = Ticket::of(&group, 1);
        let before = state.entity.clone();
        state.coming.add(&op, &ticket, before);
        group
    }

    fn safe(since: Instant) -> Fate {
        Fate::Safe { segment: 1, since }
    }

    #[test]
    fn the_idle_leave_but_neither_those_to_be_written_nor_those_in_use() {
        let (shelf, unwritten) = shelf();
        let now = Instant::now();
        let evicted = |looks: u32, only| shelf.evict(now + IDLE * looks, IDLE, &unwritten, only);
        let group = touch(&shelf.get(&Key::Int(1)).unwrap(), &unwritten);
        let held = shelf.get(&Key::Int(2)).unwrap();
        assert_eq!(evicted(0, None), []);
        assert_eq!(evicted(1, None), [Key::Int(3)]);
        group.settle(safe(now));
        assert_eq!(evicted(2, None), [], "its change is in the backlog");
        let batch = unwritten.backlog().take(now, 9);
        assert_eq!(evicted(2, Some(&Key::Int(1))), [], "its change is on its way");
        unwritten.backlog().done(&batch[0]);
        assert_eq!(evicted(2, Some(&Key::Int(1))), [Key::Int(1)]);
        assert!(shelf.has(&Key::Int(2)), "it is in somebody's hands");
        drop(held);
        assert_eq!(evicted(2, None), [Key::Int(2)]);
    }

    #[test]
    fn what_was_used_is_idle_from_the_next_look_on() {
        let (shelf, unwritten) = shelf();
        let now = Instant::now();
        let evicted = |late: Duration| shelf.evict(now + late, IDLE, &unwritten, None).len();
        assert_eq!(evicted(Duration::ZERO), 0);
        drop(shelf.get(&Key::Int(1)));
        assert_eq!(evicted(IDLE / 2), 0);
        assert_eq!(evicted(IDLE), 2);
        assert_eq!((evicted(IDLE * 3 / 2), shelf.len()), (1, 0));
    }

    #[test]
    fn an_entity_is_lost_with_the_group_that_has_its_change_alone() {
        let (shelf, unwritten) = shelf();
        let [ann, bob] = [1, 2].map(|id| shelf.get(&Key::Int(id)).unwrap());
        let group = touch(&ann, &unwritten);
        let other = touch(&bob, &unwritten);
        unwritten.fail(&group);
        group.settle(Fate::Failed(StoreError::Closed));
        other.settle(safe(Instant::now()));
        assert_eq!((ann.is_lost(), bob.is_lost()), (true, false));
        let backlog = unwritten.backlog();
        assert!(backlog.len() == 1 && backlog.has("players", &Key::Int(2)));
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
