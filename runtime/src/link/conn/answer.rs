//! The connection as the place where handlers' answers go: straight into its outbox.

use bytes::{Bytes, BytesMut};

use super::{Conn, Inner, count, wake};
use crate::error::{ErrorKind, Fault};
use crate::link::outbox::Outbox;
use crate::reply::{Passing, ReplySink, Write, Wrote};
use crate::wire::{self, Head};

impl Conn {
    /// Sends an answer, unless the connection that the call came on is gone. Gives the fault that took its place.
    fn answer(
        &self,
        call: u64,
        put: impl FnOnce(&mut Outbox, usize) -> Result<(), Fault>,
    ) -> Option<ErrorKind> {
        let mut inner = self.lock();
        let lost = self.put_answer(&mut inner, call, put);
        wake(inner);
        lost
    }

    fn put_answer(
        &self,
        inner: &mut Inner,
        call: u64,
        put: impl FnOnce(&mut Outbox, usize) -> Result<(), Fault>,
    ) -> Option<ErrorKind> {
        // A full queue may not swallow an answer, which would leave its caller waiting. Beyond twice the limit the
        // other end is not reading: then the whole connection goes, and its calls end with it.
        inner.flooded |= inner.outbox.waiting() > self.settings.max_queue.saturating_mul(2);
        if inner.ended || inner.flooded {
            count(&self.counters.late_replies, 1);
            return None;
        }
        let put = put(&mut inner.outbox, self.settings.max_message);
        let lost = put.map_err(Fault::of_a_reply).err()?;
        put_fault(&mut inner.outbox, call, &lost);
        Some(lost.kind)
    }
}

fn put_fault(outbox: &mut Outbox, call: u64, fault: &Fault) {
    let mut short = fault.clone();
    if short.detail.len() > wire::CHUNK / 2 {
        short.detail = Bytes::new();
    }
    let mut write = |out: &mut BytesMut| {
        wire::put_fault(&short, out);
        Ok(Wrote::Reply)
    };
    outbox
        .put(Head::Fault { call }, &mut write, wire::CHUNK)
        .expect("because a fault without a long detail fits in one frame");
}

impl ReplySink for Conn {
    fn reply(&self, call: u64, write: Write<'_>) -> Option<ErrorKind> {
        self.answer(call, |outbox, limit| {
            outbox.put(Head::Reply { call }, write, limit)
        })
    }

    fn reply_bytes(&self, call: u64, body: Bytes) -> Option<ErrorKind> {
        self.answer(call, |outbox, limit| {
            outbox.put_bytes(Head::Reply { call }, &body, limit)
        })
    }

    fn pass(&self, replies: &mut [Passing<'_>]) {
        let mut inner = self.lock();
        for reply in replies {
            let call = reply.id();
            let lost = self.put_answer(&mut inner, call, |outbox, limit| {
                outbox.put(Head::Reply { call }, &mut |out| reply.write(out), limit)
            });
            reply.lost = lost;
        }
        wake(inner);
    }

    fn fault(&self, call: u64, fault: Fault) {
        self.answer(call, |outbox, _| {
            put_fault(outbox, call, &fault);
            Ok(())
        });
    }
}
