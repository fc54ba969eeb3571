//! From one configuration to the next while the node runs: who is no neighbour any more is parted from in order, who
//! has become one is let in or dialled, and settings that can change do. All other links stay as they are.
//!
//! Whether a configuration may be applied is the master's decision, not this file's.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Context, Handler};
use lampyris_runtime::config::{Change, Effect, diff};
use lampyris_runtime::link::{Conn, Peer};
use lampyris_runtime::wire::Goodbye;
use tokio::time::{Duration, Instant, sleep};

use super::Node;
use super::control::{Control, from_master};
use super::dialers::{Dialers, Dialling, address_of};
use super::present::{Family, Present};
use crate::app::ReloadHook;
use crate::error::CallError;
use crate::logging::LogLevel;
use crate::net::NetSettings;
use crate::protocol::Reload;

/// How often it is looked whether the last call with a former neighbour has ended.
const STEP: Duration = Duration::from_millis(5);

/// How long its last frames may take.
const FAREWELL: Duration = Duration::from_millis(300);

/// What of a node changes with its configuration, besides its peers.
#[derive(Clone)]
pub(crate) struct Adjustable {
    pub(super) dialers: Rc<RefCell<Dialers>>,
    pub(super) log: LogLevel,
    pub(super) hooks: Arc<[ReloadHook]>,
}

impl Handler<Reload> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: Reload, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        let before = Arc::clone(&self.node.present());
        let config = before.config.load_again().map_err(|rejected| {
            tracing::error!("the configuration is not applied here:\n{rejected}");
            CallError::from("the configuration has faults here")
        })?;
        let changes = diff(&before.config, &config);
        let Some(own) = config.node(self.node.name().as_str()).cloned() else {
            return Ok(()); // configured no more: the master will ask it to stop
        };
        let after = Arc::new(before.next(Arc::new(config), own, &self.node.0.peers));
        self.node.0.present.store(Arc::clone(&after));
        if changes.is_empty() {
            return Ok(());
        }
        self.neighbours(&before, &after);
        if let Some(clients) = self.node.clients() {
            clients.reconfigure(NetSettings::of(&after.own));
        }
        self.adjustable.log.set(&after.config.log.level);
        tell(&changes, &self.node);
        for hook in &*self.adjustable.hooks {
            let (hook, node) = (Arc::clone(hook), self.node.clone());
            tokio::spawn(async move { hook(&node) });
        }
        Ok(())
    }
}

impl Control {
    /// Parts from those who are no neighbours any more, and dials those who have become parents.
    fn neighbours(&self, before: &Present, after: &Present) {
        let mut dialers = self.adjustable.dialers.borrow_mut();
        let patience = after.own.drain_timeout;
        for peer in gone(&before.parents, &after.parents) {
            let dialling = dialers.give_up(peer.name());
            tokio::task::spawn_local(part(peer.forget(), dialling, patience));
        }
        for peer in gone(&before.children, &after.children) {
            tokio::task::spawn_local(part(peer.forget(), None, patience));
        }
        // One that was parted from as a parent may have come back as a child, or after an earlier reload.
        for peer in gone(&after.parents, &before.parents).chain(gone(&after.children, &before.children)) {
            peer.remember();
        }
        for parent in &after.own.parents {
            let address = address_of(parent);
            let former = before
                .own
                .parents
                .iter()
                .find(|former| former.name == parent.name);
            match (former, after.parents.get(&parent.name)) {
                (None, Some(peer)) => dialers.dial(peer, address),
                (Some(former), _) if former.host != parent.host => dialers.found(&parent.name, address),
                // Where else it listens it says itself, by way of the master, when it does.
                _ => {}
            }
        }
    }
}

/// Those of one family that the other lacks.
fn gone<'a>(before: &'a Family, after: &'a Family) -> impl Iterator<Item = &'a Peer> {
    before
        .iter()
        .filter(|(name, _)| !after.contains_key(*name))
        .map(|(_, peer)| peer)
}

/// Lets the calls in flight with a former neighbour end, then closes the link.
async fn part(conn: Option<Arc<Conn>>, dialling: Option<Dialling>, patience: Duration) {
    if let Some(conn) = conn {
        conn.drain();
        until(Instant::now() + patience, || conn.is_drained()).await;
        conn.close(Goodbye::Stopping);
        until(Instant::now() + FAREWELL, || conn.has_ended()).await;
    }
    if let Some(dialling) = dialling {
        dialling.end();
    }
}

async fn until(deadline: Instant, is_so: impl Fn() -> bool) {
    while !is_so() && Instant::now() < deadline {
        sleep(STEP).await;
    }
}

/// A line in the log: what has changed here, and what waits.
fn tell(changes: &[Change], node: &Node) {
    let keys = |wanted: fn(&Effect) -> bool| -> Vec<&str> {
        let some = changes.iter().filter(|change| wanted(&change.effect));
        some.map(|change| change.key.as_str()).collect()
    };
    let applied = keys(|effect| *effect == Effect::AtOnce);
    let waiting = keys(|effect| *effect != Effect::AtOnce);
    tracing::info!(node = %node.name(), ?applied, ?waiting, "the configuration has changed");
}
