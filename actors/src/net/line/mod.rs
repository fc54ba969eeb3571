//! The half of a connection that handlers reach, from whatever thread: what waits to be written, and which calls are in flight.
//!
//! Replies and pushes are written straight into the connection's buffer; the connection's task is woken and writes
//! them all at once. When a lot has gathered before the task gets its turn, it is written from here, so that only a
//! client that really does not read reaches the limit.
//!
//! Legal moves: open → *ending* (no more frames are read; what is in flight is still answered) → *closing* (nothing
//! more is taken in; what waits is still written) → closed. Each may be skipped, none is taken back.
//!
//! Invariants: while *closing* no call is in flight, so later answers are late; the buffer holds whole frames.

mod answer;
mod state;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::reply::{ReplySink, Write};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::Instant;

use super::ClientInfo;
use super::answers::{Answers, Call};
use super::cipher::{BadTls, Cipher, Progress};
use super::clients::Net;
use super::counters::Reason;
use super::session::SessionId;
use super::settings::NetSettings;
use crate::clock::unix_ms;
use crate::service::outgoing;
use state::State;

/// What handlers and the connection's task share of one connection.
pub(super) struct Line {
    pub(super) id: SessionId,
    pub(super) addr: SocketAddr,
    since: SystemTime,
    net: Arc<Net>,
    /// Those of the time when the client connected.
    pub(super) settings: Arc<NetSettings>,
    bytes_in: AtomicU64,
    state: Mutex<State>,
}

/// What the connection's task needs to know to decide what to do next.
pub(super) struct Status {
    pub(super) ending: Option<Reason>,
    pub(super) closing: Option<Reason>,
    pub(super) in_flight: usize,
    /// Bytes that wait to be written.
    pub(super) unsent: usize,
    /// Whether they wait for the socket, and not for the end of the handshake.
    pub(super) blocked: bool,
    pub(super) bytes_out: u64,
    /// The nearest deadline of a call.
    pub(super) deadline: Option<Instant>,
}

impl Line {
    pub(super) fn new(
        id: SessionId,
        addr: SocketAddr,
        net: Arc<Net>,
        socket: OwnedWriteHalf,
        cipher: Option<Cipher>,
    ) -> Arc<Self> {
        let settings = net.settings();
        let answers = Answers::new(settings.serial);
        let state = State {
            socket: Some(socket),
            cipher: cipher.map(Box::new),
            out: BytesMut::new(),
            bytes_out: 0,
            answers,
            ending: None,
            closing: None,
            task: None,
            told: false,
        };
        Arc::new(Self {
            id,
            addr,
            since: SystemTime::now(),
            net,
            settings,
            bytes_in: AtomicU64::new(0),
            state: Mutex::new(state),
        })
    }

    /// Calls may be opened while it is held; nothing of theirs may be answered.
    pub(super) fn opening(&self) -> Opening<'_> {
        Opening(self.lock())
    }

    /// Begins a turn of the connection's task: ends the calls whose time has run out.
    pub(super) fn expire(&self, now: Instant) {
        loop {
            let mut state = self.lock();
            state.told = false;
            let due = state.answers.due(now);
            drop(state);
            let Some((number, ran)) = due else { return };
            let fault = if ran {
                let timeout = self.settings.call_timeout;
                Fault::new(ErrorKind::Timeout, format!("no answer came within {timeout:?}"))
            } else {
                Fault::new(
                    ErrorKind::Expired,
                    "its time had run out while it waited for the one before",
                )
            };
            self.fault(number, fault);
        }
    }

    /// Sends a frame that answers nothing.
    pub(super) fn push(&self, command: u32, write: Write<'_>) -> Result<(), Fault> {
        let net = &self.net;
        outgoing::flush();
        let mut state = self.lock();
        state
            .check_open()
            .inspect_err(|_| net.counters.dropped_pushes.add())?;
        let settings = &self.settings;
        settings
            .dialect
            .encode(command, write, settings.out_buffer, &mut state.out)?;
        self.pushed(state)
    }

    /// Sends a frame that has been encoded already.
    pub(super) fn push_frame(&self, frame: &[u8]) -> Result<(), Fault> {
        outgoing::flush();
        let mut state = self.lock();
        state
            .check_open()
            .inspect_err(|_| self.net.counters.dropped_pushes.add())?;
        state.out.extend_from_slice(frame);
        self.pushed(state)
    }

    fn pushed(&self, mut state: MutexGuard<'_, State>) -> Result<(), Fault> {
        state.check_room(self.settings.out_buffer);
        let closing = state.closing;
        self.tell(state);
        if closing.is_none() {
            return Ok(());
        }
        self.net.counters.dropped_pushes.add();
        Err(Fault::new(
            ErrorKind::Overloaded,
            "the client does not take what was sent to it",
        ))
    }

    /// Ends the connection after what waits has been written.
    pub(super) fn kick(&self, why: &str) {
        outgoing::flush();
        let mut state = self.lock();
        if state.closing.is_some() {
            return;
        }
        state.close(Reason::Kicked);
        self.tell(state);
        tracing::info!(session = %self.id, addr = %self.addr, why, "a client was kicked");
    }

    /// No more frames are read; the connection ends when all calls have been answered.
    pub(super) fn end(&self, reason: Reason) {
        let mut state = self.lock();
        state.ending.get_or_insert(reason);
        self.tell(state);
    }

    /// Ends the connection without answering calls or writing what waits.
    pub(super) fn cut(&self, reason: Reason) {
        let mut state = self.lock();
        state.close(reason);
        state.out = BytesMut::new();
        self.tell(state);
    }

    /// The connection's task is done with the socket: the client's side learns that nothing more comes.
    pub(super) fn shut(&self, reason: Reason) {
        let mut state = self.lock();
        state.close(reason);
        state.out = BytesMut::new();
        state.say_end();
        if let Some(socket) = state.socket.take()
            && reason == Reason::Left
        {
            // Who has said that he leaves learns by the end of the connection itself: one call to the system less.
            socket.forget();
        }
        state.task = None;
    }

    /// Writes what waits, as far as the system takes it, and says how things stand then. From now on the task is woken when
    /// something changes.
    pub(super) fn flush(&self, task: &Waker) -> io::Result<Status> {
        let mut state = self.lock();
        state.flush()?;
        if !state.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            state.task = Some(task.clone());
        }
        if state.out.is_empty() && state.answers.in_flight() == 0 {
            // An idle connection keeps no buffer, and no room for calls.
            state.out = BytesMut::new();
            state.answers.clear();
        }
        Ok(Status {
            ending: state.ending,
            closing: state.closing,
            in_flight: state.answers.in_flight(),
            unsent: state.unsent(),
            blocked: state.blocked(),
            bytes_out: state.bytes_out,
            deadline: state.answers.deadline(),
        })
    }

    /// With TLS: takes whole records out of `raw`, and adds what they say to `plain`; what is to be answered waits to
    /// be written. `None` without TLS.
    pub(super) fn decipher(
        &self,
        raw: &mut BytesMut,
        plain: &mut BytesMut,
    ) -> Option<Result<Progress, BadTls>> {
        let mut state = self.lock();
        let opened = state.cipher.as_mut()?.open(raw, plain);
        if opened.is_err() {
            // The alert that says why, if it can be written at once.
            state.out = BytesMut::new();
            state.flush().unwrap_or_default();
        }
        Some(opened)
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.lock().cipher.is_some()
    }

    pub(super) fn received(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().closing.is_none()
    }

    pub(super) fn info(&self) -> ClientInfo {
        let state = self.lock();
        ClientInfo {
            number: self.id.number,
            addr: self.addr,
            since_ms: unix_ms(self.since),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: state.bytes_out,
            in_flight: state.answers.in_flight(),
            unsent: state.unsent(),
        }
    }

    /// Tells the connection's task once of all that happens until its next turn; before its first there is nobody to tell.
    /// Under the lock, as the task nearly always runs on this thread, and the waker would have to be cloned.
    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let state = &mut *state;
        if let Some(task) = &state.task
            && !std::mem::replace(&mut state.told, true)
        {
            task.wake_by_ref();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A writer of a payload may panic while the lock is held; the dialect then takes its frame back.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line while its task opens calls.
pub(super) struct Opening<'a>(MutexGuard<'a, State>);

impl Opening<'_> {
    /// A command has arrived: opens its slot. `None` when it is held for now; see [`Opening::take_ready`].
    pub(super) fn open(
        &mut self,
        command: u32,
        payload: Bytes,
        deadline: Instant,
        serial: bool,
    ) -> Option<Call> {
        self.0.answers.open(command, payload, deadline, serial)
    }

    /// The next command that was held and may now go to its handler.
    pub(super) fn take_ready(&mut self) -> Option<Call> {
        self.0.answers.take_ready()
    }

    /// How many calls have no answer that left.
    pub(super) fn in_flight(&self) -> usize {
        self.0.answers.in_flight()
    }

    /// Whether nothing more is taken in.
    pub(super) fn is_closing(&self) -> bool {
        self.0.closing.is_some()
    }
}
