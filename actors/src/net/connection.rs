//! The task of one connection, both directions: bytes to packets to handlers, and what has gathered to the socket.
//!
//! Each turn does everything that can be done without waiting ([`Connection::settle`]), then waits for the first of:
//! news from the [`Line`], bytes from the client, room for more bytes to it, the nearest time limit. A connection
//! that waits for its client holds no read buffer and no timer.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::packet::{Decoded, Packet};
use lampyris_runtime::reply::{ReplySink, ReplyTo};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Instant, Sleep};

use super::answers::Call;
use super::cipher::Progress;
use super::clients::Net;
use super::counters::Reason;
use super::limits::Limits;
use super::line::{Line, Status};
use super::pace::Pace;
use super::session::Session;
use crate::message::Origin;
use crate::service::{Invocation, Route};

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
    /// Shared by all invocations of the connection.
    origin: Arc<Origin>,
    read: OwnedReadHalf,
    /// What was read and not yet decoded.
    buffer: BytesMut,
    /// With TLS, what was read and is no whole record yet.
    raw: Option<BytesMut>,
    /// With TLS, the handshake has begun and is not over.
    shaking: bool,
    limits: Limits,
    pace: Option<Pace>,
    timer: Option<Pin<Box<Sleep>>>,
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
        Self {
            line: Arc::clone(session.line()),
            origin: Arc::new(Origin::Client(session.clone())),
            session,
            read,
            buffer: BytesMut::new(),
            raw,
            shaking: false,
            limits: Limits::new(now),
            pace: net.settings.rate.map(|rate| Pace::new(rate, now)),
            timer: None,
            ended: false,
            net,
        }
    }

    /// Serves the client until the connection ends.
    pub(super) async fn run(mut self) {
        self.announce(self.net.router.opened());
        let reason = self.talk().await;
        self.end_session(reason);
        if matches!(reason, Reason::Kicked | Reason::CallFailed | Reason::Stopped) {
            self.linger().await;
        }
    }

    async fn talk(&mut self) -> Reason {
        loop {
            let wait = match self.settle(Instant::now()) {
                Ok(wait) => wait,
                Err(reason) => return reason,
            };
            self.arm(wait.until);
            let armed = self.timer.is_some();
            let Self {
                line, read, timer, ..
            } = self;
            tokio::select! {
                () = line.news() => {}
                _ = read.as_ref().writable(), if wait.write => {}
                () = ring(timer), if armed => self.timer = None,
                _ = read.readable(), if wait.read => {
                    if let Err(reason) = self.receive().await {
                        return reason;
                    }
                }
            }
        }
    }

    /// Does everything that can be done at once, and says what to wait for, or why the connection ends.
    fn settle(&mut self, now: Instant) -> Result<Wait, Reason> {
        self.line.expire(now);
        while let Some(call) = self.line.take_ready() {
            let route = self.net.router.command(call.command);
            self.hand_over(call, route);
        }
        let pause = self.admit(now)?;
        self.line.flush().map_err(|error| self.lost(&error))?;
        let status = self.line.status();
        self.check_end(&status, &pause)?;
        let read = matches!(pause, Pause::NoFrame) && status.ending.is_none() && status.closing.is_none();
        let limit = self.limits.check(&self.net.settings, &status, now)?;
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

    /// Takes packets out of the buffer and hands them over, as many as may be in flight.
    fn admit(&mut self, now: Instant) -> Result<Pause, Reason> {
        loop {
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
                match self.shaking || self.raw.as_ref().is_some_and(|raw| !raw.is_empty()) {
                    true => self.await_rest(None, now),
                    false => self.limits.no_frame(),
                }
                return Ok(Pause::NoFrame);
            }
            let status = self.line.status();
            if status.closing.is_some() {
                return Ok(Pause::NoFrame);
            }
            if status.in_flight >= self.net.settings.in_flight.max(1) {
                self.limits.no_frame();
                return Ok(Pause::Full);
            }
            if let Some(until) = self.pace.as_ref().and_then(|pace| pace.wait(now)) {
                self.limits.no_frame();
                return Ok(Pause::Pace(until));
            }
            match self
                .net
                .settings
                .dialect
                .decode(&mut self.buffer, self.net.settings.max_frame)
            {
                Ok(Decoded::Packet(packet)) => self.take(packet, now),
                Ok(Decoded::Partial(size)) => {
                    self.await_rest(size, now);
                    return Ok(Pause::NoFrame);
                }
                Err(refused) => {
                    self.log_refused(&refused, &self.buffer, now);
                    return Err(refused.into());
                }
            }
        }
    }

    /// A whole frame is here.
    fn take(&mut self, packet: Packet, now: Instant) {
        self.limits.frame_came(now);
        if let Some(pace) = &mut self.pace {
            pace.spend(now);
        }
        let Packet { command, payload } = packet;
        let route = self.net.router.command(command);
        let deadline = now + self.net.settings.call_timeout;
        let serial = route.is_some_and(|route| route.serial);
        if let Some(call) = self.line.open(command, payload, deadline, serial) {
            self.hand_over(call, route);
        }
    }

    /// Gives a command to its service.
    fn hand_over(&self, call: Call, route: Option<&Route>) {
        let sink: Arc<dyn ReplySink> = Arc::clone(&self.line) as _;
        let reply = ReplyTo::new(sink, call.number);
        match route {
            Some(route) => self.invoke(route, call.payload, call.deadline, reply),
            None => {
                let text = format!("no service of this node answers command {}", call.command);
                reply.fault(Fault::new(ErrorKind::NoSuchCommand, text));
            }
        }
    }

    /// Tells services that the session begins or ends.
    fn announce(&self, routes: &[Route]) {
        let deadline = Instant::now() + NEWS_LIFE;
        for route in routes {
            let news = self.invocation(route, Bytes::new(), deadline, self.net.news());
            route.inbox.push_news(news);
        }
    }

    fn invoke(&self, route: &Route, body: Bytes, deadline: Instant, reply: ReplyTo) {
        route.inbox.push(self.invocation(route, body, deadline, reply));
    }

    fn invocation(&self, route: &Route, body: Bytes, deadline: Instant, reply: ReplyTo) -> Invocation {
        let origin = Arc::clone(&self.origin);
        Invocation {
            entry: route.entry,
            body,
            deadline: deadline.into_std(),
            origin,
            reply,
        }
    }

    /// The rest of a frame is waited for.
    fn await_rest(&mut self, size: Option<usize>, now: Instant) {
        self.limits.frame_goes_on(size, &self.net.settings, now);
        for buffer in self.raw.iter_mut().chain([&mut self.buffer]) {
            if buffer.len() < KEEP_SMALL && buffer.capacity() >= READ_STEP / 2 {
                *buffer = BytesMut::from(&buffer[..]);
            }
        }
    }

    /// Reads what has come, up to one step. The buffer is made only now that there is something.
    async fn receive(&mut self) -> Result<(), Reason> {
        let into = self.raw.as_mut().unwrap_or(&mut self.buffer);
        into.reserve(READ_STEP);
        match read_now(&mut self.read, into).await {
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

    /// Sees to it that the task is woken at `until` or before. A timer that is early is left as it is: it is set anew
    /// when it rings, which is once in a while, where deadlines move with every call.
    fn arm(&mut self, until: Option<Instant>) {
        let Some(until) = until else { return };
        match &mut self.timer {
            Some(timer) if timer.deadline() <= until => {}
            Some(timer) => timer.as_mut().reset(until),
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(until))),
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

/// Reads without waiting. Unlike a plain `try_read`, a read that does not fill the buffer tells tokio that the
/// socket is empty, which saves the system call that would find it so.
async fn read_now(read: &mut OwnedReadHalf, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
    poll_fn(|task| Poll::Ready(pin!(read.read_buf(buffer)).poll(task))).await
}

/// Waits for the timer, if there is one.
async fn ring(timer: &mut Option<Pin<Box<Sleep>>>) {
    if let Some(timer) = timer {
        timer.await;
    }
}
