//! The links of a node: who may come in, what the master is told, and when a refused node gives up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lampyris_runtime::config::OnMasterLoss;
use lampyris_runtime::link::{DialError, Gatekeeper, Identity, LinkId, Peer, Refusal};
use lampyris_runtime::name::NodeName;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::Node;
use super::control::Cause;
use super::inbound::{FromPeer, Listener, News};
use crate::exit;
use crate::protocol::{Lacks, MasterControl, Ready};
use crate::remote::RemoteAddr;
use crate::store::Health;

/// How long a node waits for its parents before it says that it is ready without them.
const PARENTS_WAIT: Duration = Duration::from_millis(500);

/// A node whose link has never been up ends when it is refused for so long.
const REFUSED_FOR: Duration = Duration::from_millis(1500);

/// With `on_master_loss = "exit"`, how long the master may be away.
const MASTER_AWAY: Duration = Duration::from_secs(5);

/// Lets in who is configured as a child.
pub(super) struct OwnChildren(pub(super) Node);

impl Gatekeeper for OwnChildren {
    fn admit(&self, dialer: &Identity) -> Result<Peer, Refusal> {
        let child = self.0.present().children.get(&dialer.name).cloned();
        child.ok_or(Refusal::Unauthorized)
    }
}

/// The state of the link to the master.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MasterLink {
    up: bool,
    epoch: u64,
}

/// The peer that is the master, and the state of its link.
pub(super) fn master_peer(node: &Node) -> (Peer, watch::Receiver<MasterLink>) {
    let (sender, receiver) = watch::channel(MasterLink::default());
    let state = |up, link: &LinkId| MasterLink {
        up,
        epoch: link.epoch,
    };
    let listener: Listener = Arc::new(move |news| {
        sender.send_replace(match &news {
            News::Up(link) => state(true, link),
            News::Down(link) => state(false, link),
            // Who dials has no two links.
            News::StandsBy(_) | News::StoodInVain(_) => return,
        });
    });
    let inbound = FromPeer::new(NodeName::master(), Arc::clone(node.router()), listener);
    (
        Peer::new(NodeName::master(), Arc::clone(&node.0.link), inbound),
        receiver,
    )
}

/// Tells the master, on every link to it, that the node serves, as soon as it does.
pub(super) async fn say_ready(
    node: Node,
    master: Peer,
    mut links: watch::Receiver<MasterLink>,
    mut serving: watch::Receiver<bool>,
    stop: mpsc::Sender<Cause>,
) {
    let address: RemoteAddr<MasterControl> = node.remote(master);
    let incarnation = node.incarnation();
    if serving.wait_for(|serves| *serves).await.is_err() {
        return;
    }
    loop {
        let link = *links.borrow_and_update();
        if link.up
            && let Err(error) = address.notify(Ready { incarnation })
        {
            tracing::warn!(%error, "could not tell the master that this node is ready");
        }
        let ends_with_master = node.config().on_master_loss == OnMasterLoss::Exit;
        let patience = ends_with_master && !link.up && link.epoch > 0;
        let changed = match patience {
            true => timeout(MASTER_AWAY, links.changed()).await,
            false => Ok(links.changed().await),
        };
        match changed {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => return drop(stop.send(Cause::MasterLost).await),
        }
    }
}

/// Tells the master, on every link to it and whenever it changes, whether the node's database is there.
pub(super) async fn say_lacks(node: Node, master: Peer, mut links: watch::Receiver<MasterLink>) {
    let Some(mut health) = node.store().health() else {
        return;
    };
    let address: RemoteAddr<MasterControl> = node.remote(master);
    let incarnation = node.incarnation();
    loop {
        let what = match &*health.borrow_and_update() {
            Health::Down { why, .. } => Some(format!("its database is down: {why}")),
            _ => None,
        };
        if links.borrow_and_update().up
            && let Err(error) = address.notify(Lacks { incarnation, what })
        {
            tracing::warn!(%error, "could not tell the master of the database");
        }
        let changed = tokio::select! {
            changed = links.changed() => changed,
            changed = health.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Waits, for a bounded time, until every parent's link is up.
pub(super) async fn parents_up(node: &Node, mut news: watch::Receiver<u64>) {
    let all = async {
        while !node.parents().iter().all(Peer::is_up) {
            if news.changed().await.is_err() {
                return;
            }
        }
    };
    if timeout(PARENTS_WAIT, all).await.is_err() {
        tracing::warn!("ready without a link to every parent; calls to them wait");
    }
}

/// Ends a node that a parent refuses again and again, and that was never let in.
pub(super) struct Refusals {
    peer: Peer,
    stop: mpsc::Sender<Cause>,
    since: Mutex<Option<std::time::Instant>>,
}

impl Refusals {
    /// Of the link to `peer`.
    pub(super) fn of(peer: &Peer, stop: mpsc::Sender<Cause>) -> Self {
        Self {
            peer: peer.clone(),
            stop,
            since: Mutex::default(),
        }
    }

    /// What a dialer calls at each failure.
    pub(super) fn watch(self) -> impl Fn(&DialError) + Send + Sync {
        move |error| {
            let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(refusal) = error.refusal().filter(|_| self.peer.epoch() == 0) else {
                *since = None;
                return;
            };
            let now = Instant::now().into_std();
            if now - *since.get_or_insert(now) < REFUSED_FOR {
                return;
            }
            let code = match refusal {
                Refusal::Duplicate(_) => exit::TEMPFAIL,
                Refusal::Unauthorized => exit::NOPERM,
                Refusal::Version { .. } | Refusal::WrongNode(_) => exit::CONFIG,
            };
            let text = format!("{} refuses this node: {refusal}", self.peer.name());
            drop(self.stop.try_send(Cause::Refused { code, text }));
        }
    }
}
