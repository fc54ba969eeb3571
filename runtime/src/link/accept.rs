//! The parent's side: takes in children that prove the secret.
//!
//! A stranger costs one task, 2 KiB and `handshake` seconds at most; of more than [`HALF_OPEN`] strangers the
//! oldest is dropped. A failed proof is answered after [`PENALTY`]; nobody else waits for that.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::Peer;
use super::conn::{Conn, LinkId};
use super::dial::{prepare, receive};
use super::handshake::{Accepting, HandshakeError, Identity, Refusal, refusal};
use super::strangers::Strangers;
use super::task::{self, clock};
use crate::tls::{Channel, LinkTls};

/// Most connections that have not proved themselves yet.
const HALF_OPEN: usize = 64;

/// How long a refusal for a failed proof is held back.
const PENALTY: Duration = Duration::from_millis(200);

/// How long the link that has a name may take to show that it lives, when a second node claims the name.
const PROBE: Duration = Duration::from_millis(600);

/// How often the answer to a probe is looked for.
const PROBE_STEP: Duration = Duration::from_millis(20);

/// Pauses of an acceptor without descriptors, from the first to the longest.
const EXHAUSTED: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Finds the peer of a dialer that has proved the secret.
pub trait Gatekeeper: Send + Sync {
    /// The peer of this name, or why it may not come in.
    ///
    /// # Errors
    /// The refusal that it is sent.
    fn admit(&self, dialer: &Identity) -> Result<Peer, Refusal>;
}

/// What an acceptor needs to know of its own side.
pub struct Acceptor {
    /// Who accepts.
    pub me: Identity,
    /// The shared secret.
    pub secret: Arc<[u8]>,
    /// With it, links are encrypted, and dialers show certificates.
    pub tls: Option<Arc<LinkTls>>,
    /// Longest time of a handshake.
    pub handshake: Duration,
    /// Who may come in.
    pub gatekeeper: Arc<dyn Gatekeeper>,
    /// Where the tasks of its links run.
    pub spawn: Spawn,
}

/// Starts a task. Links run best where the handlers do: each change between two schedulers of one thread costs a
/// system call.
pub type Spawn = fn(Pin<Box<dyn Future<Output = ()> + Send>>) -> AbortHandle;

/// Accepts links for ever. Ends when its task is aborted; its links go on.
pub async fn accept(listener: TcpListener, acceptor: Arc<Acceptor>) {
    let mut half_open: VecDeque<AbortHandle> = VecDeque::with_capacity(HALF_OPEN);
    let strangers = Arc::new(Strangers::default());
    let mut pause = EXHAUSTED.0;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the link port cannot accept");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(EXHAUSTED.1);
                continue;
            }
        };
        pause = EXHAUSTED.0;
        half_open.retain(|handshake| !handshake.is_finished());
        if half_open.len() == HALF_OPEN
            && let Some(oldest) = half_open.pop_front()
        {
            oldest.abort();
        }
        half_open.push_back(welcome(stream, &acceptor, &strangers));
    }
}

/// One connection: the handshake in a task that may be dropped, then the link in a task of its own.
fn welcome(stream: TcpStream, acceptor: &Arc<Acceptor>, strangers: &Arc<Strangers>) -> AbortHandle {
    let spawn = acceptor.spawn;
    let (acceptor, strangers) = (Arc::clone(acceptor), Arc::clone(strangers));
    spawn(Box::pin(async move {
        let shaken = tokio::time::timeout(acceptor.handshake, authenticate(stream, &acceptor)).await;
        match shaken {
            Ok(Ok(proved)) => {
                (acceptor.spawn)(Box::pin(admit(proved, Arc::clone(&acceptor))));
            }
            Ok(Err(why)) => strangers.tell(&why, clock()),
            Err(_) => strangers.tell(&"it said nothing in time", clock()),
        }
    }))
}

/// A dialer that knows the secret.
struct Proved {
    stream: Channel,
    identity: Identity,
    welcome: Bytes,
    early: BytesMut,
}

#[derive(Debug, thiserror::Error)]
enum Stranger {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

async fn authenticate(stream: TcpStream, acceptor: &Acceptor) -> Result<Proved, Stranger> {
    prepare(&stream)?;
    let mut stream = match &acceptor.tls {
        Some(tls) => tls.accept(stream).await?,
        None => Channel::Plain(stream),
    };
    let mut buffer = BytesMut::with_capacity(512);
    let hello = receive(&mut stream, &mut buffer).await??;
    let (accepting, challenge) = match Accepting::begin(&acceptor.me, &hello) {
        Ok(begun) => begun,
        Err(error) => return Err(refuse(stream, error).await),
    };
    stream.write_all(&challenge).await?;
    let proof = receive(&mut stream, &mut buffer).await??;
    let proved = accepting
        .finish(&acceptor.secret, &proof)
        .and_then(
            |(identity, welcome)| match stream.vouches_for(identity.name.as_str()) {
                true => Ok((identity, welcome)),
                // A node that knows the secret cannot take the name of another one.
                false => Err(Refusal::Unauthorized.into()),
            },
        );
    match proved {
        Ok((identity, welcome)) => Ok(Proved {
            stream,
            identity,
            welcome,
            early: buffer,
        }),
        Err(error) => {
            tokio::time::sleep(PENALTY).await;
            Err(refuse(stream, error).await)
        }
    }
}

/// Tells a dialer why it may not come in, as far as it may know.
async fn refuse(mut stream: Channel, error: HandshakeError) -> Stranger {
    if let HandshakeError::Refused(why) = &error
        && let Err(error) = stream.write_all(&refusal(why)).await
    {
        return error.into();
    }
    error.into()
}

/// Lets a proved dialer in and runs its link, or refuses it.
async fn admit(proved: Proved, acceptor: Arc<Acceptor>) {
    let Proved {
        mut stream,
        identity,
        welcome,
        early,
    } = proved;
    let name = identity.name.clone();
    let admitted = match acceptor.gatekeeper.admit(&identity) {
        Ok(peer) => make_room(&peer, &identity).await.map(|()| peer),
        Err(why) => Err(why),
    };
    let peer = match admitted {
        Ok(peer) => peer,
        Err(why) => {
            tracing::warn!(node = %name, %why, "refused a link");
            if let Err(error) = stream.write_all(&refusal(&why)).await {
                tracing::debug!(%error, "the refusal could not be written");
            }
            return;
        }
    };
    let addr = match stream.peer_addr() {
        Ok(addr) => addr,
        Err(error) => return tracing::debug!(%error, "a dialer left before its welcome"),
    };
    if let Err(error) = stream.write_all(&welcome).await {
        return tracing::debug!(node = %name, %error, "a dialer left before its welcome");
    }
    let id = LinkId {
        peer: identity,
        epoch: peer.next_epoch(),
        addr,
    };
    let conn = Conn::new(id, Arc::clone(peer.settings()), clock());
    let ended = task::run(stream, conn, &peer, early).await;
    tracing::debug!(node = %name, why = %ended, "a link ended");
}

/// Makes room for a dialer whose name has a link: a living one keeps the name, a dead one loses it.
///
/// The same process dialling again knows that its old link is gone. Of another process it takes a sign of life
/// from the first: a byte, asked for by a ping. So a half-dead link locks nobody out for longer than [`PROBE`].
async fn make_room(peer: &Peer, dialer: &Identity) -> Result<(), Refusal> {
    let Some(first) = peer.conn() else { return Ok(()) };
    let holder = &first.id().peer;
    if holder.incarnation == dialer.incarnation {
        return Ok(());
    }
    let asked = clock();
    first.ping(0);
    while clock() < asked + PROBE {
        if peer.conn().is_none_or(|current| !Arc::ptr_eq(&current, &first)) {
            return Ok(());
        }
        if first.heard() > asked {
            let (pid, addr) = (holder.pid, first.id().addr);
            return Err(Refusal::Duplicate(format!(
                "{} is already connected (pid {pid}, {addr})",
                holder.name
            )));
        }
        tokio::time::sleep(PROBE_STEP).await;
    }
    Ok(())
}
