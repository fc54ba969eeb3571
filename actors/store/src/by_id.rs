//! A map by entity: its table and its key. Knows nothing of what it keeps.

use foldhash::{HashMap, HashMapExt};

use crate::change::Name;
use crate::value::Key;

/// One entity among all.
pub(crate) type Id = (Name, Key);

/// Something of each entity. Found without a key of one's own, as the map would be asked for with each change.
#[derive(Debug)]
pub(crate) struct ById<T> {
    tables: HashMap<Name, HashMap<Key, T>>,
    len: usize,
}

impl<T> Default for ById<T> {
    fn default() -> Self {
        Self {
            tables: HashMap::new(),
            len: 0,
        }
    }
}

impl<T> ById<T> {
    pub(crate) fn get(&self, table: &str, key: &Key) -> Option<&T> {
        self.tables.get(table)?.get(key)
    }

    pub(crate) fn get_mut(&mut self, table: &str, key: &Key) -> Option<&mut T> {
        self.tables.get_mut(table)?.get_mut(key)
    }

    /// Adds what is not there yet.
    pub(crate) fn insert(&mut self, (table, key): Id, value: T) {
        let old = self.tables.entry(table).or_default().insert(key, value);
        debug_assert!(old.is_none(), "it was there already");
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, table: &str, key: &Key) -> Option<T> {
        let removed = self.tables.get_mut(table)?.remove(key)?;
        self.len -= 1;
        Some(removed)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.tables.values().flat_map(HashMap::values)
    }

    /// Of how many entities there is something.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}
