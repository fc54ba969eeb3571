//! The data layer of a node in numbers: what its store counts, in the units that people and metrics use.

use lampyris_store::Snapshot;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The database, journal and cache of a node. What only grows is counted since the node's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct DataReport {
    /// Whether the database answers.
    pub(crate) database_up: bool,
    /// Since when and why it does not, once it has been missed.
    pub(crate) database_down: Option<OutageReport>,
    /// The last write to the database that failed.
    pub(crate) last_failure: Option<String>,
    /// Connections to the database.
    pub(crate) connections: u64,
    /// How many of them are idle.
    pub(crate) connections_idle: u64,
    /// Entities in memory.
    pub(crate) entities: u64,
    /// Entities whose changes the database lacks.
    pub(crate) backlog: u64,
    /// How long the oldest of them has waited, in seconds.
    pub(crate) backlog_age: f64,
    /// Bytes in the journal.
    pub(crate) journal_bytes: u64,
    /// Changes written to the journal.
    pub(crate) journaled: u64,
    /// Syncs of the journal.
    pub(crate) journal_syncs: u64,
    /// Failures of the journal.
    pub(crate) journal_failures: u64,
    /// Changes written to the database behind their answers.
    pub(crate) written: u64,
    /// Writes to the database that failed.
    pub(crate) write_failures: u64,
    /// Changes dropped because another node had been given the entity.
    pub(crate) fenced: u64,
    /// Entities loaded from the database.
    pub(crate) loads: u64,
    /// Entities that left the memory.
    pub(crate) evicted: u64,
    /// Only of a node with a cache.
    pub(crate) cache: Option<CacheReport>,
}

/// A database that does not answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct OutageReport {
    /// For how long, in seconds.
    pub(crate) since: f64,
    /// Why, as the first failure said.
    pub(crate) why: String,
}

/// The cache of a node, for those who only look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CacheReport {
    /// Whether all its servers answer.
    pub(crate) up: bool,
    /// Looks that it answered.
    pub(crate) hits: u64,
    /// Looks that it did not.
    pub(crate) misses: u64,
}

impl From<Snapshot> for DataReport {
    fn from(store: Snapshot) -> Self {
        let (connections, idle) = store.connections;
        Self {
            database_up: store.database_up,
            database_down: store.database_down.map(|(why, since)| OutageReport {
                since: since.as_secs_f64(),
                why,
            }),
            last_failure: store.last_failure,
            connections: connections.into(),
            connections_idle: idle as u64,
            entities: store.entities as u64,
            backlog: store.backlog as u64,
            backlog_age: store.backlog_age.as_secs_f64(),
            journal_bytes: store.journal_bytes,
            journaled: store.journaled,
            journal_syncs: store.journal_syncs,
            journal_failures: store.journal_failures,
            written: store.written,
            write_failures: store.write_failures,
            fenced: store.fenced,
            loads: store.loads,
            evicted: store.evicted,
            cache: store.cache_up.map(|up| CacheReport {
                up,
                hits: store.cache_hits,
                misses: store.cache_misses,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_database_that_is_down_is_told_with_time_and_cause() {
        let down = DataReport::from(Snapshot {
            database_down: Some(("refused".into(), Duration::from_millis(2500))),
            last_failure: Some("a write".into()),
            connections: (8, 3),
            backlog_age: Duration::from_millis(1500),
            ..Snapshot::default()
        });
        let outage = OutageReport {
            since: 2.5,
            why: "refused".into(),
        };
        assert_eq!((down.database_up, &down.database_down), (false, &Some(outage)));
        assert_eq!((down.connections, down.connections_idle), (8, 3));
        assert_eq!(
            (down.backlog_age, down.last_failure.as_deref()),
            (1.5, Some("a write"))
        );
    }

    #[test]
    fn a_store_without_a_cache_has_no_numbers_of_one() {
        let with = |cache_up| {
            let snapshot = Snapshot {
                cache_up,
                cache_hits: 4,
                ..Snapshot::default()
            };
            DataReport::from(snapshot).cache
        };
        assert_eq!(with(None), None);
        let cache = with(Some(false)).unwrap();
        assert_eq!((cache.up, cache.hits, cache.misses), (false, 4, 0));
    }
}
