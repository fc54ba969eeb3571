//! The numbers of a store, as a plain copy for people and metrics.

use std::time::Duration;

/// A store at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Whether the database answers.
    pub database_up: bool,
    /// Why and for how long it does not; `None` when it does, or has not been missed yet.
    pub database_down: Option<(String, Duration)>,
    /// Connections to the database, and how many of them are idle.
    pub connections: (u32, usize),
    /// Entities in memory.
    pub entities: usize,
    /// Entities whose changes the database lacks.
    pub backlog: usize,
    /// How long the oldest of them has waited.
    pub backlog_age: Duration,
    /// Bytes in the journal.
    pub journal_bytes: u64,
    /// Changes written to the journal.
    pub journaled: u64,
    /// Syncs of the journal.
    pub journal_syncs: u64,
    /// Failures of the journal.
    pub journal_failures: u64,
    /// Changes written to the database in batches.
    pub written: u64,
    /// Writes to the database that failed.
    pub write_failures: u64,
    /// The last of them.
    pub last_failure: Option<String>,
    /// Batches that the database refused as one, so that they were written in parts.
    pub refused_batches: u64,
    /// Changes dropped because another node had been given the entity.
    pub fenced: u64,
    /// Entities loaded from the database.
    pub loads: u64,
    /// Entities that left the memory.
    pub evicted: u64,
    /// Views answered by the cache, and not.
    pub cache_hits: u64,
    /// See `cache_hits`.
    pub cache_misses: u64,
    /// Whether all servers of the cache answer; `None` without a cache.
    pub cache_up: Option<bool>,
}
