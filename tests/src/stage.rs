//! What the tests of the data layer have in common: two entities, and stores over a database of the test's own.
//!
//! It must not know what is tested.

use std::time::Duration;

use lampyris::prelude::*;
use lampyris::store::{DatabaseSettings, Hidden, Settings, Store, Target};

use crate::servers::{Kind, Server};
use crate::tell::skipped;

/// A player, whose changes are written behind.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "players", mode = "behind")]
pub struct Player {
    /// The name, which is the key.
    #[entity(key)]
    pub id: String,
    /// The guild.
    #[entity(foreign)]
    pub guild: Option<i64>,
    /// What he has.
    pub gold: i64,
    /// How often he has changed.
    #[entity(version)]
    pub version: i64,
}

/// Every type of column, and a key that the database draws.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "guilds")]
pub struct Guild {
    /// The number, which is the key.
    #[entity(key, generated)]
    pub id: i64,
    /// A text.
    pub name: String,
    /// A truth.
    pub open: bool,
    /// A number with a fraction.
    pub share: f64,
    /// Bytes, or none.
    pub badge: Option<Vec<u8>>,
    /// A text, or none.
    pub motto: Option<String>,
}

/// What a test with a store has.
pub struct Stage {
    folder: tempfile::TempDir,
    target: Target,
}

impl Stage {
    /// Over a database that may lie in the test's folder.
    ///
    /// # Panics
    /// When there is no folder.
    pub fn over(target: impl FnOnce(&std::path::Path) -> Target) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let target = target(folder.path());
        Self { folder, target }
    }

    /// Over a server's database.
    pub fn of(server: &Server) -> Self {
        Self::over(|_| Target::Url(Hidden(server.url())))
    }

    /// What a node's store has: a journal of its own, written out soon.
    pub fn settings(&self, node: &str) -> Settings {
        let mut settings = Settings::in_folder(node, self.folder.path().join(node));
        settings.database = DatabaseSettings::new(self.target.clone());
        settings.journal.interval = Duration::from_millis(50);
        // A server that has just been started on a busy machine.
        settings.wait = Duration::from_secs(20);
        settings
    }

    /// The store of a node.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub fn open(&self, node: &str) -> (Store, Entities<Player>) {
        let store = Store::open(self.settings(node)).expect("a store");
        let players = store.entities();
        (store, players)
    }
}

/// A player without gold.
pub fn player(id: &str) -> Player {
    Player {
        id: id.to_owned(),
        guild: None,
        gold: 0,
        version: 0,
    }
}

/// A guild with something of everything.
pub fn guild() -> Guild {
    let name = "größe 'x' \"y\" `z`".to_owned();
    Guild {
        id: 0,
        name,
        open: true,
        share: -0.5,
        badge: Some(vec![0, 255, 39]),
        motto: None,
    }
}

/// Runs a test with a server, or says that it is not there.
///
/// # Panics
/// When the test does.
pub fn with_server(test: &str, kind: Kind, run: impl AsyncFnOnce(Server)) {
    let Some(server) = Server::start(kind) else {
        return skipped(test, &format!("no {kind:?} on this machine"));
    };
    block_on(run(server));
}

/// Runs a test.
///
/// # Panics
/// When the test does.
pub fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test);
}
