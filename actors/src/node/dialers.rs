//! The dialers of a node: one to each parent and one to the master, and where each of them dials.
//!
//! They come and go with the parents, while the node runs. Who the parents are is not decided here.

use std::collections::HashMap;
use std::sync::Arc;

use lampyris_runtime::config::Parent;
use lampyris_runtime::link::{Dialer, Identity, Peer, dial};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::tls::LinkTls;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::control::Cause;
use super::links::Refusals;
use super::ports::host_port;

/// All dialers.
pub(crate) struct Dialers {
    me: Identity,
    secret: Arc<[u8]>,
    tls: Option<Arc<LinkTls>>,
    stop: mpsc::Sender<Cause>,
    running: HashMap<NodeName, Dialling>,
}

/// One dialer. It ends when this is dropped, as soon as it has no link.
pub(super) struct Dialling {
    target: watch::Sender<Option<String>>,
    task: JoinHandle<()>,
}

impl Dialling {
    /// Ends it now, with its link.
    pub(super) fn end(&self) {
        self.task.abort();
    }
}

/// Where a parent is, as far as the configuration says: on this machine, until the master says otherwise.
pub(super) fn address_of(parent: &Parent) -> String {
    host_port(parent.host.as_deref().unwrap_or("127.0.0.1"), parent.port)
}

impl Dialers {
    pub(super) fn new(
        me: Identity,
        secret: Arc<[u8]>,
        tls: Option<Arc<LinkTls>>,
        stop: mpsc::Sender<Cause>,
    ) -> Self {
        Self {
            me,
            secret,
            tls,
            stop,
            running: HashMap::new(),
        }
    }

    /// Keeps a link to this peer up, from now on.
    pub(super) fn dial(&mut self, peer: &Peer, address: String) {
        let (target, known) = watch::channel(Some(address));
        let dialer = Dialer {
            me: self.me.clone(),
            secret: Arc::clone(&self.secret),
            tls: self.tls.clone(),
            target: known,
            on_failure: Box::new(Refusals::of(peer, self.stop.clone()).watch()),
        };
        let task = tokio::task::spawn_local(dial(dialer, peer.clone()));
        self.running
            .insert(peer.name().clone(), Dialling { target, task });
    }

    /// This is where a node is. A link that is up stays.
    pub(super) fn found(&self, name: &NodeName, address: String) {
        let Some(dialling) = self.running.get(name) else {
            return;
        };
        dialling.target.send_if_modified(|known| {
            let is_new = known.as_ref() != Some(&address);
            *known = Some(address);
            is_new
        });
    }

    /// Hands out the dialer of a node that is no parent any more.
    pub(super) fn give_up(&mut self, name: &NodeName) -> Option<Dialling> {
        self.running.remove(name)
    }

    /// Ends all of them, with their links.
    pub(super) fn end(&self) {
        self.running.values().for_each(Dialling::end);
    }
}
