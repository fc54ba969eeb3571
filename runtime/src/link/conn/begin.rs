//! How calls and notifications begin: as frames in the outbox, and in the table of those that wait.

use std::sync::MutexGuard;

use super::{Conn, Inner, Refused, wake};
use crate::error::{ErrorKind, Fault};
use crate::link::batch::{Batch, Batched};
use crate::link::calls::Pending;
use crate::link::term::Term;
use crate::name::HandlerId;
use crate::reply::{ReplyTo, Write};
use crate::wire::{Frame, Head};

impl Conn {
    /// Puts a call on its way.
    pub(in crate::link) fn call(
        &self,
        handler: HandlerId,
        term: Term,
        write: Write<'_>,
        reply: ReplyTo,
    ) -> Result<(), Refused> {
        let mut inner = self.lock();
        if !inner.takes_calls() {
            return Err(Refused::Ended(reply));
        }
        if self.has_no_room(&inner) {
            let fault = self.full(&inner);
            drop(inner);
            reply.fault(fault);
            return Err(Refused::Answered);
        }
        let call = inner.calls.next_id();
        let head = Head::Request {
            call,
            budget: term.millis(),
            handler,
        };
        let mark = inner.outbox.mark();
        if let Some(traced) = reply.trace() {
            let context = Box::new(traced.context);
            inner.outbox.put_ordered(&Frame::Trace { call, context });
        }
        if let Err(fault) = inner.outbox.put(head, write, self.settings.max_message) {
            inner.outbox.take_back(mark);
            drop(inner);
            reply.fault(fault);
            return Err(Refused::Answered);
        }
        inner.calls.insert(term.until, Pending { reply, mark });
        wake_with_calls(inner);
        Ok(())
    }

    /// Puts calls on their way, in order, and leaves `batch` empty. Those that find no room are answered with `overloaded`.
    ///
    /// Gives `false` when the connection takes none any more; they are in the batch as before.
    pub(in crate::link) fn call_all(&self, batch: &mut Batch) -> bool {
        let mut inner = self.lock();
        if !inner.takes_calls() {
            return false;
        }
        let waiting = inner.outbox.waiting() >= self.settings.max_queue;
        let places = self.settings.max_calls.saturating_sub(inner.calls.len());
        let refused = batch.split_off(if waiting { 0 } else { places });
        let begin = inner.outbox.mark();
        let mut calls = std::mem::take(&mut batch.calls);
        let messages = calls.len();
        for Batched {
            term, start, reply, ..
        } in calls.drain(..)
        {
            batch.number(start, inner.calls.next_id());
            let mark = begin + start as u64;
            inner.calls.insert(term.until, Pending { reply, mark });
        }
        batch.calls = calls;
        inner.outbox.put_frames(&batch.frames, messages);
        batch.clear();
        let full = (!refused.is_empty()).then(|| self.full(&inner));
        wake_with_calls(inner);
        if let Some(full) = full {
            for call in refused {
                call.reply.fault(full.clone());
            }
        }
        true
    }

    /// Puts a notification on its way, on this connection and no other. `Ok(false)`: it takes none any more.
    ///
    /// # Errors
    /// The message cannot be written, is too large, or the queue is full.
    pub fn notify(&self, handler: HandlerId, write: Write<'_>) -> Result<bool, Fault> {
        let mut inner = self.lock();
        if !inner.takes_calls() {
            return Ok(false);
        }
        if self.has_no_room(&inner) {
            return Err(self.full(&inner));
        }
        inner
            .outbox
            .put(Head::Notify { handler }, write, self.settings.max_message)?;
        wake(inner);
        Ok(true)
    }

    #[inline]
    fn has_no_room(&self, inner: &Inner) -> bool {
        inner.calls.len() >= self.settings.max_calls || inner.outbox.waiting() >= self.settings.max_queue
    }

    #[cold]
    fn full(&self, inner: &Inner) -> Fault {
        let (peer, calls) = (&self.id.peer.name, inner.calls.len());
        let text = if calls >= self.settings.max_calls {
            format!("the link to {peer} is full: {calls} calls wait for their answers")
        } else {
            let bytes = inner.outbox.waiting();
            format!("the link to {peer} is full: {bytes} bytes wait to be sent")
        };
        Fault::new(ErrorKind::Overloaded, text)
    }
}

/// Wakes the task, also if it has slept because there was no call whose deadline had to be looked after.
fn wake_with_calls(mut inner: MutexGuard<'_, Inner>) {
    let at_ease = inner.at_ease.take();
    wake(inner);
    if let Some(task) = at_ease {
        task.wake();
    }
}
