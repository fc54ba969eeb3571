//! What one connection does with bytes, time and calls. Pure: no socket, no clock, no task.
//!
//! ```text
//!   socket ── bytes into `buffer` ──> on_bytes ──> frames ──> peer's Intake, waiting calls, Conn's outbox
//!   socket <── bytes of `stage`  <── Conn::poll_staging <── Conn's outbox
//!   timer  ── on_time, when next() says so ──> heartbeats, deadlines of calls
//! ```
//!
//! The shell that drives it is [`task`](super::task), or a simulation. An `Err` says that the connection is over,
//! and why.
//!
//! Invariants: it has its seat with its peer until it is dropped; after that no call of its connection waits any
//! more.

use std::io::IoSlice;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};

use super::calls::TICK;
use super::conn::{Conn, count};
use super::ended::Ended;
use super::liveness::{Liveness, Verdict};
use super::outbox::Stage;
use super::peer::{Intake, Request, Seated};
use crate::beat::Beat;
use crate::error::{ErrorKind, Fault};
use crate::name::HandlerId;
use crate::reply::ReplySink;
use crate::trace::{Context, Traced};
use crate::wire::{Decoder, Frame, Goodbye, Head};

/// A notification has no caller whose patience ends; one that waited so long for its handler is stale.
const NOTIFICATION_LIFE: Duration = Duration::from_secs(60);

/// Most messages that are handed on together: what is known of them fits the nearest cache.
const RUN: usize = 256;

/// Most parts of the stage that are handed to the socket in one go.
pub(crate) const PARTS: usize = 16;

/// One connection, from the handshake's end to its own.
pub(crate) struct Machine {
    /// Bytes that came and have not been understood yet; the shell adds to its end.
    pub(crate) buffer: BytesMut,
    /// Bytes that are being written; the shell takes from its front, with [`written`].
    pub(crate) stage: Stage,
    seated: Seated,
    liveness: Liveness,
    decoder: Decoder,
    started: Instant,
    /// When the deadlines of calls are looked at next; `None` while no call waits.
    calls_due: Option<Instant>,
    /// Of the last request.
    patience: Patience,
    /// The trace that the request of this number is part of, if it comes next.
    trace: Option<(u64, Box<Context>)>,
    /// Takes in what the other end asks.
    intake: Box<dyn Intake>,
    /// Messages of one kind that came together, and where their bodies are in the buffer; empty but for its memory.
    run: Vec<(Head, Range<usize>)>,
}

/// Until when a caller waits that had so many milliseconds left when its request came.
struct Patience {
    now: Instant,
    budget: u32,
    until: Instant,
}

impl Machine {
    /// Begins. `early` came behind the handshake; the shell says so with a first [`Machine::on_bytes`]. Heartbeats come
    /// on the beat.
    pub(crate) fn new(seated: Seated, early: BytesMut, beat: Beat, now: Instant) -> Self {
        let settings = seated.peer.settings();
        Self {
            buffer: early,
            stage: Stage::new(),
            liveness: Liveness::new(settings, beat, now),
            decoder: Decoder::new(settings.max_message),
            intake: seated.peer.inbound().intake(&seated.conn),
            run: Vec::new(),
            seated,
            started: now,
            calls_due: None,
            patience: Patience {
                now,
                budget: 0,
                until: now,
            },
            trace: None,
        }
    }

    /// When [`Machine::on_time`] is due.
    pub(crate) fn next(&self) -> Instant {
        let heartbeat = self.liveness.next();
        self.calls_due.map_or(heartbeat, |due| due.min(heartbeat))
    }

    /// Whether no deadline of a call has to be looked after: the shell then waits for the first call.
    pub(crate) const fn is_at_ease(&self) -> bool {
        self.calls_due.is_none()
    }

    /// Sees to the deadlines of calls, if there are calls; changes [`Machine::next`].
    pub(crate) fn mind_calls(&mut self, now: Instant) {
        if self.calls_due.is_none() && self.seated.conn.calls() > 0 {
            self.calls_due = Some(now + TICK);
        }
    }

    /// So many bytes were added to the buffer.
    pub(crate) fn on_bytes(&mut self, bytes: usize, now: Instant) -> Result<(), Ended> {
        count(&self.seated.conn.counters.bytes_in, bytes);
        self.liveness.heard(now);
        self.seated.conn.note_heard(now);
        let understood = self.on_frames(now);
        self.intake.settle();
        understood
    }

    /// Understands what is in the buffer, as far as whole frames go.
    fn on_frames(&mut self, now: Instant) -> Result<(), Ended> {
        let (mut frames, mut seen) = (0, 0);
        let understood = loop {
            if let Some((head, body)) = self.decoder.short(&self.buffer[seen..]) {
                let joins = |(first, _): &(Head, _)| first.kind() == head.kind();
                if !self.run.first().is_none_or(joins) || self.run.len() == RUN {
                    self.hand_on(std::mem::take(&mut seen), now);
                    continue;
                }
                self.run.push((head, seen + body.start..seen + body.end));
                seen += body.end;
                frames += 1;
                continue;
            }
            self.hand_on(std::mem::take(&mut seen), now);
            match self.decoder.next(&mut self.buffer) {
                Ok(None) => break Ok(()),
                Err(broken) => break Err(broken.into()),
                Ok(Some(frame)) => {
                    frames += 1;
                    if let Err(ended) = self.on_frame(frame, now) {
                        break Err(ended);
                    }
                }
            }
        };
        count(&self.seated.conn.counters.frames_in, frames);
        understood
    }

    /// Hands on the messages that were found in so many bytes at the front of the buffer, and cuts those off.
    fn hand_on(&mut self, bytes: usize, now: Instant) {
        match self.run.first() {
            None => return,
            Some((Head::Request { .. }, _)) => self.take_in(bytes, now),
            Some(_) => self.pass_replies(bytes),
        }
        self.liveness.used();
    }

    /// The bodies share the memory of what was read.
    fn take_in(&mut self, bytes: usize, now: Instant) {
        let read = self.buffer.split_to(bytes).freeze();
        let mut run = std::mem::take(&mut self.run);
        for (head, body) in run.drain(..) {
            if let Head::Request {
                call,
                budget,
                handler,
            } = head
            {
                self.on_request((call, budget, handler), read.slice(body), now);
            }
        }
        self.run = run;
    }

    /// The replies are not cut out of the buffer.
    fn pass_replies(&mut self, bytes: usize) {
        let (run, buffer) = (self.run.drain(..), &self.buffer);
        let with_bodies = run.filter_map(|(head, body)| match head {
            Head::Reply { call } => Some((call, &buffer[body])),
            _ => None,
        });
        self.seated.conn.answered(with_bodies);
        self.buffer.advance(bytes);
    }

    fn on_request(&mut self, (call, budget, handler): (u64, u32, HandlerId), body: Bytes, now: Instant) {
        let trace = self.trace.take();
        if budget == 0 {
            let fault = Fault::new(ErrorKind::Expired, "no time was left when it arrived");
            return self.seated.conn.fault(call, fault);
        }
        // Those that come together mostly have the same time left.
        if (self.patience.now, self.patience.budget) != (now, budget) {
            let until = now + Duration::from_millis(budget.into());
            self.patience = Patience { now, budget, until };
        }
        let traced = trace.filter(|(of, _)| *of == call).map(|(_, context)| Traced {
            context: *context,
            since: now,
        });
        self.intake.request(Request {
            call: Some(call),
            handler,
            body,
            deadline: self.patience.until,
            traced,
        });
    }

    fn on_frame(&mut self, frame: Frame, now: Instant) -> Result<(), Ended> {
        if !matches!(frame, Frame::Ping(_) | Frame::Pong(_)) {
            self.liveness.used();
        }
        match frame {
            Frame::Request {
                call,
                budget,
                handler,
                body,
            } => {
                self.on_request((call, budget, handler), body, now);
            }
            Frame::Notify { handler, body } => self.intake.request(Request {
                call: None,
                handler,
                body,
                deadline: now + NOTIFICATION_LIFE,
                traced: None,
            }),
            Frame::Reply { call, body } => {
                if let Some(reply) = self.seated.conn.take_answered(call) {
                    reply.reply_bytes(body);
                }
            }
            Frame::Fault { call, fault } => {
                if let Some(reply) = self.seated.conn.take_answered(call) {
                    reply.fault(fault);
                }
            }
            Frame::Ping(token) => {
                self.liveness.pinged();
                self.seated.conn.pong(token);
            }
            Frame::Pong(token) => {
                let micros = self.micros(now).saturating_sub(token);
                self.seated
                    .conn
                    .counters
                    .round_trip
                    .store(micros.max(1), Ordering::Relaxed);
            }
            Frame::Goodbye(reason) => return Err(Ended::Farewell(reason)),
            Frame::Drain => self.seated.peer.retire(&self.seated.conn),
            Frame::Drained => {
                // What came before it is to be counted first.
                self.intake.settle();
                self.seated.conn.note_drained();
            }
            Frame::Trace { call, context } => self.trace = Some((call, context)),
        }
        Ok(())
    }

    /// Time has passed: heartbeats and deadlines, as far as they are due.
    pub(crate) fn on_time(&mut self, now: Instant) -> Result<(), Ended> {
        if self.calls_due.is_some_and(|due| due <= now) {
            self.seated.conn.expire(now);
            self.calls_due = None;
        }
        if self.liveness.next() <= now {
            self.on_heartbeat(now)?;
        }
        Ok(())
    }

    fn on_heartbeat(&mut self, now: Instant) -> Result<(), Ended> {
        // What a burst has needed is not kept.
        self.run = Vec::new();
        self.intake.rest();
        if self.seated.conn.is_flooded() {
            return Err(Ended::Flooded);
        }
        match self.liveness.tick(now) {
            Verdict::Wait => {}
            Verdict::Down => return Err(Ended::Silent(self.seated.peer.settings().down_after)),
            Verdict::Ping => self.seated.conn.ping(self.micros(now)),
            Verdict::Suspect => {
                tracing::warn!(peer = %self.seated.peer.name(), "nothing heard for a while; the link is suspect");
                self.seated.conn.ping(self.micros(now));
            }
        }
        Ok(())
    }

    /// Everything is written, and the connection is to end: the stage is the last word, to be written with this
    /// much patience.
    pub(crate) fn say_goodbye(&mut self, goodbye: Goodbye) -> Duration {
        self.seated.conn.stage_goodbye(goodbye, &mut self.stage);
        self.seated.peer.settings().heartbeat
    }

    /// It is over. Dropping the machine then ends the calls with this reason.
    pub(crate) fn end(&mut self, why: &Ended) {
        self.seated.ended = Some(why.to_string());
    }

    /// Microseconds since the beginning: what a ping carries.
    fn micros(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

/// The front of the stage, for one write; gives how many parts that are.
pub(crate) fn front<'a>(stage: &'a Stage, slices: &mut [IoSlice<'a>; PARTS]) -> usize {
    let parts = stage.len().min(PARTS);
    for (slice, part) in slices.iter_mut().zip(stage.iter()) {
        *slice = IoSlice::new(part);
    }
    parts
}

/// So many bytes of the stage were written.
pub(crate) fn written(conn: &Conn, stage: &mut Stage, mut bytes: usize) {
    count(&conn.counters.bytes_out, bytes);
    while let Some(first) = stage.front_mut() {
        if first.len() > bytes {
            first.advance(bytes);
            break;
        }
        bytes -= first.len();
        stage.pop_front();
    }
}
