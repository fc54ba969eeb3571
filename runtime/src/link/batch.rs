//! Calls to one peer that leave together: their frames stand ready, but for the numbers of the calls. Pure.
//!
//! What is done once for each call on its own (which connection, its lock, waking its task) is done once for all of them.

use bytes::{Bytes, BytesMut};

use super::peer::no_time;
use super::term::Term;
use crate::name::HandlerId;
use crate::reply::{ReplyTo, Write};
use crate::wire::{self, Head};

/// The calls, in their order.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) frames: BytesMut,
    pub(super) calls: Vec<Batched>,
    /// The milliseconds of the last call's term: calls that are made together often have the same.
    budget: Option<(Term, u32)>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Batched {
    pub(super) handler: HandlerId,
    pub(super) term: Term,
    /// Where its frame begins.
    pub(super) start: usize,
    pub(super) reply: ReplyTo,
}

/// A call that has no place in a batch: it is longer than one frame.
#[derive(Debug)]
pub struct TooLong {
    /// The message.
    pub body: Bytes,
    /// The duty to answer it.
    pub reply: ReplyTo,
}

impl Batch {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Bytes of their frames.
    pub fn bytes(&self) -> usize {
        self.frames.len()
    }

    /// Adds a call whose body `write` appends. One that cannot be written, or is above `limit` bytes, is answered at once.
    ///
    /// # Errors
    /// [`TooLong`]: it has to be made on its own.
    pub fn add(
        &mut self,
        handler: HandlerId,
        term: Term,
        limit: usize,
        write: Write<'_>,
        reply: ReplyTo,
    ) -> Result<(), TooLong> {
        if term.is_over() {
            reply.fault(no_time());
            return Ok(());
        }
        let budget = match self.budget {
            Some((of, millis)) if of == term => millis,
            _ => self.budget.insert((term, term.millis())).1,
        };
        let head = Head::Request {
            call: 0,
            budget,
            handler,
        };
        let start = self.frames.len();
        match wire::put_message(head, write, limit, &mut self.frames) {
            Ok(None) => self.calls.push(Batched {
                handler,
                term,
                start,
                reply,
            }),
            Ok(Some(body)) => return Err(TooLong { body, reply }),
            Err(fault) => reply.fault(fault),
        }
        Ok(())
    }

    /// Writes the number of a call into its frame.
    pub(super) fn number(&mut self, start: usize, call: u64) {
        self.frames[start..][wire::CALL].copy_from_slice(&call.to_be_bytes());
    }

    /// Takes the calls out, except for so many at the front.
    pub(super) fn split_off(&mut self, kept: usize) -> Vec<Batched> {
        if kept >= self.calls.len() {
            return Vec::new();
        }
        self.frames.truncate(self.calls[kept].start);
        self.calls.split_off(kept)
    }

    /// Takes all calls out, each with its message.
    pub(super) fn take(&mut self) -> Vec<(Batched, Bytes)> {
        let frames = self.frames.split().freeze();
        let calls = std::mem::take(&mut self.calls);
        let ends: Vec<usize> = calls
            .iter()
            .skip(1)
            .map(|call| call.start)
            .chain([frames.len()])
            .collect();
        let with_body = |(call, end): (Batched, usize)| {
            let body = frames.slice(call.start + wire::REQUEST_HEAD..end);
            (call, body)
        };
        calls.into_iter().zip(ends).map(with_body).collect()
    }

    /// All of them are on their way; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.calls.clear();
    }
}
