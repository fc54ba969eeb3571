//! The data layer of Lampyris: entities in a database, with one owner among nodes, a journal and a cache.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `store`, `shared`, `keeper` | opening and closing; what tasks and handles share; the tasks |
//! | `entities`, `object`, `cell`, `shelf` | what a handler uses: a table's entities, one entity, those in memory |
//! | `unsaved` | what a change has left, until it is safe |
//! | `entity`, `value` | what an entity is: a row with a key; columns |
//! | `desk` | loads entities and gives them up, many at once |
//! | `change`, `coming`, `unwritten`, `backlog`, `counted`, `flusher` | from a change to the database |
//! | `journal` | changes that are acknowledged, and that the database may lack |
//! | `lease` | who may write an entity |
//! | `database` | pools, statements, transactions of SQLite, MySQL and PostgreSQL |
//! | `cache`, `breaker` | rows for those who only look |
//! | `settings`, `error`, `backoff` | |
//!
//! ```text
//! update ─> journal ─> acknowledged
//!    └─> coming, once acknowledged ─> backlog ─> flusher ─> database (in one transaction with the leases) ─> cache
//! load ─> shelf, else desk ─> lease and row
//! view ─> shelf, else cache, else database
//! ```
//!
//! It is plain tokio, has a thread of its own for the database and one for the journal, and knows neither actors nor
//! links nor where its settings come from.

mod backlog;
mod backoff;
mod breaker;
mod by_id;
mod cache;
mod cell;
mod change;
mod coming;
mod counted;
mod database;
mod desk;
mod entities;
mod entity;
mod error;
mod flusher;
mod journal;
mod keeper;
mod lease;
mod object;
mod settings;
mod shared;
mod shelf;
mod snapshot;
mod store;
mod unsaved;
mod unwritten;
mod value;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use database::health::Health;
pub use database::ping::ping;
pub use entities::Entities;
pub use entity::{Column, Entity, Mode, Table, field};
pub use error::{Ran, StoreError};
pub use lampyris_derive::Entity;
pub use object::{Locked, Object};
pub use settings::{
    CacheSettings, CacheTarget, DatabaseSettings, Hidden, JournalSettings, Settings, Sync, Target,
};
pub use snapshot::Snapshot;
pub use store::Store;
pub use unsaved::Unsaved;
pub use value::{Field, Key, Kind, MAX_KEY, Text, Value};

/// The content of a mutex; a panic elsewhere has left it whole, as nothing here panics half-way.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
