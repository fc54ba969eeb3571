//! How many there are of each of some things in order, of which the first is wanted at once. Pure.

use std::collections::BTreeMap;

/// Things, each as often as it was added and not removed.
#[derive(Debug)]
pub(crate) struct Counted<T>(BTreeMap<T, usize>);

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord + Copy> Counted<T> {
    pub(crate) fn add(&mut self, one: T) {
        *self.0.entry(one).or_default() += 1;
    }

    /// Removes one that was added.
    pub(crate) fn remove(&mut self, one: T) {
        if let Some(count) = self.0.get_mut(&one) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&one);
            }
        }
    }

    /// How many there are of one.
    pub(crate) fn count(&self, one: T) -> usize {
        self.0.get(&one).copied().unwrap_or_default()
    }

    /// The least of all.
    pub(crate) fn first(&self) -> Option<T> {
        self.0.keys().next().copied()
    }
}
