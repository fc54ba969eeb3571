//! The task of one connection, both directions: bytes to packets to handlers, and what has gathered to the socket.
//!
//! Each turn does everything that can be done without waiting ([`Connection::settle`]), then waits for the first of:
//! news from the [`Line`], bytes from the client, room for more bytes to it, the nearest time limit. A connection
//! that waits for its client holds no read buffer, no timer but the last one until that has rung, and its future has room
//! for no more than the wait: there may be very many of them.

mod admission;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::cipher::Progress;
use super::clients::Net;
use super::counters::Reason;
use super::limits::Limits;
use super::line::{Line, Status};
use super::pace::Pace;
use super::session::Session;
use crate::message::Origin;
use crate::service::{Invocation, Route, Visits};
use admission::Pause;

/// Room that is made for one read, in bytes: for twice what the last one has brought, within these bounds, or what was lent and
/// is more. Long frames come in few reads then, and clients that say little hold little.
const READ_STEP: usize = 8 * 1024;
const MOST_READ: usize = 64 * 1024;

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
    /// How many calls came together the last time.
    usual: usize,
    /// How many bytes the last read has brought.
    last_read: usize,
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
            usual: 0,
            last_read: 0,
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

    /// Reads what has come, as far as it has room, which is made only now that there is something.
    ///
    /// A read by the task, unlike a plain `try_read`, tells tokio that the socket is empty when it does not fill the buffer,
    /// which saves the system call that would find it so.
    fn receive(&mut self, task: &mut Context<'_>) -> Result<(), Reason> {
        if self.raw.is_none() && self.buffer.is_empty() {
            self.buffer = self.net.lend_room();
        }
        let into = self.raw.as_mut().unwrap_or(&mut self.buffer);
        into.reserve((2 * self.last_read).clamp(READ_STEP, MOST_READ));
        match pin!(self.read.read_buf(into)).poll(task) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(0)) => {
                self.no_more();
                Ok(())
            }
            Poll::Ready(Ok(bytes)) => {
                self.last_read = bytes;
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
