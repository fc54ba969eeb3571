//! The parent's side: takes in children that prove the secret.
//!
//! A stranger costs one task, 2 KiB and `handshake` seconds at most; of more than [`HALF_OPEN`] strangers the
//! oldest is dropped. A failed proof is answered after [`PENALTY`]; nobody else waits for that.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::Peer;
use super::conn::{Conn, LinkId};
use super::dial::{prepare, receive};
use super::handshake::{Accepting, HandshakeError, Identity, Refusal, refusal};
use super::peer::Seated;
use super::strangers::{Strangers, Why};
use super::task::{self, Stream, clock};
use crate::tls::{Channel, LinkTls};

/// Most connections that have not proved themselves yet.
const HALF_OPEN: usize = 64;

/// How long a refusal for a failed proof is held back.
const PENALTY: Duration = Duration::from_millis(200);

/// How long the link that has a name may take to show that it lives, when a second node claims the name.
const PROBE: Duration = Duration::from_millis(600);

/// How often the answer to a probe is looked for.
pub(crate) const PROBE_STEP: Duration = Duration::from_millis(20);

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
    /// Who may not.
    pub strangers: Arc<Strangers>,
    /// Where the tasks of its links run.
    pub spawn: Spawn,
}

/// Starts a task. Links run best where the handlers do: each change between two schedulers of one thread costs a
/// system call.
pub type Spawn = fn(Pin<Box<dyn Future<Output = ()> + Send>>) -> AbortHandle;

/// Accepts links for ever. Ends when its task is aborted; its links go on.
pub async fn accept(listener: TcpListener, acceptor: Arc<Acceptor>) {
    let mut half_open: VecDeque<AbortHandle> = VecDeque::with_capacity(HALF_OPEN);
    let mut pause = EXHAUSTED.0;
    loop {
        let (stream, addr) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the link port cannot accept");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(EXHAUSTED.1);
                continue;
            }
        };
        pause = EXHAUSTED.0;
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%error, "a stranger left at once");
            continue;
        }
        half_open.retain(|handshake| !handshake.is_finished());
        if half_open.len() == HALF_OPEN
            && let Some(oldest) = half_open.pop_front()
        {
            oldest.abort();
            acceptor.strangers.count(Why::PushedOut);
        }
        let open = open(stream, acceptor.tls.clone());
        half_open.push_back(welcome(open, addr, Channel::vouches_for, &acceptor));
    }
}

/// One connection: the handshake in a task that may be dropped, then the link in a task of its own.
///
/// `open` makes the stream, in the time of the handshake; `vouches` says whether it may be that of a name.
pub(super) fn welcome<S: Stream>(
    open: impl Future<Output = io::Result<S>> + Send + 'static,
    addr: SocketAddr,
    vouches: fn(&S, &str) -> bool,
    acceptor: &Arc<Acceptor>,
) -> AbortHandle {
    let spawn = acceptor.spawn;
    let acceptor = Arc::clone(acceptor);
    spawn(Box::pin(async move {
        let shaken =
            tokio::time::timeout(acceptor.handshake, authenticate(open, addr, vouches, &acceptor)).await;
        match shaken {
            Ok(Ok(proved)) => {
                (acceptor.spawn)(Box::pin(admit(proved, Arc::clone(&acceptor))));
            }
            Ok(Err(stranger)) => acceptor.strangers.tell(stranger.why(), &stranger, clock()),
            Err(_) => acceptor
                .strangers
                .tell(Why::Silent, &"it said nothing in time", clock()),
        }
    }))
}

/// A dialer that knows the secret.
struct Proved<S> {
    stream: S,
    addr: SocketAddr,
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

impl Stranger {
    fn why(&self) -> Why {
        match self {
            // What is wrong with TLS comes as invalid data.
            Self::Io(error) if error.kind() == io::ErrorKind::InvalidData => Why::Tls,
            Self::Io(_) => Why::Left,
            Self::Handshake(error) => error.into(),
        }
    }
}

/// The stream of a connection: with TLS, both ends show their certificates first.
async fn open(stream: TcpStream, tls: Option<Arc<LinkTls>>) -> io::Result<Channel> {
    prepare(&stream)?;
    match tls {
        Some(tls) => tls.accept(stream).await,
        None => Ok(Channel::Plain(stream)),
    }
}

async fn authenticate<S: Stream>(
    open: impl Future<Output = io::Result<S>>,
    addr: SocketAddr,
    vouches: fn(&S, &str) -> bool,
    acceptor: &Acceptor,
) -> Result<Proved<S>, Stranger> {
    let mut stream = open.await?;
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
            |(identity, welcome)| match vouches(&stream, identity.name.as_str()) {
                true => Ok((identity, welcome)),
                // A node that knows the secret cannot take the name of another one.
                false => Err(Refusal::Unauthorized.into()),
            },
        );
    match proved {
        Ok((identity, welcome)) => Ok(Proved {
            stream,
            addr,
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
async fn refuse<S: Stream>(mut stream: S, error: HandshakeError) -> Stranger {
    if let HandshakeError::Refused(why) = &error
        && let Err(error) = stream.write_all(&refusal(why)).await
    {
        return error.into();
    }
    error.into()
}

/// Lets a proved dialer in and runs its link, or refuses it.
async fn admit<S: Stream>(proved: Proved<S>, acceptor: Arc<Acceptor>) {
    let Proved {
        mut stream,
        addr,
        identity,
        welcome,
        early,
    } = proved;
    let name = identity.name.clone();
    let admitted = match acceptor.gatekeeper.admit(&identity) {
        Ok(peer) => seat(&peer, identity, addr).await,
        Err(why) => Err(why),
    };
    let seated = match admitted {
        Ok(seated) => seated,
        Err(why) => {
            tracing::warn!(node = %name, %why, "refused a link");
            acceptor.strangers.count((&why).into());
            if let Err(error) = stream.write_all(&refusal(&why)).await {
                tracing::debug!(%error, "the refusal could not be written");
            }
            return;
        }
    };
    // Nothing else is written before: the link's task does not run yet.
    if let Err(error) = stream.write_all(&welcome).await {
        return tracing::debug!(node = %name, %error, "a dialer left before its welcome");
    }
    let ended = task::run(stream, seated, early).await;
    tracing::debug!(node = %name, why = %ended, "a link ended");
}

/// Gives a dialer its seat. If another process has the name, a living one keeps it, and a dead one loses it.
async fn seat(peer: &Peer, dialer: Identity, addr: SocketAddr) -> Result<Seated, Refusal> {
    let id = LinkId {
        peer: dialer,
        epoch: peer.next_epoch(),
        addr,
    };
    let conn = Conn::new(id, Arc::clone(peer.settings()), clock());
    let mut claim = match Claim::begin(peer, conn, clock()) {
        Ok(seated) => return Ok(seated),
        Err(claim) => claim,
    };
    loop {
        tokio::time::sleep(PROBE_STEP).await;
        if let Some(verdict) = claim.verdict(clock()) {
            return verdict;
        }
    }
}

/// A dialer's claim to a name that another process has. Pure.
///
/// The same process dialling again knows that its old link is gone. Of another process it takes a sign of life
/// from the first: a byte, asked for by a ping. So a half-dead link locks nobody out for longer than [`PROBE`].
pub(crate) struct Claim {
    peer: Peer,
    conn: Arc<Conn>,
    holder: Arc<Conn>,
    asked: Instant,
}

impl Claim {
    /// Takes the seat if it is free for this connection, else asks who has it for a sign of life.
    pub(crate) fn begin(peer: &Peer, conn: Arc<Conn>, now: Instant) -> Result<Seated, Self> {
        peer.seat(&conn, None, now).map_err(|holder| {
            holder.ping(0);
            Self {
                peer: peer.clone(),
                conn,
                holder,
                asked: now,
            }
        })
    }

    /// Whether the dialer gets the name; `None` while that is open.
    pub(crate) fn verdict(&mut self, now: Instant) -> Option<Result<Seated, Refusal>> {
        if self.holder.heard() > self.asked {
            let LinkId { peer: who, addr, .. } = self.holder.id();
            let text = format!("{} is already connected (pid {}, {addr})", who.name, who.pid);
            return Some(Err(Refusal::Duplicate(text)));
        }
        let dead = (now >= self.asked + PROBE || self.holder.has_ended()).then_some(&self.holder);
        match self.peer.seat(&self.conn, dead, now) {
            Ok(seated) => Some(Ok(seated)),
            Err(holder) => {
                // If a third has come meanwhile, that one is asked.
                if !Arc::ptr_eq(&holder, &self.holder) {
                    holder.ping(0);
                    (self.holder, self.asked) = (holder, now);
                }
                None
            }
        }
    }
}
