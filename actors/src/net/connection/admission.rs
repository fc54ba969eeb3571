//! From the bytes that a client has sent to the services that answer: packets are cut out as far as may be, each opens a
//! call, and what came together is handed over together.
//!
//! Must not know of the socket.

use std::fmt::Display;

use bytes::BytesMut;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::packet::{Decoded, Packet, Refused};
use lampyris_runtime::reply::ReplySink;
use tokio::time::Instant;

use super::super::answers::Call;
use super::super::counters::Reason;
use super::{Connection, READ_STEP};
use crate::service::{Arrival, Route, Router};

/// A beginning of a frame below this is kept in a buffer of its own size, so that a client that stops in the middle
/// of a header does not hold [`READ_STEP`] bytes. Above it, copying costs more than it saves.
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

impl Connection {
    /// Hands over what may go to its handler: commands that were held, then packets out of the buffer, as many as
    /// may be in flight.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Pause, Reason> {
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
