//! The child's side: keeps a link to one parent up.
//!
//! Dials, proves itself, runs the connection, and begins again when it ends or the other end drains: at once after a
//! link that was up, then with growing, jittered delays. Where the parent is comes from outside and may change meanwhile.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;

use super::Peer;
use super::conn::{Conn, LinkId};
use super::ended::Ended;
use super::handshake::{self, Dialing, HandshakeError, Identity, Refusal};
use super::task::{self, Stream, clock};
use crate::backoff::Backoff;
use crate::name::NodeName;
use crate::tls::{Channel, LinkTls};
use crate::wire::Goodbye;

/// Delays between attempts. The first is short, as a parent that restarts is back within milliseconds.
const DELAYS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// A link that lived so long is dialled again at once; one that did not is not tried again and again without a pause.
const PROVEN: Duration = Duration::from_millis(100);

/// Why an attempt did not bring the link up.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The parent's address is not known yet.
    #[error("its address is not known yet")]
    NoAddress,
    /// No connection.
    #[error("{0}: {1}")]
    Connect(String, io::Error),
    /// The connection could not be encrypted, or a certificate does not hold.
    #[error("{0}: TLS: {1}")]
    Tls(String, io::Error),
    /// The connection ended during the handshake.
    #[error("{0}: the connection ended during the handshake: {1}")]
    Cut(String, io::Error),
    /// The handshake took too long.
    #[error("{0}: no answer to the handshake within {1:?}")]
    Slow(String, Duration),
    /// The other side refused, or is not who it should be.
    #[error("{0}: {1}")]
    Handshake(String, HandshakeError),
}

impl DialError {
    /// The acceptor's refusal, if it was one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Handshake(_, HandshakeError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }
}

/// What a dialer needs to know of its own side.
pub struct Dialer {
    /// Who dials.
    pub me: Identity,
    /// The shared secret.
    pub secret: Arc<[u8]>,
    /// With it, the link is encrypted, and both ends show certificates.
    pub tls: Option<Arc<LinkTls>>,
    /// `host:port` of the parent, as far as it is known.
    pub target: watch::Receiver<Option<String>>,
    /// Hears of every attempt that failed; the link's news go to the peer's [`Inbound`](super::Inbound).
    pub on_failure: Box<dyn Fn(&DialError) + Send + Sync>,
}

/// Keeps the link up for ever. Ends when this side closes the link because it stops, when the task is aborted, or
/// when the sender of the target is gone.
pub async fn dial(dialer: Dialer, peer: Peer) {
    let (tls, name) = (dialer.tls.clone(), peer.name().clone());
    let connect = move |target| reach(target, tls.clone(), name.clone());
    dial_by(dialer, peer, connect).await;
}

/// The same by another way to a stream than the system's TCP: a simulated network's.
pub(crate) async fn dial_by<S, C>(mut dialer: Dialer, peer: Peer, connect: impl Fn(String) -> C)
where
    S: Stream,
    C: Future<Output = Result<(S, SocketAddr), DialError>>,
{
    let mut pace = Pace::new();
    let mut last = String::new();
    loop {
        let begun = clock();
        match attempt(&dialer, &peer, &connect).await {
            Ok(Some(Ended::Closed(Goodbye::Stopping))) => return,
            Ok(ended) => {
                let why = ended.map_or_else(|| "the other end drains".to_owned(), |ended| ended.to_string());
                tracing::debug!(peer = %peer.name(), why, "dialling again");
                last.clear();
                let wait = pace.after_link(clock().duration_since(begun), jitter());
                // A sleep of no time would still last up to the timer's millisecond.
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
            }
            Err(error) => {
                // The same failure again and again is told once.
                if std::mem::replace(&mut last, error.to_string()) != last {
                    tracing::info!(peer = %peer.name(), why = %error, "no link yet");
                }
                (dialer.on_failure)(&error);
                let wait = pace.after_failure(jitter());
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    changed = dialer.target.changed() => match changed {
                        Ok(()) => pace = Pace::new(),
                        Err(_) => return,
                    },
                }
            }
        }
    }
}

/// When to dial again. Pure.
pub(crate) struct Pace(Backoff);

impl Pace {
    /// Nothing has failed yet.
    pub(crate) fn new() -> Self {
        Self(Backoff::new(DELAYS.0, DELAYS.1))
    }

    /// The pause after an attempt that did not bring the link up.
    pub(crate) fn after_failure(&mut self, random: u64) -> Duration {
        self.0.next(random)
    }

    /// The pause after a link that was up: none, unless it went down at once, as it may again and again.
    pub(crate) fn after_link(&mut self, lived: Duration, random: u64) -> Duration {
        if lived >= PROVEN {
            self.0.reset();
            return Duration::ZERO;
        }
        self.0.next(random)
    }
}

/// Brings the link up and runs it until it ends; `None` if the other end drains. Then the calls in flight end on the
/// connection, in the background, and a new one is wanted for others.
async fn attempt<S, C>(
    dialer: &Dialer,
    peer: &Peer,
    connect: &impl Fn(String) -> C,
) -> Result<Option<Ended>, DialError>
where
    S: Stream,
    C: Future<Output = Result<(S, SocketAddr), DialError>>,
{
    let target = dialer.target.borrow().clone().ok_or(DialError::NoAddress)?;
    let patience = peer.settings().handshake;
    let shaken = tokio::time::timeout(patience, async {
        let (stream, addr) = connect(target.clone()).await?;
        let (stream, identity, early) = introduce(stream, dialer, peer, &target).await?;
        Ok((stream, identity, early, addr))
    });
    let (stream, identity, early, addr) = match shaken.await {
        Ok(shaken) => shaken?,
        Err(_) => return Err(DialError::Slow(target, patience)),
    };
    let id = LinkId {
        peer: identity,
        epoch: peer.next_epoch(),
        addr,
    };
    let conn = Conn::new(id, Arc::clone(peer.settings()), clock());
    let seated = peer.attach(&conn, clock());
    let mut link = Box::pin(task::run(stream, seated, early));
    tokio::select! {
        ended = &mut link => Ok(Some(ended)),
        () = conn.retired() => {
            tokio::spawn(link);
            Ok(None)
        }
    }
}

/// The stream to a parent: with TLS, both ends show their certificates first.
async fn reach(
    target: String,
    tls: Option<Arc<LinkTls>>,
    name: NodeName,
) -> Result<(Channel, SocketAddr), DialError> {
    let (stream, addr) = match connect(&target).await {
        Ok(connected) => connected,
        Err(why) => return Err(DialError::Connect(target, why)),
    };
    let stream = match tls {
        Some(tls) => tls.connect(stream, name.as_str()).await,
        None => Ok(Channel::Plain(stream)),
    };
    match stream {
        Ok(stream) => Ok((stream, addr)),
        Err(why) => Err(DialError::Tls(target, why)),
    }
}

async fn connect(target: &str) -> io::Result<(TcpStream, SocketAddr)> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for addr in lookup_host(target).await? {
        match TcpStream::connect(addr).await {
            // A port in the range of ephemeral ones can be connected to itself when nobody listens there.
            Ok(stream) if stream.local_addr()? == addr => {
                last = io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens there");
            }
            Ok(stream) => {
                prepare(&stream)?;
                return Ok((stream, addr));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Socket options of both ends of a link.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

/// The dialer's half of the handshake. What came behind the welcome belongs to the link.
async fn introduce<S: Stream>(
    mut stream: S,
    dialer: &Dialer,
    peer: &Peer,
    target: &str,
) -> Result<(S, Identity, BytesMut), DialError> {
    let cut = |why| DialError::Cut(target.to_owned(), why);
    let wrong = |why| DialError::Handshake(target.to_owned(), why);
    let mut buffer = BytesMut::with_capacity(512);
    let (dialing, hello) = Dialing::begin(&dialer.me, peer.name()).map_err(wrong)?;
    stream.write_all(&hello).await.map_err(cut)?;
    let challenge = receive(&mut stream, &mut buffer)
        .await
        .map_err(cut)?
        .map_err(wrong)?;
    let (proving, proof) = dialing.prove(&dialer.secret, &challenge).map_err(wrong)?;
    stream.write_all(&proof).await.map_err(cut)?;
    let welcome = receive(&mut stream, &mut buffer)
        .await
        .map_err(cut)?
        .map_err(wrong)?;
    let identity = proving.finish(&welcome).map_err(wrong)?;
    Ok((stream, identity, buffer))
}

/// Reads one message of a handshake.
pub(super) async fn receive<S: Stream>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> io::Result<Result<Bytes, HandshakeError>> {
    loop {
        match handshake::split(buffer) {
            Ok(Some(message)) => return Ok(Ok(message)),
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Spreads the attempts of many nodes; without random bytes they all wait equally long, which is safe too.
fn jitter() -> u64 {
    getrandom::u64().unwrap_or_default()
}
