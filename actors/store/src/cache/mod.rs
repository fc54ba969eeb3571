//! Rows for those who only look. What the cache says is never written to the database.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `line` | one server: a connection, its time-outs and breaker |
//! | `memcached`, `redis` | what is said on the line |
//! | `row` | a row as bytes, checked |
//!
//! A cache that is down, slow or talks nonsense is a miss. Nothing here is an error to anybody.

mod line;
mod memcached;
mod redis;
mod row;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use line::{Line, Protocol};

use crate::settings::{CacheSettings, CacheTarget};
use crate::value::{Key, Kind, Value};

/// Longest key that memcached takes, in bytes.
const MAX_CACHE_KEY: usize = 250;

/// The cache of a store.
#[derive(Debug)]
pub(crate) struct Cache {
    prefix: String,
    ttl: Duration,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Local(moka::sync::Cache<String, Vec<u8>>),
    Servers(Vec<Line>),
}

impl Cache {
    pub(crate) fn open(settings: &CacheSettings) -> Self {
        let line = |server: &String, protocol| Line::new(server.clone(), protocol, settings.timeout);
        let place = match &settings.target {
            CacheTarget::Local { rows } => {
                let cache = moka::sync::Cache::builder()
                    .max_capacity(*rows)
                    .time_to_live(settings.ttl);
                Place::Local(cache.build())
            }
            CacheTarget::Memcached(servers) => Place::Servers(
                servers
                    .iter()
                    .map(|server| line(server, Protocol::Memcached))
                    .collect(),
            ),
            CacheTarget::Redis {
                server,
                user,
                password,
                database,
            } => {
                let login = redis::login(user.as_deref(), password.as_ref(), *database);
                Place::Servers(vec![line(server, Protocol::Redis { login })])
            }
        };
        Self {
            prefix: settings.prefix.clone(),
            ttl: settings.ttl,
            place,
        }
    }

    /// Whether other processes see it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.place, Place::Servers(_))
    }

    /// Whether all its servers answer.
    pub(crate) fn is_up(&self) -> bool {
        match &self.place {
            Place::Local(_) => true,
            Place::Servers(lines) => lines.iter().all(Line::is_up),
        }
    }

    /// The row of an entity, if the cache has it in a form that fits.
    pub(crate) async fn get(&self, table: &str, key: &Key, kinds: &[Kind]) -> Option<Vec<Value>> {
        let name = self.name(table, key);
        let bytes = match &self.place {
            Place::Local(cache) => cache.get(&name)?,
            Place::Servers(_) => self.line(&name)?.get(&name).await?,
        };
        let row = row::decode(&bytes, &name, kinds);
        if row.is_none() {
            tracing::debug!(key = %name, "what the cache has does not fit");
        }
        row
    }

    /// Puts a row into the cache, or takes it out.
    pub(crate) async fn put(&self, table: &str, key: &Key, row: Option<&[Value]>) {
        let name = self.name(table, key);
        let bytes = row.and_then(|row| row::encode(row, &name));
        match (&self.place, bytes) {
            (Place::Local(cache), Some(bytes)) => cache.insert(name, bytes),
            (Place::Local(cache), None) => cache.invalidate(&name),
            (Place::Servers(_), bytes) => {
                if let Some(line) = self.line(&name) {
                    line.put(&name, bytes.as_deref(), self.ttl).await;
                }
            }
        }
    }

    /// `prefix:table:key`; a key that memcached would not take is a hash.
    fn name(&self, table: &str, key: &Key) -> String {
        let name = format!("{}:{table}:{key}", self.prefix);
        if name.len() <= MAX_CACHE_KEY && name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return name;
        }
        // Two keys of one hash are told apart by what stands in the row.
        format!("lampyris:{:016x}", hash(&name))
    }

    fn line(&self, name: &str) -> Option<&Line> {
        match &self.place {
            Place::Servers(lines) if !lines.is_empty() => {
                let at = usize::try_from(hash(name) % lines.len() as u64).unwrap_or(0);
                lines.get(at)
            }
            _ => None,
        }
    }
}

/// The same in every process of one build of the program.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
