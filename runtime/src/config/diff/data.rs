//! The keys of the data layer's sections, as [`items`](super::items) has them.

use super::items::{Gather, Item};
use crate::config::data::{DataConfig, DbConfig, JournalConfig, MemcachedConfig, RedisConfig, StoreConfig};
use crate::config::units::{show_duration, show_size};

/// Adds every key of the data layer; a section that is absent has none of its values.
pub(super) fn gather(mut all: Gather, data: &DataConfig) -> Vec<Item> {
    let DataConfig {
        db: database,
        memcached: servers,
        redis: server,
        store: memory,
        journal: writing,
    } = data;
    all = all.into("db");
    db(&mut all, database.as_ref());
    all = all.into("memcached");
    memcached(&mut all, servers.as_ref());
    all = all.into("redis");
    redis(&mut all, server.as_ref());
    all = all.into("store");
    store(&mut all, memory);
    all = all.into("journal");
    journal(&mut all, writing);
    all.items
}

fn db(to: &mut Gather, section: Option<&DbConfig>) {
    let Some(section) = section else { return };
    let DbConfig {
        host,
        port,
        user,
        passwd,
        db,
        charset,
        engine,
        url,
        max_connections,
        acquire_timeout,
        timeout,
        migrations,
    } = section;
    to.may("host", host.as_ref());
    to.may("port", port.as_ref());
    to.may("user", user.as_ref());
    to.secret("passwd", passwd.as_ref().map(|passwd| passwd.expose()));
    to.may("db", db.as_ref());
    to.may("charset", charset.as_ref());
    to.may("engine", engine.as_ref());
    to.secret("url", url.as_ref().map(|url| url.expose()));
    to.put("max_connections", max_connections);
    to.put("acquire_timeout", show_duration(*acquire_timeout));
    to.put("timeout", show_duration(*timeout));
    to.may("migrations", migrations.as_ref().map(|path| path.display()));
}

fn memcached(to: &mut Gather, section: Option<&MemcachedConfig>) {
    let default = MemcachedConfig::default();
    let MemcachedConfig { urls, hostname } = section.unwrap_or(&default);
    to.may("urls", (!urls.is_empty()).then(|| urls.join(", ")));
    to.may("hostname", hostname.as_ref());
}

fn redis(to: &mut Gather, section: Option<&RedisConfig>) {
    let none = RedisConfig {
        server: String::new(),
        user: None,
        passwd: None,
        db: 0,
        hostname: None,
    };
    let RedisConfig {
        server,
        user,
        passwd,
        db,
        hostname,
    } = section.unwrap_or(&none);
    to.may("server", section.map(|_| server));
    to.may("user", user.as_ref());
    to.secret("passwd", passwd.as_ref().map(|passwd| passwd.expose()));
    to.may("db", section.map(|_| db));
    to.may("hostname", hostname.as_ref());
}

fn store(to: &mut Gather, section: &StoreConfig) {
    let StoreConfig {
        idle,
        cache_ttl,
        cache_timeout,
        cache_rows,
    } = section;
    to.put("idle", show_duration(*idle));
    to.put("cache_ttl", show_duration(*cache_ttl));
    to.put("cache_timeout", show_duration(*cache_timeout));
    to.put("cache_rows", cache_rows);
}

fn journal(to: &mut Gather, section: &JournalConfig) {
    let JournalConfig {
        sync,
        interval,
        batch,
        max_backlog,
        segment_size,
        max_size,
        dir,
    } = section;
    to.put("sync", if *sync { "always" } else { "never" });
    to.put("interval", show_duration(*interval));
    to.put("batch", batch);
    to.put("max_backlog", max_backlog);
    to.put("segment_size", show_size(*segment_size));
    to.put("max_size", show_size(*max_size));
    to.may("dir", dir.as_ref().map(|path| path.display()));
}
