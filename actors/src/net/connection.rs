//! The task of one connection, both directions: bytes to packets to handlers, and what has gathered to the socket.
//!
//! Each turn does everything that can be done without waiting ([`Connection::settle`]), then waits for the first of:
//! news from the [`Line`], bytes from the client, room for more bytes to it, the nearest time limit. A connection
//! news from the [`Line`], bytes from the client, room for more bytes to it, the nearest time limit. A connection
//! that waits for its client holds no read buffer, no timer but the last one until that has rung, and its future has room
//! for no more than the wait: there may be very many of them.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::packet::{Decoded, Packet, Refused};
use lampyris_runtime::reply::ReplySink;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::answers::Call;
use super::cipher::Progress;
use super::clients::Net;
use super::counters::Reason;
use super::limits::Limits;
use super::line::{Line, Status};
use super::pace::Pace;
use super::session::Session;
use crate::message::Origin;
use crate::service::{Arrival, Invocation, Route, Router, Visits};

/// Room that is made for one read, in bytes.
const READ_STEP: usize = 8 * 1024;

/// A beginning of a frame below this is kept in a buffer of its own size, so that a client that stops in the middle
/// of a header does not hold [`READ_STEP`] bytes. Above it, copying costs more than it saves.
const KEEP_SMALL: usize = 2 * 1024;

/// Bytes of a refused frame that are logged.
const LOGGED_BYTES: usize = 32;

/// News of a session are for whenever its service has time: nobody waits for an answer.
const NEWS_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long a client that was sent away may go on sending before the socket is closed under it. Closing earlier
/// would reset the connection, and take from the client what was sent to it last.
const LINGER: Duration = Duration::from_secs(1);

/// One client's connection; its task is [`Connection::run`].
pub(super) struct Connection {
    net: Arc<Net>,
    session: Session,
    line: Arc<Line>,
    /// What it brings to the services.
    visits: Visits,
    read: OwnedReadHalf,
    /// What was read and not yet decoded.
    buffer: BytesMut,
    /// With TLS, what was read and is no whole record yet.
    raw: Option<BytesMut>,
    /// With TLS, the handshake has begun and is not over.
    shaking: bool,
    limits: Limits,
    pace: Option<Pace>,
    alarm: Alarm,
    /// The session has ended; only the socket is left.
    ended: bool,
}

/// Why no more packets are taken out of the buffer for now.
enum Pause {
    /// The rest has not come.
    NoFrame,
    /// As many calls are in flight as may be.
    Full,
    /// The client is ahead of its pace.
    Pace(Instant),
}

/// Why no more calls are opened for now.
enum Stop {
    Pause(Pause),
    /// The rest of a frame has not come; its size, if that is known.
    Partial(Option<usize>),
    /// The bytes are no frame.
    Refused(Refused),
}

/// What a turn waits for, beside news.
struct Wait {
    /// Bytes from the client.
    read: bool,
    /// Room for bytes to the client.
    write: bool,
    /// The nearest time limit.
    until: Option<Instant>,
}

impl Connection {
    pub(super) fn new(net: Arc<Net>, session: Session, read: OwnedReadHalf) -> Self {
        let now = Instant::now();
        let raw = session.line().is_encrypted().then(BytesMut::new);
        let pace = session.line().settings.rate.map(|rate| Pace::new(rate, now));
        Self {
            line: Arc::clone(session.line()),
            visits: Visits::new(Origin::Client(session.clone()), Arc::clone(session.line()) as _),
            session,
            read,
            buffer: BytesMut::new(),
            raw,
            shaking: false,
            limits: Limits::new(now),
            pace,
            alarm: Alarm::default(),
            ended: false,
            net,
        }
    }

    /// Serves the client until the connection ends.
    ///
    /// In a box, as a future has room twice for what it is given by value.
    pub(super) async fn run(mut self: Box<Self>) {
        self.announce(self.net.router.opened());
        let reason = self.talk().await;
        self.end_session(reason);
        if matches!(reason, Reason::Kicked | Reason::CallFailed | Reason::Stopped) {
            self.linger().await;
        }
    }

    async fn talk(&mut self) -> Reason {
        poll_fn(|task| self.poll_turns(task)).await
    }

    /// One turn after the other, until there is nothing to do but to wait. Whatever ends the waiting, the next turn
    /// looks at everything.
    fn poll_turns(&mut self, task: &mut Context<'_>) -> Poll<Reason> {
        loop {
            let now = Instant::now();
            let wait = match self.settle(now, task) {
                Ok(wait) => wait,
                Err(reason) => return Poll::Ready(reason),
            };
            self.alarm.set(wait.until, now, task);
            let writable = wait.write && self.read.as_ref().poll_write_ready(task).is_ready();
            let readable = wait.read && self.read.as_ref().poll_read_ready(task).is_ready();
            if readable && let Err(reason) = self.receive(task) {
                return Poll::Ready(reason);
            }
            if !readable && !writable {
                return Poll::Pending;
            }
        }
    }

    /// Does everything that can be done at once, and says what to wait for, or why the connection ends.
    fn settle(&mut self, now: Instant, task: &Context<'_>) -> Result<Wait, Reason> {
        self.line.expire(now);
        let pause = self.admit(now)?;
        let status = self.line.flush(task.waker()).map_err(|error| self.lost(&error))?;
        self.check_end(&status, &pause)?;
        let read = matches!(pause, Pause::NoFrame) && status.ending.is_none() && status.closing.is_none();
        let limit = self.limits.check(&self.line.settings, &status, now)?;
        let pace = if let Pause::Pace(until) = pause {
            Some(until)
        } else {
            None
        };
        let until = [status.deadline, limit, pace].into_iter().flatten().min();
        Ok(Wait {
            read,
            write: status.blocked,
            until,
        })
    }

    /// Hands over what may go to its handler: commands that were held, then packets out of the buffer, as many as
    /// may be in flight.
    fn admit(&mut self, now: Instant) -> Result<Pause, Reason> {
        let mut calls = Vec::new();
        let stop = self.open(now, &mut calls);
        self.hand_over(calls);
        match stop {
            Stop::Pause(pause) => Ok(pause),
            Stop::Partial(size) => {
                self.await_rest(size, now);
                Ok(Pause::NoFrame)
            }
            Stop::Refused(refused) => {
                self.log_refused(&refused, &self.buffer, now);
                Err(refused.into())
            }
        }
    }

    /// Opens the calls of all packets that are here, under one lock of the line.
    fn open(&mut self, now: Instant, calls: &mut Vec<Call>) -> Stop {
        let Self {
            net,
            line,
            buffer,
            raw,
            shaking,
            limits,
            pace,
            ..
        } = self;
        let settings = &line.settings;
        let deadline = now + settings.call_timeout;
        let mut route = None;
        let mut opening = line.opening();
        while let Some(call) = opening.take_ready() {
            calls.push(call);
        }
        loop {
            if buffer.is_empty() {
                net.take_room(std::mem::take(buffer));
                if *shaking || raw.as_ref().is_some_and(|raw| !raw.is_empty()) {
                    return Stop::Partial(None);
                }
                limits.no_frame();
                return Stop::Pause(Pause::NoFrame);
            }
            if opening.is_closing() {
                return Stop::Pause(Pause::NoFrame);
            }
            if opening.in_flight() >= settings.in_flight.max(1) {
                limits.no_frame();
                return Stop::Pause(Pause::Full);
            }
            if let Some(until) = pace.as_ref().and_then(|pace| pace.wait(now)) {
                limits.no_frame();
                return Stop::Pause(Pause::Pace(until));
            }
            let Packet { command, payload } = match settings.dialect.decode(buffer, settings.max_frame) {
                Ok(Decoded::Packet(packet)) => packet,
                Ok(Decoded::Partial(size)) => return Stop::Partial(size),
                Err(refused) => return Stop::Refused(refused),
            };
            limits.frame_came(now);
            if let Some(pace) = pace {
                pace.spend(now);
            }
            let serial = find(&net.router, command, &mut route).is_some_and(|route| route.serial);
            calls.extend(opening.open(command, payload, deadline, serial));
        }
    }

    /// Gives commands to their services, those for one service together.
    fn hand_over(&mut self, calls: Vec<Call>) {
        let mut route = None;
        self.visits.reserve(calls.len());
        for call in calls {
            let Some(route) = find(&self.net.router, call.command, &mut route) else {
                let text = format!("no service of this node answers command {}", call.command);
                let fault = Fault::new(ErrorKind::NoSuchCommand, text);
                self.line.fault(call.number, fault);
                continue;
            };
            let arrival = Arrival {
                call: Some(call.number),
                body: call.payload,
                deadline: call.deadline.into_std(),
                traced: self.net.follow.request(self.line.addr),
            };
            self.visits.bring(route, arrival);
        }
        self.visits.settle();
        self.visits.rest();
    }

    /// Tells services that the session begins or ends.
    fn announce(&self, routes: &[Route]) {
        let deadline = (Instant::now() + NEWS_LIFE).into_std();
        for route in routes {
            route.inbox.push_news(Invocation {
                entry: route.entry,
                body: Bytes::new(),
                deadline,
                reply: self.net.news(&self.session),
            });
        }
    }

    /// The rest of a frame is waited for.
    fn await_rest(&mut self, size: Option<usize>, now: Instant) {
        self.limits.frame_goes_on(size, &self.line.settings, now);
        for buffer in self.raw.iter_mut().chain([&mut self.buffer]) {
            if buffer.len() < KEEP_SMALL && buffer.capacity() >= READ_STEP / 2 {
                let own = BytesMut::from(&buffer[..]);
                self.net.take_room(std::mem::replace(buffer, own));
            }
        }
    }

    /// Reads what has come, up to one step. There is room for it only now that there is something.
    ///
    /// A read by the task, unlike a plain `try_read`, tells tokio that the socket is empty when it does not fill the buffer,
    /// which saves the system call that would find it so.
    fn receive(&mut self, task: &mut Context<'_>) -> Result<(), Reason> {
        if self.raw.is_none() && self.buffer.is_empty() {
            self.buffer = self.net.lend_room();
        }
        let into = self.raw.as_mut().unwrap_or(&mut self.buffer);
        into.reserve(READ_STEP);
        match pin!(self.read.read_buf(into)).poll(task) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(0)) => {
                self.no_more();
                Ok(())
            }
            Poll::Ready(Ok(bytes)) => {
                self.line.received(bytes);
                self.decipher()
            }
            Poll::Ready(Err(error)) => Err(self.lost(&error)),
        }
    }

    /// The client sends nothing more.
    fn no_more(&self) {
        let whole = self.buffer.is_empty() && self.raw.as_ref().is_none_or(BytesMut::is_empty);
        self.line
            .end(if whole { Reason::Left } else { Reason::Truncated });
    }

    /// With TLS: what was read becomes what the client said.
    fn decipher(&mut self) -> Result<(), Reason> {
        let Some(raw) = &mut self.raw else { return Ok(()) };
        match self.line.decipher(raw, &mut self.buffer) {
            Some(Ok(progress)) => {
                self.shaking = progress == Progress::Handshake;
                if progress == Progress::Closed {
                    self.no_more();
                }
                Ok(())
            }
            Some(Err(refused)) => {
                self.log_refused(&refused, self.raw.as_deref().unwrap_or_default(), Instant::now());
                Err(Reason::BadTls)
            }
            None => Ok(()),
        }
    }

    /// Whether all is done that is to be done before the end.
    fn check_end(&self, status: &Status, pause: &Pause) -> Result<(), Reason> {
        if status.unsent > 0 {
            return Ok(());
        }
        let done = status.in_flight == 0 && matches!(pause, Pause::NoFrame);
        match status.closing.or(status.ending.filter(|_| done)) {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    fn lost(&self, error: &io::Error) -> Reason {
        tracing::debug!(session = %self.line.id, addr = %self.line.addr, %error, "a client's connection was lost");
        Reason::Lost
    }

    fn log_refused(&self, refused: &dyn Display, bytes: &[u8], now: Instant) {
        let Some(suppressed) = self.net.may_log(now) else {
            return;
        };
        let bytes = &bytes[..bytes.len().min(LOGGED_BYTES)];
        let (session, addr) = (&self.line.id, self.line.addr);
        tracing::warn!(%session, %addr, why = %refused, bytes = %format_args!("{bytes:02x?}"), suppressed, "bytes of a client are no frame");
    }

    /// The client's side learns that nothing more comes, services that the session is over.
    fn end_session(&mut self, reason: Reason) {
        self.ended = true;
        self.line.shut(reason);
        self.announce(self.net.router.closed());
        self.net.unregister(&self.session, reason);
    }

    /// Lets the client read what it was sent, until it closes its side too.
    async fn linger(&mut self) {
        let until_closed = async {
            loop {
                self.buffer.clear();
                self.buffer.reserve(READ_STEP);
                if !matches!(self.read.read_buf(&mut self.buffer).await, Ok(1..)) {
                    return;
                }
            }
        };
        if tokio::time::timeout(LINGER, until_closed).await.is_err() {
            tracing::debug!(session = %self.line.id, "a client that was sent away did not go by itself");
        }
    }
}

impl Drop for Connection {
    /// However the task ends, the session does with it.
    fn drop(&mut self) {
        if !self.ended {
            self.end_session(Reason::Broken);
        }
    }
}

/// The route of a command; one after another is mostly the same, so the last is remembered.
fn find<'a>(
    router: &'a Router,
    command: u32,
    last: &mut Option<(u32, Option<&'a Route>)>,
) -> Option<&'a Route> {
    match last {
        Some((known, route)) if *known == command => *route,
        _ => last.insert((command, router.command(command))).1,
    }
}
