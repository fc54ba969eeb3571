//! What the tests of a store have in common: two entities, and a store over SQLite.

#![allow(
    dead_code,
    reason = "each file of tests is a program of its own, and none needs everything"
)]
#![allow(
    clippy::unwrap_used,
    reason = "tests may; these are the steps that they share"
)]

use std::path::Path;
use std::time::Duration;

use lampyris_store::{Entities, Entity, Settings, Store};

/// A player, whose changes are written behind.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "players", mode = "behind", crate = lampyris_store)]
pub(crate) struct Player {
    #[entity(key)]
    pub(crate) id: String,
    #[entity(foreign)]
    pub(crate) guild: Option<i64>,
    pub(crate) gold: i64,
    #[entity(version)]
    pub(crate) version: i64,
}

/// A guild, whose changes are written through, and whose key is drawn by the database.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "guilds", crate = lampyris_store)]
pub(crate) struct Guild {
    #[entity(key, generated)]
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) open: bool,
    pub(crate) share: f64,
    pub(crate) badge: Option<Vec<u8>>,
}

/// Longer than anything takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn player(id: &str) -> Player {
    Player {
        id: id.to_owned(),
        guild: None,
        gold: 0,
        version: 0,
    }
}

pub(crate) fn guild(name: &str) -> Guild {
    Guild {
        id: 0,
        name: name.to_owned(),
        open: true,
        share: 0.5,
        badge: Some(vec![0, 1]),
    }
}

/// A store whose changes stay in the journal unless they are flushed.
pub(crate) fn lazy(node: &str, folder: &Path) -> Settings {
    let mut settings = Settings::in_folder(node, folder);
    settings.journal.folder = folder.join(format!("{node}-journal"));
    settings.journal.interval = Duration::from_secs(3600);
    settings
}

pub(crate) fn players(settings: Settings) -> (Store, Entities<Player>) {
    let store = Store::open(settings).unwrap();
    let players = store.entities();
    (store, players)
}
