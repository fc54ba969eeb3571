//! What one client notes: what it sent and what came, in the checker's words.

use std::time::Instant;

use crate::checker::{Entry, Event, History, Ran, Request};
use crate::client::Frame;
use crate::cluster::random;

use super::KEPT_BACK;

/// Commands of the test's net node.
const RECORD: u32 = 19;
const RECORD_AND_WAIT: u32 = 20;

/// One client's notes.
pub(super) struct Recorder {
    client: u32,
    connection: u32,
    seq: u32,
    history: History,
}

impl Recorder {
    pub(super) fn new(client: u32) -> Self {
        Self {
            client,
            connection: 0,
            seq: 0,
            history: History::new(),
        }
    }

    /// How many requests there have been.
    pub(super) fn requests(&self) -> u32 {
        self.seq
    }

    /// Draws the next request, and notes that it is sent at this moment. Gives its command and payload.
    pub(super) fn next(&mut self, sent: Instant) -> (u32, String) {
        self.seq += 1;
        let request = Request {
            client: self.client,
            seq: self.seq,
            nonce: random(),
        };
        let (command, payload) = if self.seq.is_multiple_of(2) {
            (RECORD_AND_WAIT, format!("{} {request}", KEPT_BACK.as_millis()))
        } else {
            (RECORD, request.to_string())
        };
        self.note(sent, Event::Sent { command, request });
        (command, payload)
    }

    /// Notes a frame; whether it is an answer and no error.
    ///
    /// # Panics
    /// When it is an error frame that nobody can read.
    pub(super) fn frame(&mut self, frame: Frame) -> bool {
        if frame.command != 0 {
            let (command, text) = (frame.command, frame.payload);
            self.note(Instant::now(), Event::Answered { command, text });
            return true;
        }
        let (command, error, ran) = frame.error_of();
        let failed = Event::Failed {
            command: command.try_into().expect("because commands have four bytes"),
            error,
            ran: match ran.as_str() {
                "no" => Ran::No,
                "yes" => Ran::Yes,
                "maybe" => Ran::Maybe,
                other => panic!("ran={other}"),
            },
        };
        self.note(Instant::now(), failed);
        false
    }

    /// The connection is over; the next one is another.
    pub(super) fn closed(&mut self) {
        self.note(Instant::now(), Event::Closed);
        self.connection += 1;
    }

    /// No answer came in time: what is missing in the history says so.
    pub(super) fn silent(&mut self) {
        self.connection += 1;
    }

    /// No connection could be made.
    pub(super) fn refused(&mut self) {
        self.note(Instant::now(), Event::Refused);
        self.connection += 1;
    }

    pub(super) fn finish(self) -> History {
        self.history
    }

    fn note(&mut self, at: Instant, event: Event) {
        self.history.push(Entry {
            at,
            connection: self.connection,
            event,
        });
    }
}
