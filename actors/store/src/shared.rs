//! What the tasks and handles of a store share: where a change, a load or a failure finds what it needs.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::backlog::Taken;
use crate::cache::Cache;
use crate::change::Change;
use crate::database::health::Health;
use crate::database::tx::Database;
use crate::database::{leases, rows};
use crate::desk;
use crate::error::StoreError;
use crate::flusher;
use crate::journal::files::Folder;
use crate::journal::writer::Journal;
use crate::lock;
use crate::settings::Settings;
use crate::shelf::AnyShelf;
use crate::snapshot::Snapshot;
use crate::unwritten::Unwritten;
use crate::value::{Key, Value};

/// Least time between two lines of the log about batches that are refused.
const BETWEEN_REFUSALS: Duration = Duration::from_secs(10);

/// What is known once the store is open.
pub(crate) struct Opened {
    pub(crate) me: String,
    pub(crate) journal: Journal,
    /// Keeps the lock.
    pub(crate) _folder: Arc<Folder>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) loads: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// Batches that the database refused as one.
    pub(crate) refusals: AtomicU64,
    pub(crate) fenced: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

/// Work on the store's own thread. It is small, unlike the work: it becomes part of handlers' futures.
pub(crate) struct Working<R>(JoinHandle<Result<R, StoreError>>);

impl<R> Future for Working<R> {
    type Output = Result<R, StoreError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = Pin::new(&mut self.0).poll(task);
        ended.map(|ended| ended.unwrap_or(Err(StoreError::Closed)))
    }
}

/// A shelf, as its type and without it.
pub(crate) struct Registered {
    pub(crate) typed: Arc<dyn Any + Send + Sync>,
    pub(crate) any: Arc<dyn AnyShelf>,
}

/// What the store's tasks and the handles share.
pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) db: Database,
    pub(crate) opened: OnceLock<Opened>,
    pub(crate) unwritten: Arc<Unwritten>,
    pub(crate) counters: Counters,
    /// Held by who flushes.
    pub(crate) flushing: tokio::sync::Mutex<()>,
    pub(crate) shelves: Mutex<HashMap<TypeId, Registered>>,
    pub(crate) desk: mpsc::Sender<desk::Command>,
    pub(crate) cache: Option<Cache>,
    pub(crate) for_cache: mpsc::Sender<(String, Key)>,
    pub(crate) last_failure: Mutex<Option<String>>,
    /// When it was last logged that a batch was refused.
    pub(crate) told_refusal: Mutex<Option<Instant>>,
    pub(crate) closed: AtomicBool,
    pub(crate) handle: Handle,
}

impl Core {
    /// The owner's name in leases. Empty until the store is open.
    pub(crate) fn me(&self) -> &str {
        self.opened.get().map_or("", |opened| &opened.me)
    }

    pub(crate) fn journal(&self) -> Result<&Journal, StoreError> {
        let opened = self.opened.get();
        opened
            .map(|opened| &opened.journal)
            .ok_or_else(|| StoreError::unavailable("it is being opened"))
    }

    pub(crate) fn shelves(&self) -> Vec<Arc<dyn AnyShelf>> {
        lock(&self.shelves)
            .values()
            .map(|registered| Arc::clone(&registered.any))
            .collect()
    }

    pub(crate) fn shelf(&self, table: &str) -> Option<Arc<dyn AnyShelf>> {
        self.shelves()
            .into_iter()
            .find(|shelf| shelf.table().name == table)
    }

    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            Err(StoreError::Closed)
        } else {
            Ok(())
        }
    }

    /// Refuses a change of an entity when too many others wait to be written.
    pub(crate) fn check_room(&self, table: &'static str, key: &Key) -> Result<(), StoreError> {
        if self
            .unwritten
            .has_room(self.settings.journal.max_backlog, table, key)
        {
            return Ok(());
        }
        Err(StoreError::Overloaded(
            "too many entities wait to be written to the database",
        ))
    }

    /// Waits for the store to open, as long as nothing speaks against it.
    pub(crate) async fn opened(&self) -> Result<(), StoreError> {
        self.check_open()?;
        if let Health::Up = &*self.db.health.watch().borrow() {
            return Ok(());
        }
        let mut health = self.db.health.watch();
        let settled = health.wait_for(|health| *health != Health::Opening);
        match timeout(self.settings.wait, settled)
            .await
            .map(|health| health.map(|health| health.clone()))
        {
            Ok(Ok(Health::Up)) => Ok(()),
            Ok(Ok(Health::Down { why, .. })) => Err(StoreError::Unavailable(why)),
            Ok(_) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::unavailable("it is being opened")),
        }
    }

    /// Does work on the store's own thread; it goes on also when nobody waits for it any more.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        work: impl Future<Output = Result<R, StoreError>> + Send + 'static,
    ) -> Working<R> {
        Working(self.handle.spawn(work))
    }

    pub(crate) fn ask_desk(&self, command: desk::Command) -> Result<(), StoreError> {
        self.desk.try_send(command).map_err(|why| match why {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded("too many loads wait"),
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })
    }

    pub(crate) async fn make_table(&self, shelf: &dyn AnyShelf) -> Result<(), StoreError> {
        if !shelf.created().load(Ordering::Acquire) {
            rows::create(&self.db, shelf.table()).await?;
            shelf.created().store(true, Ordering::Release);
        }
        Ok(())
    }

    /// A row for looking at: from the cache, else from the database.
    pub(crate) async fn view(
        &self,
        shelf: &dyn AnyShelf,
        key: &Key,
    ) -> Result<Option<Vec<Value>>, StoreError> {
        key.check()?;
        let table = shelf.table();
        if let Some(cache) = &self.cache {
            let row = cache.get(table.name, key, &table.kinds()).await;
            let counter = if row.is_some() {
                &self.counters.hits
            } else {
                &self.counters.misses
            };
            counter.fetch_add(1, Ordering::Relaxed);
            if row.is_some() {
                return Ok(row);
            }
        }
        self.opened().await?;
        self.make_table(shelf).await?;
        let tail = format!("WHERE {} = ?", self.db.dialect().name(table.key_column().name));
        let row = rows::select(&self.db, table, &tail, &[key.value()]).await?.pop();
        if let (Some(cache), Some(row)) = (&self.cache, &row) {
            cache.put(table.name, key, Some(row)).await;
        }
        Ok(row)
    }

    /// Has the cache learn of what was written, if others see it.
    pub(crate) fn tell_cache(&self, batch: &[Taken]) {
        batch.iter().for_each(|taken| self.tell_cache_of(&taken.change));
    }

    pub(crate) fn tell_cache_of(&self, change: &Change) {
        if self.cache.as_ref().is_some_and(Cache::is_shared) {
            // A row that is left out is an old one until its time is over.
            self.for_cache
                .try_send((change.table.to_string(), change.key.clone()))
                .unwrap_or_default();
        }
    }

    pub(crate) fn tidy(&self) {
        if let Some(opened) = self.opened.get() {
            opened.journal.tidy();
        }
    }

    /// A write was refused, as this node is not the owner any more.
    pub(crate) fn fenced(&self, change: &Change) {
        self.counters.fenced.fetch_add(1, Ordering::Relaxed);
        tracing::error!(table = %change.table, key = %change.key, "a change is dropped: the lease was taken away");
        self.lose(change);
    }

    /// The entity of a change is not in memory as it is elsewhere, and has to be loaded again.
    pub(crate) fn lose(&self, change: &Change) {
        if let Some(shelf) = self.shelf(&change.table) {
            shelf.lose(&change.key, change.fence);
        }
    }

    /// The database has refused changes as one. Is logged now and then, as there may be many a second.
    pub(crate) fn refused(&self, changes: usize, why: &StoreError) {
        let count = self.counters.refusals.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told = lock(&self.told_refusal);
        if told.is_none_or(|told: Instant| told.elapsed() >= BETWEEN_REFUSALS) {
            *told = Some(Instant::now());
            tracing::warn!(changes, count, %why, "a batch is refused, and is written in parts");
        }
    }

    pub(crate) fn failed(&self, why: &StoreError) {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        *lock(&self.last_failure) = Some(why.to_string());
    }

    /// Writes everything, and gives all leases up; what the database refuses stays in the journal, with its leases.
    pub(crate) async fn finish(&self) -> Result<(), StoreError> {
        let Some(opened) = self.opened.get() else {
            return Ok(());
        };
        // Nothing may be acknowledged once the leases are given up.
        opened.journal.seal();
        let refused = loop {
            // In this order, as changes go from the journal to the backlog.
            let is_settled = !self.has_waiting();
            let left = self.unwritten.backlog().only_refused();
            match left.filter(|_| is_settled) {
                Some(refused) => break refused,
                None => flusher::flush(self).await?,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let mut tx = self.db.begin().await?;
        leases::release_all_but(&mut tx, self.me(), &refused).await?;
        tx.commit().await?;
        self.tidy();
        match refused.len() {
            0 => Ok(()),
            count => {
                let left = format!("{count} changes, which stay in the journal");
                Err(StoreError::Refused(left.into()))
            }
        }
    }

    /// Has entities leave a shelf, see [`AnyShelf::evict`].
    pub(crate) fn evict(&self, shelf: &dyn AnyShelf, idle: Duration, only: Option<&Key>) -> Vec<Key> {
        shelf.evict(Instant::now(), idle, &self.unwritten, only)
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.opened
            .get()
            .is_some_and(|opened| opened.journal.has_waiting())
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let (up, down) = match self.db.health.now() {
            Health::Down { since, why } => (false, Some((why.to_string(), since.elapsed()))),
            health => (health == Health::Up, None),
        };
        let (backlog, oldest, overtaken) = {
            let backlog = self.unwritten.backlog();
            (backlog.len(), backlog.oldest(), backlog.overtaken())
        };
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let journal = self.opened.get().map(|opened| &opened.journal.counters);
        let of_journal = |pick: fn(&crate::journal::writer::Counters) -> &AtomicU64| {
            journal.map_or(0, |counters| count(pick(counters)))
        };
        Snapshot {
            database_up: up,
            database_down: down,
            connections: self.db.pool.size(),
            entities: self.shelves().iter().map(|shelf| shelf.len()).sum(),
            backlog,
            backlog_age: oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed()),
            journal_bytes: of_journal(|counters| &counters.bytes),
            journaled: of_journal(|counters| &counters.appended),
            journal_syncs: of_journal(|counters| &counters.syncs),
            journal_failures: of_journal(|counters| &counters.failures),
            written: count(&self.counters.written),
            write_failures: count(&self.counters.failures),
            last_failure: lock(&self.last_failure).clone(),
            refused_batches: count(&self.counters.refusals),
            fenced: count(&self.counters.fenced) + overtaken,
            loads: count(&self.counters.loads),
            evicted: count(&self.counters.evicted),
            cache_hits: count(&self.counters.hits),
            cache_misses: count(&self.counters.misses),
            cache_up: self.cache.as_ref().map(Cache::is_up),
        }
    }
}
