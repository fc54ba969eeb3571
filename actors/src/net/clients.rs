//! All game clients of a node: what the node's own parts and its services do with them from outside.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::reply::{Desk, ReplyTo};
use lampyris_runtime::tls::ClientTls;
use serde::{Deserialize, Serialize};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::cipher::Cipher;
use super::counters::{Counters, CountersSnapshot, Reason};
use super::follow::Follow;
use super::line::Line;
use super::pace::Pace;
use super::session::{Session, SessionId};
use super::settings::NetSettings;
use crate::message::{IntoClient, Origin, Wrote};
use crate::service::{Nobody, Router, Visitor};

/// Numbers of sessions start at 32 random bits, shifted by so many. A session that is remembered elsewhere thus
/// never means a client of the node's next life, but for a chance of one in thousands of millions. The numbers
/// stay exact as JSON numbers (53 bits).
const START_SHIFT: u32 = 20;

/// Room for reads above this is not kept, in bytes: it was made for a frame that is larger than most.
const MOST_ROOM: usize = 64 * 1024;

/// Most refused frames a second that are logged.
const LOGGED: u32 = 10;

/// How long the tasks of connections that are cut off may take to end.
const CUT_TIME: Duration = Duration::from_secs(1);

/// What all connections of a port share.
pub(super) struct Net {
    /// For clients that connect from now on.
    settings: ArcSwap<NetSettings>,
    pub(super) router: Arc<Router>,
    /// With it, connections are encrypted.
    pub(super) tls: Option<Arc<ClientTls>>,
    pub(super) counters: Counters,
    next: AtomicU64,
    sessions: Mutex<HashMap<u64, Session>>,
    /// News of sessions that their services have not handled yet, those of ended ones too.
    news: Arc<Desk>,
    /// Room for what one connection reads; most leave nothing in it when their turn is over.
    room: Mutex<BytesMut>,
    /// Told when a session ends.
    ended: Notify,
    log: Mutex<Log>,
    pub(super) follow: Follow,
}

/// Keeps the log of refused frames readable.
struct Log {
    pace: Pace,
    suppressed: u64,
}

impl Net {
    pub(super) fn new(settings: NetSettings, router: Arc<Router>, tls: Option<Arc<ClientTls>>) -> Arc<Self> {
        // Without random bytes the node would not have got here: its incarnation is drawn first.
        let start = u64::from(getrandom::u32().unwrap_or_default());
        Arc::new(Self {
            follow: Follow::new(settings.trace_sample),
            settings: ArcSwap::from_pointee(settings),
            router,
            tls,
            counters: Counters::default(),
            next: AtomicU64::new((start << START_SHIFT) + 1),
            sessions: Mutex::default(),
            news: Arc::default(),
            room: Mutex::default(),
            ended: Notify::new(),
            log: Mutex::new(Log {
                pace: Pace::new(LOGGED, Instant::now()),
                suppressed: 0,
            }),
        })
    }

    pub(super) fn settings(&self) -> Arc<NetSettings> {
        self.settings.load_full()
    }

    /// Makes a session for a connection that was accepted.
    pub(super) fn register(
        self: &Arc<Self>,
        addr: SocketAddr,
        socket: OwnedWriteHalf,
        cipher: Option<Cipher>,
    ) -> Session {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = SessionId {
            node: self.settings.load().node.clone(),
            number,
        };
        let session = Session::new(Line::new(id, addr, Arc::clone(self), socket, cipher));
        self.sessions().insert(number, session.clone());
        self.counters.accepted.add();
        session
    }

    /// A session's connection has ended.
    pub(super) fn unregister(&self, session: &Session, reason: Reason) {
        self.sessions().remove(&session.id().number);
        self.follow.forget(session.addr());
        self.counters.closed(reason);
        self.ended.notify_waiters();
    }

    pub(super) fn count(&self) -> usize {
        self.sessions().len()
    }

    /// Whether one client more would be too many: for the limit, or for services that do not keep up with the
    /// news of those that come and go.
    pub(super) fn is_full(&self) -> bool {
        let most = self.settings.load().max_clients;
        let listening = self.router.opened().len() + self.router.closed().len();
        let behind = listening > 0 && self.news.taken() >= most.saturating_mul(2 * listening);
        self.count() >= most || behind
    }

    /// What a service gets with news of a session instead of a caller: counted until it is handled.
    pub(super) fn news(&self, session: &Session) -> ReplyTo {
        let visitor = Visitor::new(Origin::Client(session.clone()), &self.news, Arc::new(Nobody));
        self.news.enter(1, usize::MAX);
        let mut news = ReplyTo::unawaited(visitor);
        news.enter();
        news
    }

    /// Room for one read, which is given back when nothing is left in it: thousands of connections that say little share
    /// memory that the processor has at hand.
    pub(super) fn lend_room(&self) -> BytesMut {
        std::mem::take(&mut *self.room.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes room back, unless there is better.
    pub(super) fn take_room(&self, mut room: BytesMut) {
        if room.capacity() == 0 {
            return;
        }
        room.clear();
        let mut kept = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        if room.capacity() > kept.capacity() && room.capacity() <= MOST_ROOM {
            *kept = room;
        }
    }

    /// How many log lines were left out since the last one, if one may be written now.
    pub(super) fn may_log(&self, now: Instant) -> Option<u64> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.pace.wait(now).is_some() {
            log.suppressed += 1;
            return None;
        }
        log.pace.spend(now);
        Some(std::mem::take(&mut log.suppressed))
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<u64, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The game clients of a node. Cheap to clone; dropping it changes nothing, [`Clients::close_all`] ends the port.
#[derive(Clone)]
pub struct Clients {
    net: Arc<Net>,
    accepting: AbortHandle,
}

/// One client at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClientInfo {
    /// The session's number.
    pub number: u64,
    /// Where the client connects from.
    #[schema(value_type = String)]
    pub addr: SocketAddr,
    /// When it connected, in milliseconds of Unix time.
    pub since_ms: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Calls without an answer.
    pub in_flight: usize,
    /// Bytes that wait to be sent.
    pub unsent: usize,
}

impl Clients {
    pub(super) fn new(net: Arc<Net>, accepting: AbortHandle) -> Self {
        Self { net, accepting }
    }

    /// Clients that connect from now on have these settings, and `max_clients` holds for all. Those that are connected
    /// keep theirs. The format of frames and the time of calls stay: all clients have them in common.
    pub(crate) fn reconfigure(&self, wanted: NetSettings) {
        let present = self.net.settings();
        self.net.settings.store(Arc::new(NetSettings {
            node: present.node.clone(),
            dialect: Arc::clone(&present.dialect),
            call_timeout: present.call_timeout,
            ..wanted
        }));
    }

    /// The session of a number, while it is connected.
    pub fn session(&self, number: u64) -> Option<Session> {
        self.net.sessions().get(&number).cloned()
    }

    /// How many are connected.
    pub fn count(&self) -> usize {
        self.net.count()
    }

    /// All that are connected, by number.
    pub fn list(&self) -> Vec<ClientInfo> {
        let mut list: Vec<_> = self.all().iter().map(|session| session.line().info()).collect();
        list.sort_unstable_by_key(|client| client.number);
        list
    }

    /// What happened at the port since the node started.
    pub fn counters(&self) -> CountersSnapshot {
        self.net.counters.snapshot()
    }

    /// The next request of the client at this address is part of a trace.
    pub(crate) fn follow(&self, client: SocketAddr, trace: u128) {
        self.net.follow.ask(client, trace);
    }

    /// Sends a frame to one client.
    ///
    /// # Errors
    /// `not_sent` when there is no such client; else as [`Session::push`].
    pub fn push(&self, number: u64, command: u32, payload: impl IntoClient) -> Result<(), Fault> {
        let session = self.session(number).ok_or_else(|| {
            self.net.counters.dropped_pushes.add();
            Fault::new(ErrorKind::NotSent, format!("no client {number} is connected"))
        })?;
        session.push(command, payload)
    }

    /// Sends one frame, encoded once, to several clients, and gives how many it was sent to; numbers of clients that
    /// are gone are skipped.
    ///
    /// # Errors
    /// The payload cannot be written, or is over the limit.
    pub fn push_many(&self, numbers: &[u64], command: u32, payload: impl IntoClient) -> Result<usize, Fault> {
        let Some(frame) = self.encode(command, &payload)? else {
            return Ok(0);
        };
        let send = |number: &&u64| {
            self.session(**number)
                .is_some_and(|session| sent(&session, &frame))
        };
        Ok(numbers.iter().filter(send).count())
    }

    /// Sends one frame, encoded once, to all clients, and gives how many it was sent to.
    ///
    /// # Errors
    /// The payload cannot be written, or is over the limit.
    pub fn push_all(&self, command: u32, payload: impl IntoClient) -> Result<usize, Fault> {
        let Some(frame) = self.encode(command, &payload)? else {
            return Ok(0);
        };
        Ok(self.all().iter().filter(|session| sent(session, &frame)).count())
    }

    /// Ends a client's connection after what was sent before, and says whether there was such a client.
    pub fn kick(&self, number: u64, reason: impl Into<Cow<'static, str>>) -> bool {
        self.session(number).map(|session| session.kick(reason)).is_some()
    }

    /// Accepts and reads no more, and waits until every call in flight has been answered and every answer written;
    /// what is not done `within` that time is cut off. Gives the number of connections that were cut off.
    pub async fn close_all(&self, within: Duration) -> usize {
        self.accepting.abort();
        self.all()
            .iter()
            .for_each(|session| session.line().end(Reason::Stopped));
        let all_ended = tokio::time::timeout(within, self.none_left()).await.is_ok();
        if all_ended {
            return 0;
        }
        let left = self.all();
        left.iter()
            .for_each(|session| session.line().cut(Reason::Stopped));
        // Their tasks end in their next turn; services learn of it before this returns.
        if tokio::time::timeout(CUT_TIME, self.none_left()).await.is_err() {
            tracing::warn!(
                clients = self.count(),
                "connections of clients did not end when they were cut off"
            );
        }
        left.len()
    }

    pub(super) async fn none_left(&self) {
        loop {
            let ended = self.net.ended.notified();
            if self.count() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// A copy, so that the lock is not held while something is done with each.
    fn all(&self) -> Vec<Session> {
        self.net.sessions().values().cloned().collect()
    }

    fn encode(&self, command: u32, payload: &impl IntoClient) -> Result<Option<Bytes>, Fault> {
        let settings = self.net.settings();
        let mut frame = BytesMut::new();
        let mut write = |out: &mut BytesMut| payload.write_client(out);
        let wrote = settings
            .dialect
            .encode(command, &mut write, settings.out_buffer, &mut frame)?;
        Ok((wrote == Wrote::Reply).then(|| frame.freeze()))
    }
}

fn sent(session: &Session, frame: &Bytes) -> bool {
    session.line().push_frame(frame).is_ok()
}
