//! A store: opened without waiting for its database, closed when everything is written.

use std::any::TypeId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::cache::Cache;
use crate::database::health::{Health, HealthBoard};
use crate::database::tx::Database;
use crate::database::{leases, open};
use crate::desk;
use crate::entities::Entities;
use crate::entity::Entity;
use crate::error::StoreError;
use crate::flusher;
use crate::keeper;
use crate::lock;
use crate::settings::Settings;
use crate::shared::{Core, Counters, Registered};
use crate::shelf::Shelf;
use crate::snapshot::Snapshot;
use crate::value::Key;

/// Rows that wait for the cache; more are left out.
const CACHE_QUEUE: usize = 4096;

/// The store of a node. Cheap to clone.
#[derive(Clone)]
pub struct Store(Option<Arc<Inner>>);

/// What the handles hold. Its end is the end of the store's thread.
struct Inner {
    core: Arc<Core>,
    runtime: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not possible here; who wants it calls `close`.
            runtime.shutdown_background();
        }
    }
}

impl Store {
    /// Opens a store. It does not wait for the database: see [`Store::health`].
    ///
    /// # Errors
    /// The settings name no database, or there is no thread to be had.
    pub fn open(settings: Settings) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(StoreError::unavailable)?;
        let _entered = runtime.enter();
        let pool = open::open(&settings.database)?;
        let db = Database {
            pool,
            health: HealthBoard::new(),
            timeout: settings.database.timeout,
        };
        let (desk, wanted) = mpsc::channel(desk::QUEUE);
        let (for_cache, cached) = mpsc::channel(CACHE_QUEUE);
        let core = Arc::new(Core {
            cache: settings.cache.as_ref().map(Cache::open),
            settings,
            db,
            opened: OnceLock::new(),
            unwritten: Arc::default(),
            counters: Counters::default(),
            flushing: tokio::sync::Mutex::default(),
            shelves: Mutex::default(),
            desk,
            for_cache,
            last_failure: Mutex::default(),
            told_refusal: Mutex::default(),
            closed: AtomicBool::new(false),
            handle: runtime.handle().clone(),
        });
        runtime.spawn(keeper::run(Arc::clone(&core)));
        runtime.spawn(desk::run(Arc::clone(&core), wanted));
        runtime.spawn(flusher::run(Arc::clone(&core)));
        runtime.spawn(fill_cache(Arc::clone(&core), cached));
        Ok(Self(Some(Arc::new(Inner {
            core,
            runtime: Some(runtime),
        }))))
    }

    /// The store of a node that has none: everything is [`StoreError::NotConfigured`].
    pub fn none() -> Self {
        Self(None)
    }

    /// Whether the node has one.
    pub fn is_configured(&self) -> bool {
        self.0.is_some()
    }

    /// The entities of a table. Its table is made when it is first used and not there.
    pub fn entities<E: Entity>(&self) -> Entities<E> {
        let Some(inner) = &self.0 else {
            return Entities::new(None, Arc::new(Shelf::new()));
        };
        let mut shelves = lock(&inner.core.shelves);
        let registered = shelves.entry(TypeId::of::<E>()).or_insert_with(|| {
            let shelf = Arc::new(Shelf::<E>::new());
            Registered {
                typed: shelf.clone(),
                any: shelf,
            }
        });
        let shelf = Arc::clone(&registered.typed).downcast::<Shelf<E>>();
        let shelf = shelf.expect("because it is registered under its type");
        Entities::new(Some(Arc::clone(&inner.core)), shelf)
    }

    /// Whether the database is up, and news of it. `None` for a node without one.
    pub fn health(&self) -> Option<watch::Receiver<Health>> {
        self.0.as_ref().map(|inner| inner.core.db.health.watch())
    }

    /// Waits until the store is open.
    ///
    /// # Errors
    /// It is not within the time of [`Settings::wait`], or the database is known to be down.
    pub async fn opened(&self) -> Result<(), StoreError> {
        self.core()?.opened().await
    }

    /// Writes to the database what waits now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and the like; what was not written stays in the journal.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let core = Arc::clone(self.core()?);
        self.core()?.run(async move { flusher::flush(&core).await }).await
    }

    /// Takes the leases of a node away that does not come back: what is in its journal alone is then lost, and
    /// should it come back, it cannot write any more. `owner` is the node's name, or `NODE#JOURNAL`. The leases of
    /// this store itself stay, so that a node can free what was its own under a journal that is lost. Is logged, and
    /// noted in each lease. Gives the number of leases. They are taken away few at a time, so that others can work
    /// meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and the like, after which some may have been taken away, and the same call does the
    /// rest; [`StoreError::BadKey`] when `owner` is empty.
    pub async fn force(&self, owner: &str, reason: &str) -> Result<u64, StoreError> {
        let core = self.of_owner(owner).await?;
        let (owner, inner) = (owner.to_owned(), Arc::clone(&core));
        let note = format!("from {owner} by {}: {reason}", core.me());
        core.run(async move {
            let mut count = 0;
            let forced = leases::force(&inner.db.patient(), inner.me(), &owner, &note, |more| {
                count += more
            })
            .await;
            tracing::warn!(count, %note, "leases are taken away by force");
            forced.map(|()| count)
        })
        .await
    }

    /// How many leases [`Store::force`] would take away.
    ///
    /// # Errors
    /// The same.
    pub async fn forceable(&self, owner: &str) -> Result<u64, StoreError> {
        let core = self.of_owner(owner).await?;
        let (owner, inner) = (owner.to_owned(), Arc::clone(&core));
        core.run(async move { leases::count(&inner.db.patient(), inner.me(), &owner).await })
            .await
    }

    /// What answers questions about the leases of `owner`, once it is open.
    async fn of_owner(&self, owner: &str) -> Result<Arc<Core>, StoreError> {
        if owner.is_empty() {
            return Err(StoreError::BadKey("an owner has a name".to_owned()));
        }
        let core = Arc::clone(self.core()?);
        core.opened().await?;
        Ok(core)
    }

    /// The numbers of now.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.0.as_ref().map(|inner| inner.core.snapshot())
    }

    /// Takes no more changes, writes what waits, gives all leases up and ends the connections, within `limit`. What
    /// could not be written stays in the journal, and is written at the next start.
    ///
    /// # Errors
    /// The time was over, or the database is down: the leases stay this node's. [`StoreError::Refused`] when the database
    /// has refused some changes several times: only their leases stay.
    pub async fn close(&self, limit: Duration) -> Result<(), StoreError> {
        let core = Arc::clone(self.core()?);
        if core.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let inner = Arc::clone(&core);
        let closing = core
            .handle
            .spawn(async move { timeout(limit, inner.finish()).await });
        let result = match closing.await {
            Ok(Ok(result)) => result,
            _ => Err(StoreError::unavailable("the time to close the store is over")),
        };
        core.db.health.close();
        let pool = core.db.pool.clone();
        let closed = core
            .handle
            .spawn(async move { timeout(Duration::from_millis(500), pool.close()).await });
        // Connections that do not end in time end with the process.
        drop(closed.await);
        result
    }

    fn core(&self) -> Result<&Arc<Core>, StoreError> {
        self.0
            .as_ref()
            .map(|inner| &inner.core)
            .ok_or(StoreError::NotConfigured)
    }
}

/// Keeps a shared cache up to date with what this node has written.
async fn fill_cache(core: Arc<Core>, mut written: mpsc::Receiver<(String, Key)>) {
    while let Some((table, key)) = written.recv().await {
        let Some(cache) = &core.cache else { return };
        // An entity that has left the memory is in the database as it is.
        let row = core.shelf(&table).and_then(|shelf| shelf.row(&key)).flatten();
        cache.put(&table, &key, row.as_deref()).await;
    }
}
