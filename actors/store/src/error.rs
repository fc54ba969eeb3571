//! Why the store could not do what it was asked, by what the caller should do about it.

use std::sync::Arc;

use crate::value::Key;

/// Whether a write that failed may have taken place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It did not, and will not.
    No,
    /// Nobody on this side can know.
    Maybe,
}

/// What a caller of the store gets instead of a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The node has no store.
    #[error("this node has no database: its entry in the configuration needs `db = true`")]
    NotConfigured,
    /// The database, or the journal, cannot be reached. Known beforehand, so that nothing was tried.
    #[error("the store is unavailable: {0}")]
    Unavailable(Arc<str>),
    /// The connection was lost, or the time was over, while a write was under way.
    #[error("the outcome of a write is unknown: {0}")]
    Uncertain(Arc<str>),
    /// Too much waits to be written.
    #[error("the store is overloaded: {0}")]
    Overloaded(&'static str),
    /// Another node owns the entity.
    #[error("{table} {key} is owned by {owner}")]
    OwnedElsewhere {
        /// The entity's table.
        table: &'static str,
        /// Its primary key.
        key: Key,
        /// The owner, `NODE#JOURNAL`.
        owner: Arc<str>,
    },
    /// This node was the owner, and is no more; or what it knew of the entity is out of date. Load it again.
    #[error("{table} {key} is no longer held by this node; load it again")]
    Lost {
        /// The entity's table.
        table: &'static str,
        /// Its primary key.
        key: Key,
    },
    /// An entity that is to be inserted is there already.
    #[error("{table} {key} exists already")]
    Exists {
        /// The entity's table.
        table: &'static str,
        /// Its primary key.
        key: Key,
    },
    /// An entity that is to be changed is not there.
    #[error("{table} {key} does not exist")]
    Absent {
        /// The entity's table.
        table: &'static str,
        /// Its primary key.
        key: Key,
    },
    /// A key that cannot be stored, or was changed.
    #[error("not a usable key: {0}")]
    BadKey(String),
    /// The database refuses the statement. Trying again does not help.
    #[error("the database refuses: {0}")]
    Refused(Arc<str>),
    /// A row does not fit the entity.
    #[error("a row of {table} does not fit: {why}")]
    BadRow {
        /// The entity's table.
        table: &'static str,
        /// Which column, and what is wrong.
        why: String,
    },
    /// The store is closed, as the node stops.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the write took place. Reads never do harm.
    pub fn ran(&self) -> Ran {
        match self {
            Self::Uncertain(_) => Ran::Maybe,
            _ => Ran::No,
        }
    }

    pub(crate) fn unavailable(why: impl std::fmt::Display) -> Self {
        Self::Unavailable(why.to_string().into())
    }
}
