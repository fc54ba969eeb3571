//! The data layer, as a node has it: the store crate, opened by the node's configuration.
//!
//! [`Entities`] are had from [`Node::store`](crate::node::Node::store). An error of theirs goes to the caller with
//! `?`, under the name of the closed list that fits.

use lampyris_runtime::config::{Config, DataConfig, DbConfig, NodeConfig};
use lampyris_runtime::error::{ErrorKind, Fault};
pub use lampyris_store::*;

use crate::error::CallError;

impl<E> From<StoreError> for CallError<E> {
    /// `overloaded` and `not_sent` when nothing was changed and a later call may do better, `link_lost` when a change
    /// may have taken place all the same; else `handler_error`.
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Overloaded(_) => ErrorKind::Overloaded,
            StoreError::Unavailable(_) | StoreError::Lost { .. } | StoreError::Closed => ErrorKind::NotSent,
            StoreError::Uncertain(_) => ErrorKind::LinkLost,
            StoreError::BadKey(_) => ErrorKind::BadPayload,
            _ => ErrorKind::HandlerError,
        };
        Fault::new(kind, error.to_string()).into()
    }
}

/// Opens what a node's entry asks for.
///
/// # Errors
/// The address of the database is not usable.
pub(crate) fn open(config: &Config, own: &NodeConfig) -> Result<Store, StoreError> {
    if !own.db {
        return Ok(Store::none());
    }
    let data = &config.data;
    let mut settings = Settings::in_folder(own.name.as_str(), &config.run_dir);
    settings.database = match &data.db {
        Some(db) => database(db),
        None => settings.database,
    };
    let journals = data
        .journal
        .dir
        .clone()
        .unwrap_or_else(|| config.run_dir.join("journal"));
    settings.journal = JournalSettings {
        folder: journals.join(own.name.as_str()),
        sync: if data.journal.sync {
            Sync::Always
        } else {
            Sync::Never
        },
        interval: data.journal.interval,
        batch: data.journal.batch,
        max_backlog: data.journal.max_backlog,
        segment_size: data.journal.segment_size,
        max_size: data.journal.max_size,
    };
    settings.idle = data.store.idle;
    settings.cache = own.mem.then(|| cache(data, &config.name));
    Store::open(settings)
}

/// The database that section `db` names.
pub(crate) fn database(db: &DbConfig) -> DatabaseSettings {
    let hidden = |secret: &lampyris_runtime::config::Secret| Hidden(secret.expose().to_owned());
    let target = match &db.url {
        Some(url) => Target::Url(hidden(url)),
        None => Target::MySql {
            host: db.host.clone(),
            port: db.port,
            user: db.user.clone(),
            passwd: db.passwd.as_ref().map(hidden),
            db: db.db.clone(),
            charset: db.charset.clone(),
        },
    };
    DatabaseSettings {
        target,
        connections: db.max_connections,
        acquire_timeout: db.acquire_timeout,
        timeout: db.timeout,
        migrations: db.migrations.clone(),
    }
}

fn cache(data: &DataConfig, name: &str) -> CacheSettings {
    let (target, hostname) = match (&data.memcached, &data.redis) {
        (Some(memcached), _) => (
            CacheTarget::Memcached(memcached.urls.clone()),
            &memcached.hostname,
        ),
        (None, Some(redis)) => {
            let target = CacheTarget::Redis {
                server: redis.server.clone(),
                user: redis.user.clone(),
                password: redis
                    .passwd
                    .as_ref()
                    .map(|passwd| Hidden(passwd.expose().to_owned())),
                database: redis.db,
            };
            (target, &redis.hostname)
        }
        (None, None) => (
            CacheTarget::Local {
                rows: data.store.cache_rows,
            },
            &None,
        ),
    };
    CacheSettings {
        target,
        prefix: hostname.clone().unwrap_or_else(|| name.to_owned()),
        ttl: data.store.cache_ttl,
        timeout: data.store.cache_timeout,
    }
}
