//! From the bytes that a client has sent to the services that answer: packets are cut out as far as may be, each opens a
//! call, and what came together is handed over together.
//!
//! Must not know of the socket.

use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::packet::{self, Found, Refused};
use lampyris_runtime::reply::ReplySink;
use tokio::time::Instant;

use super::super::answers::Call;
use super::super::counters::Reason;
use super::super::line::Opening;
use super::Connection;
use crate::service::{Arrival, Route, Router};

/// A beginning of a frame below this is kept in a buffer of its own size, so that a client that stops in the middle
/// of a header does not hold the room of a read. Above it, copying costs more than it saves.
const KEEP_SMALL: usize = 2 * 1024;

/// Bytes of a refused frame that are logged.
const LOGGED_BYTES: usize = 32;

/// Why no more packets are taken out of the buffer for now.
pub(super) enum Pause {
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

/// A packet that stands in the buffer.
struct Seen {
    command: u32,
    payload: Range<usize>,
    /// Its command waits for those before it.
    serial: bool,
}

impl Connection {
    /// Hands over what may go to its handler: commands that were held, then packets out of the buffer, as many as
    /// may be in flight.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Pause, Reason> {
        let (calls, stop) = self.open(now);
        if !calls.is_empty() {
            self.usual = calls.len();
            self.hand_over(calls);
        }
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
    fn open(&mut self, now: Instant) -> (Vec<Call>, Stop) {
        let room = if self.buffer.is_empty() { 0 } else { self.usual };
        let (mut calls, mut packets) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let line = Arc::clone(&self.line);
        let deadline = now + line.settings.call_timeout;
        let mut opening = line.opening();
        while let Some(call) = opening.take_ready() {
            calls.push(call);
        }
        let (seen, stop) = self.look(now, &opening, &mut packets);
        // What came together is cut out together, and its payloads share that memory.
        let bytes = packet::cut(&mut self.buffer, seen);
        for Seen {
            command,
            payload,
            serial,
        } in packets
        {
            calls.extend(opening.open(command, bytes.slice(payload), deadline, serial));
        }
        if self.buffer.is_empty() {
            self.net.take_room(std::mem::take(&mut self.buffer));
        }
        (calls, stop)
    }

    /// Looks for the packets that may be opened now; gives how many bytes they take.
    fn look(&mut self, now: Instant, opening: &Opening<'_>, packets: &mut Vec<Seen>) -> (usize, Stop) {
        let settings = &self.line.settings;
        let (mut seen, mut route) = (0, None);
        let stop = loop {
            if seen == self.buffer.len() {
                if self.shaking || self.raw.as_ref().is_some_and(|raw| !raw.is_empty()) {
                    break Stop::Partial(None);
                }
                self.limits.no_frame();
                break Stop::Pause(Pause::NoFrame);
            }
            if opening.is_closing() {
                break Stop::Pause(Pause::NoFrame);
            }
            if opening.in_flight() + packets.len() >= settings.in_flight.max(1) {
                self.limits.no_frame();
                break Stop::Pause(Pause::Full);
            }
            if let Some(until) = self.pace.as_ref().and_then(|pace| pace.wait(now)) {
                self.limits.no_frame();
                break Stop::Pause(Pause::Pace(until));
            }
            let (command, payload) = match settings.dialect.find(&self.buffer[seen..], settings.max_frame) {
                Ok(Found::Frame { command, payload }) => (command, payload),
                Ok(Found::Partial(size)) => break Stop::Partial(size),
                Err(refused) => break Stop::Refused(refused),
            };
            self.limits.frame_came(now);
            if let Some(pace) = &mut self.pace {
                pace.spend(now);
            }
            let serial = find(&self.net.router, command, &mut route).is_some_and(|route| route.serial);
            let payload = seen + payload.start..seen + payload.end;
            seen = payload.end;
            packets.push(Seen {
                command,
                payload,
                serial,
            });
        };
        (seen, stop)
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

    /// The rest of a frame is waited for.
    fn await_rest(&mut self, size: Option<usize>, now: Instant) {
        self.limits.frame_goes_on(size, &self.line.settings, now);
        for buffer in self.raw.iter_mut().chain([&mut self.buffer]) {
            if buffer.len() < KEEP_SMALL {
                let own = BytesMut::from(&buffer[..]);
                self.net.take_room(std::mem::replace(buffer, own));
            }
        }
    }

    pub(super) fn log_refused(&self, refused: &dyn Display, bytes: &[u8], now: Instant) {
        let Some(suppressed) = self.net.may_log(now) else {
            return;
        };
        let bytes = &bytes[..bytes.len().min(LOGGED_BYTES)];
        let (session, addr) = (&self.line.id, self.line.addr);
        tracing::warn!(%session, %addr, why = %refused, bytes = %format_args!("{bytes:02x?}"), suppressed, "bytes of a client are no frame");
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
