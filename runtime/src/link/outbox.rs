//! What waits to be written to a link's socket. Pure.
//!
//! Small messages lie side by side in one buffer and leave in one write. Long ones keep their own memory and
//! are cut into chunks. Heartbeats overtake everything, but only between frames.
//!
//! Invariants: messages leave in the order in which they came; a [`Stage`] ends between frames and holds at
//! most about [`STAGE`] bytes, so a heartbeat waits for no more than that.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::error::Fault;
use crate::reply::{Write, as_it_is};
use crate::wire::{self, CHUNK, Frame, Head};

/// About how many bytes are handed to the socket before heartbeats get their turn: 4 ms of a gigabit a second. With a
/// quarter of it, messages of 16 KiB took a quarter more processor time, as the other end was woken for each part. Less in
/// tests, whose messages are to meet it.
pub(crate) const STAGE: usize = if cfg!(test) { 128 * 1024 } else { 512 * 1024 };

/// When so many bytes of small messages have gathered, the next ones start a new segment.
const SEGMENT: usize = 64 * 1024;

/// Bytes that room is made for at least when a segment begins.
const LEAST: usize = 4 * 1024;

/// Whole frames in a row, or the parts of one frame.
#[derive(Debug)]
struct Segment {
    bytes: Bytes,
    /// Whether a frame ends with it.
    ends_frame: bool,
}

/// What is being written right now.
pub(crate) type Stage = VecDeque<Bytes>;

/// The queue of one link.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    urgent: BytesMut,
    sealed: VecDeque<Segment>,
    open: BytesMut,
    /// Bytes of the last segment: room is made for as many when the next one begins, instead of again and again while it
    /// grows.
    usual: usize,
    /// Bytes of messages put in since the beginning.
    put: u64,
    /// Bytes of messages taken out since the beginning.
    taken: u64,
    /// Messages put in since the beginning.
    messages: u64,
}

impl Outbox {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.sealed.is_empty() && self.open.is_empty()
    }

    /// Bytes of messages that wait.
    pub(crate) fn waiting(&self) -> usize {
        usize::try_from(self.put - self.taken).unwrap_or(usize::MAX)
    }

    /// Messages put in since the beginning.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Bytes of heartbeats that wait.
    pub(crate) fn urgent(&self) -> usize {
        self.urgent.len()
    }

    /// Where the next message will begin in the stream of all bytes.
    pub(crate) fn mark(&self) -> u64 {
        self.put
    }

    /// Whether a message that began at `mark` has been handed to the socket, at least in part.
    pub(crate) fn was_taken(&self, mark: u64) -> bool {
        mark < self.taken
    }

    /// Adds a message.
    ///
    /// # Errors
    /// As [`wire::put_message`]; nothing was added.
    pub(crate) fn put(&mut self, head: Head, write: Write<'_>, limit: usize) -> Result<(), Fault> {
        let before = self.open.len();
        if before == 0 {
            self.open.reserve(self.usual.max(LEAST));
        }
        if let Some(long) = wire::put_message(head, write, limit, &mut self.open)? {
            self.put_long(head, &long);
        } else {
            self.put += (self.open.len() - before) as u64;
            if self.open.len() >= SEGMENT {
                self.seal();
            }
            self.messages += 1;
        }
        Ok(())
    }

    /// Adds messages whose frames stand already.
    pub(crate) fn put_frames(&mut self, frames: &[u8], messages: usize) {
        if self.open.is_empty() {
            self.open.reserve(self.usual.max(LEAST).max(frames.len()));
        }
        self.open.extend_from_slice(frames);
        self.put += frames.len() as u64;
        self.messages += messages as u64;
        if self.open.len() >= SEGMENT {
            self.seal();
        }
    }

    /// Adds a message whose body stands already; a long one is not copied.
    pub(crate) fn put_bytes(&mut self, head: Head, body: &Bytes, limit: usize) -> Result<(), Fault> {
        if body.len() <= CHUNK || body.len() > limit {
            return self.put(head, &mut as_it_is(body), limit);
        }
        self.put_long(head, body);
        Ok(())
    }

    /// Adds a heartbeat or a goodbye, ahead of all messages.
    pub(crate) fn put_urgent(&mut self, frame: &Frame) {
        wire::put_control(frame, &mut self.urgent);
    }

    /// Adds a frame that may not overtake the messages before it.
    pub(crate) fn put_ordered(&mut self, frame: &Frame) {
        let before = self.open.len();
        wire::put_control(frame, &mut self.open);
        self.put += (self.open.len() - before) as u64;
    }

    /// Takes back what was put in order since `mark`, if no message came behind it and nothing was taken since.
    pub(crate) fn take_back(&mut self, mark: u64) {
        let since = usize::try_from(self.put.saturating_sub(mark)).unwrap_or(usize::MAX);
        if let Some(before) = self.open.len().checked_sub(since) {
            self.open.truncate(before);
            self.put = mark;
        }
    }

    /// Takes the next bytes to write.
    pub(crate) fn stage(&mut self, stage: &mut Stage) {
        if !self.urgent.is_empty() {
            stage.push_back(self.urgent.split().freeze());
        }
        let mut staged = 0;
        while let Some(segment) = self.sealed.pop_front() {
            staged += segment.bytes.len();
            stage.push_back(segment.bytes);
            if segment.ends_frame && staged >= STAGE {
                break;
            }
        }
        if self.sealed.is_empty() && staged < STAGE && !self.open.is_empty() {
            staged += self.open.len();
            stage.push_back(self.take_open());
        }
        self.taken += staged as u64;
    }

    fn put_long(&mut self, head: Head, body: &Bytes) {
        self.seal();
        self.messages += 1;
        for (start, part) in wire::chunks(head, body) {
            self.put += (start.len() + part.len()) as u64;
            self.sealed.push_back(Segment {
                bytes: start,
                ends_frame: false,
            });
            self.sealed.push_back(Segment {
                bytes: part,
                ends_frame: true,
            });
        }
    }

    fn seal(&mut self) {
        if !self.open.is_empty() {
            let bytes = self.take_open();
            self.sealed.push_back(Segment {
                bytes,
                ends_frame: true,
            });
        }
    }

    fn take_open(&mut self) -> Bytes {
        self.usual = self.open.len();
        self.open.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::HandlerId;
    use crate::reply::Wrote;
    use crate::wire::Decoder;

    fn put(outbox: &mut Outbox, call: u64, length: usize) {
        let head = Head::Request {
            call,
            budget: 1,
            handler: HandlerId(7),
        };
        let mut write = |out: &mut BytesMut| {
            out.resize(out.len() + length, call as u8);
            Ok(Wrote::Reply)
        };
        outbox.put(head, &mut write, 1 << 24).unwrap();
    }

    fn drain(outbox: &mut Outbox) -> BytesMut {
        let mut bytes = BytesMut::new();
        while !outbox.is_empty() {
            let mut stage = Stage::new();
            outbox.stage(&mut stage);
            stage.iter().for_each(|part| bytes.extend_from_slice(part));
        }
        bytes
    }

    #[test]
    fn short_and_long_messages_leave_whole_and_in_order() {
        let lengths = [0, 10, CHUNK, CHUNK + 1, 3, 5 * CHUNK, 1, 300_000, 2];
        let mut outbox = Outbox::default();
        for (call, length) in (0..).zip(lengths) {
            put(&mut outbox, call, length);
        }
        let mut bytes = drain(&mut outbox);
        assert_eq!(outbox.waiting(), 0);
        let mut decoder = Decoder::new(1 << 24);
        for (expected, length) in (0..).zip(lengths) {
            match decoder.next(&mut bytes).unwrap().unwrap() {
                Frame::Request { call, body, .. } => {
                    assert_eq!((call, body.len()), (expected, length));
                    assert!(body.iter().all(|byte| *byte == expected as u8));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(bytes.is_empty());
    }

    #[test]
    fn a_heartbeat_waits_for_one_stage_at_most() {
        let mut outbox = Outbox::default();
        put(&mut outbox, 1, 16 << 20);
        let mut stage = Stage::new();
        outbox.stage(&mut stage);
        outbox.put_urgent(&Frame::Ping(9));
        let mut bytes = BytesMut::new();
        stage.iter().for_each(|part| bytes.extend_from_slice(part));
        assert!(bytes.len() <= STAGE + 2 * CHUNK, "{}", bytes.len());
        let mut decoder = Decoder::new(1 << 25);
        assert_eq!(decoder.next(&mut bytes), Ok(None));
        let mut rest = drain(&mut outbox);
        assert_eq!(
            decoder.next(&mut rest),
            Ok(Some(Frame::Ping(9))),
            "in the middle of the long message"
        );
        assert!(matches!(
            decoder.next(&mut rest),
            Ok(Some(Frame::Request { call: 1, .. }))
        ));
    }

    #[test]
    fn a_mark_tells_what_was_handed_to_the_socket() {
        let mut outbox = Outbox::default();
        put(&mut outbox, 1, 10);
        outbox.stage(&mut Stage::new());
        let second = outbox.mark();
        put(&mut outbox, 2, 10);
        assert!(outbox.was_taken(0));
        assert!(!outbox.was_taken(second));
    }

    #[test]
    fn an_error_of_the_writer_leaves_no_trace() {
        let mut outbox = Outbox::default();
        put(&mut outbox, 1, 10);
        let head = Head::Notify {
            handler: HandlerId(1),
        };
        let mut fails = |out: &mut BytesMut| {
            out.extend_from_slice(b"half");
            Err(Fault::new(crate::error::ErrorKind::BadPayload, "no"))
        };
        assert!(outbox.put(head, &mut fails, 100).is_err());
        let mut long = |out: &mut BytesMut| {
            out.resize(out.len() + CHUNK + 1, 0);
            Ok(Wrote::Reply)
        };
        assert!(outbox.put(head, &mut long, 100).is_err());
        let mut bytes = drain(&mut outbox);
        let mut decoder = Decoder::new(1 << 24);
        assert!(decoder.next(&mut bytes).unwrap().is_some());
        assert_eq!(decoder.next(&mut bytes), Ok(None));
        assert!(bytes.is_empty());
    }
}
