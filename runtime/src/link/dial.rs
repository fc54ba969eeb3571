//! The child's side: keeps a link to one parent up.
//!
//! Dials, proves itself, runs the connection, and begins again when it ends: at once after a link that was up,
//! then with growing, jittered delays. Where the parent is comes from outside and may change meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;

use super::Peer;
use super::conn::{Conn, LinkId};
use super::handshake::{self, Dialing, HandshakeError, Identity, Refusal};
use super::task::{self, Ended, Stream, clock};
use crate::backoff::Backoff;
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
pub async fn dial(mut dialer: Dialer, peer: Peer) {
    let mut delay = Backoff::new(DELAYS.0, DELAYS.1);
    let mut last = String::new();
    loop {
        let begun = clock();
        match attempt(&dialer, &peer).await {
            Ok(Ended::Closed(Goodbye::Stopping)) => return,
            Ok(ended) => {
                tracing::debug!(peer = %peer.name(), why = %ended, "dialling again");
                last.clear();
                if clock().duration_since(begun) >= PROVEN {
                    delay.reset();
                } else {
                    // It came up and went down at once: not again and again without a pause.
                    tokio::time::sleep(delay.next(jitter())).await;
                }
            }
            Err(error) => {
                // The same failure again and again is told once.
                if std::mem::replace(&mut last, error.to_string()) != last {
                    tracing::info!(peer = %peer.name(), why = %error, "no link yet");
                }
                (dialer.on_failure)(&error);
                let wait = delay.next(jitter());
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    changed = dialer.target.changed() => match changed {
                        Ok(()) => delay.reset(),
                        Err(_) => return,
                    },
                }
            }
        }
    }
}

async fn attempt(dialer: &Dialer, peer: &Peer) -> Result<Ended, DialError> {
    let target = dialer.target.borrow().clone().ok_or(DialError::NoAddress)?;
    let patience = peer.settings().handshake;
    let shaken = tokio::time::timeout(patience, async {
        let stream = connect(&target)
            .await
            .map_err(|why| DialError::Connect(target.clone(), why))?;
        let addr = stream
            .peer_addr()
            .map_err(|why| DialError::Connect(target.clone(), why))?;
        let stream = match &dialer.tls {
            Some(tls) => tls.connect(stream, peer.name().as_str()).await,
            None => Ok(Channel::Plain(stream)),
        };
        let stream = stream.map_err(|why| DialError::Tls(target.clone(), why))?;
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
    Ok(task::run(stream, conn, peer, early).await)
}

async fn connect(target: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for addr in lookup_host(target).await? {
        match TcpStream::connect(addr).await {
            // A port in the range of ephemeral ones can be connected to itself when nobody listens there.
            Ok(stream) if stream.local_addr()? == addr => {
                last = io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens there");
            }
            Ok(stream) => {
                prepare(&stream)?;
                return Ok(stream);
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
