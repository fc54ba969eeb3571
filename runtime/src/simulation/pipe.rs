//! One direction of a simulated connection: bytes in order, with a delay, cut at any place. Knows no frames.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Bytes under way to one end, and those that it has not read yet.
#[derive(Debug)]
pub(super) struct Pipe {
    /// When each part arrives; never before the one ahead of it.
    parts: VecDeque<(u64, Bytes)>,
    last: u64,
    unread: usize,
    capacity: usize,
    /// Nothing more is sent: behind the last byte is the end.
    closed: bool,
    /// Nothing arrives for now; what is sent waits, as a network that retransmits has it.
    pub(super) silent: bool,
}

impl Pipe {
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            parts: VecDeque::new(),
            last: 0,
            unread: 0,
            capacity,
            closed: false,
            silent: false,
        }
    }

    /// How many bytes the writer may add.
    pub(super) const fn room(&self) -> usize {
        self.capacity.saturating_sub(self.unread)
    }

    /// Adds bytes that arrive at `at`, or behind those before them; gives when.
    pub(super) fn send(&mut self, bytes: Bytes, at: u64) -> u64 {
        self.last = self.last.max(at);
        if !self.closed {
            self.unread += bytes.len();
            self.parts.push_back((self.last, bytes));
        }
        self.last
    }

    /// Closes the writing side; gives when the end arrives.
    pub(super) fn close(&mut self, at: u64) -> u64 {
        self.last = self.last.max(at);
        self.closed = true;
        self.last
    }

    /// The connection is torn: of what was under way only so many bytes arrive.
    pub(super) fn cut(&mut self, mut keep: usize) {
        for (_, part) in &mut self.parts {
            part.truncate(keep);
            keep -= part.len();
        }
        self.parts.retain(|(_, part)| !part.is_empty());
        self.unread = self.parts.iter().map(|(_, part)| part.len()).sum();
        self.closed = true;
    }

    /// Bytes that were sent and not read.
    pub(super) const fn unread(&self) -> usize {
        self.unread
    }

    /// Reads up to `most` bytes of what has arrived.
    pub(super) fn read(&mut self, now: u64, mut most: usize, into: &mut BytesMut) -> usize {
        let before = into.len();
        while most > 0 && self.has_arrived(now) {
            let Some((_, part)) = self.parts.front_mut() else {
                break;
            };
            let taken = part.split_to(most.min(part.len()));
            most -= taken.len();
            into.extend_from_slice(&taken);
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
        let read = into.len() - before;
        self.unread -= read;
        read
    }

    fn has_arrived(&self, now: u64) -> bool {
        !self.silent && self.parts.front().is_some_and(|(at, _)| *at <= now)
    }

    /// Whether the reader sees the end.
    pub(super) fn is_over(&self, now: u64) -> bool {
        !self.silent && self.closed && self.parts.is_empty() && self.last <= now
    }

    /// When the reader has something to look at next.
    pub(super) fn next(&self) -> Option<u64> {
        match self.parts.front() {
            _ if self.silent => None,
            Some((at, _)) => Some(*at),
            None => self.closed.then_some(self.last),
        }
    }
}
