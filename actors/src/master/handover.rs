//! The Unix socket on which nodes that a new master has adopted hand it copies of their listening sockets.
//!
//! It lies in the run folder, which is the owner's alone. Each key in the message ([`sockets`]) is the node's name, a
//! blank, and the port's key.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use actix::{Addr, AsyncContext, Context, Handler, Message};
use lampyris_runtime::link::Identity;
use lampyris_runtime::name::NodeName;
use lampyris_runtime::sockets::{self, Listeners};
use lampyris_runtime::supervisor::roster::Event;
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};

use super::{Master, links};
use crate::node::handover::{SEPARATOR, path};
use crate::protocol::HandOver;

/// How long a node may take to send what it came for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pause of a master that has no descriptor for who comes.
const PAUSE: Duration = Duration::from_millis(200);

/// A node has handed its sockets over.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HandedOver {
    pub(crate) name: NodeName,
    pub(crate) listeners: Listeners,
}

impl Master {
    /// Asks a process that an earlier master has started for its sockets. Until they are here its death would have
    /// clients refused, so it counts as ready only then, or when it has had its time.
    pub(super) fn ask_for_sockets(&mut self, process: &Identity, ctx: &mut Context<Self>) {
        let is_meant = |other: &Identity| other.incarnation == process.incarnation;
        let name = process.name.clone();
        if links::tell_process(self.links.get(&name), is_meant, &HandOver) {
            self.handing_over.insert(name.clone(), None);
            ctx.run_later(PATIENCE, move |master, ctx| master.end_hand_over(&name, ctx));
        }
    }

    /// Whether news of a node are kept back until its sockets are here.
    pub(super) fn keep_back(&mut self, news: &Event) -> bool {
        let Event::Ready { name, .. } = news else {
            return false;
        };
        let place = self.handing_over.get_mut(name);
        place.map(|place| *place = Some(news.clone())).is_some()
    }

    fn end_hand_over(&mut self, name: &NodeName, ctx: &mut Context<Self>) {
        if let Some(ready) = self.handing_over.remove(name).flatten() {
            self.on_event(ready, ctx);
        }
    }
}

impl Handler<HandedOver> for Master {
    type Result = ();

    fn handle(&mut self, HandedOver { name, listeners }: HandedOver, ctx: &mut Context<Self>) {
        if let Some(node) = self.config.node(name.as_str()) {
            self.ports.adopt(node, listeners);
            self.end_hand_over(&name, ctx);
        }
    }
}

/// Takes sockets for as long as the process lives.
pub(super) fn serve(run_dir: &Path, master: Addr<Master>) -> io::Result<()> {
    let path = path(run_dir);
    // The lock of the run folder is ours, so a file here is a dead master's.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "nobody can hand sockets over");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            match tokio::time::timeout(PATIENCE, take(stream)).await {
                Ok(Ok(Some(handed))) => master.do_send(handed),
                Ok(Ok(None)) | Err(_) => tracing::debug!("somebody came to the hand-over without sockets"),
                Ok(Err(error)) => tracing::warn!(%error, "a hand-over of sockets failed"),
            }
        }
    });
    Ok(())
}

async fn take(stream: UnixStream) -> io::Result<Option<HandedOver>> {
    let received = stream
        .async_io(Interest::READABLE, || sockets::receive(&stream))
        .await?;
    let mut name = None;
    let mut listeners = Listeners::new();
    for (key, listener) in received {
        let Some((node, key)) = key.split_once(SEPARATOR) else {
            return Ok(None);
        };
        name = NodeName::new(node).ok();
        listeners.insert(key.to_owned(), listener);
    }
    Ok(name.map(|name| HandedOver { name, listeners }))
}
