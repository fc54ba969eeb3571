//! Whether the database is up, for all who ask, at once.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

/// The state of a store's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It has not been reached yet, nor missed.
    Opening,
    /// It answers.
    Up,
    /// It does not.
    Down {
        /// Since when.
        since: Instant,
        /// Why, as the first failure said.
        why: Arc<str>,
    },
    /// The store is closed.
    Closed,
}

/// The place where it stands.
#[derive(Debug, Clone)]
pub(crate) struct HealthBoard(Arc<watch::Sender<Health>>);

impl HealthBoard {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Health::Opening)))
    }

    /// One that takes nothing in, for work whose failures say nothing of the database.
    pub(crate) fn deaf() -> Self {
        Self(Arc::new(watch::Sender::new(Health::Closed)))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Health> {
        self.0.subscribe()
    }

    pub(crate) fn now(&self) -> Health {
        self.0.borrow().clone()
    }

    pub(crate) fn up(&self) {
        let changed = self.0.send_if_modified(|health| {
            let changes = !matches!(health, Health::Up | Health::Closed);
            if changes {
                *health = Health::Up;
            }
            changes
        });
        if changed {
            tracing::info!("the database is up");
        }
    }

    /// The first reason is kept, until it is up again.
    pub(crate) fn down(&self, why: &str) {
        let changed = self.0.send_if_modified(|health| {
            let changes = matches!(health, Health::Opening | Health::Up);
            if changes {
                *health = Health::Down {
                    since: Instant::now(),
                    why: why.into(),
                };
            }
            changes
        });
        if changed {
            tracing::error!(why, "the database is down");
        }
    }

    pub(crate) fn close(&self) {
        self.0.send_replace(Health::Closed);
    }
}
