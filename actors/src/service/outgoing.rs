//! What the handlers of one slice call and hand on, gathered so that it leaves together: their link is looked up, locked and
//! woken once for many calls.
//!
//! Nothing leaves later for it: who writes to the sockets has its turn after the slice. And nothing overtakes: whatever is
//! sent on its own calls [`flush`] first.
//!
//! Invariants: what was gathered has left when the [`Gathering`] is dropped; only the slice's own thread gathers.

use std::cell::Cell;

use lampyris_runtime::link::{Batch, Peer, Term, TooLong};
use lampyris_runtime::name::HandlerId;
use lampyris_runtime::reply::{ReplyTo, Write, as_it_is};

/// When so many bytes have gathered, they leave.
const MOST: usize = 64 * 1024;

thread_local! {
    /// In a box that is taken out while it is worked on: a type of the user's that sends while it is written sends at once.
    static OUTGOING: Cell<Option<Box<Outgoing>>> = const { Cell::new(None) };
}

/// What has gathered.
#[derive(Default)]
struct Outgoing {
    to: To,
    calls: Batch,
}

/// To whom calls go.
#[derive(Default)]
enum To {
    /// Nobody gathers; only the memory is kept.
    #[default]
    Closed,
    /// There is no call yet.
    Anyone,
    /// All are for this one.
    Peer(Peer),
}

/// Gathers until it is dropped.
pub(super) struct Gathering(());

/// Begins to gather what is sent on this thread.
pub(super) fn gather() -> Gathering {
    let mut outgoing = OUTGOING.take().unwrap_or_default();
    outgoing.to = To::Anyone;
    OUTGOING.set(Some(outgoing));
    Gathering(())
}

impl Drop for Gathering {
    fn drop(&mut self) {
        if let Some(mut outgoing) = OUTGOING.take() {
            outgoing.send();
            outgoing.to = To::Closed;
            OUTGOING.set(Some(outgoing));
        }
    }
}

/// Sends what has gathered on this thread, before something else is sent.
pub(crate) fn flush() {
    if let Some(mut outgoing) = OUTGOING.take() {
        outgoing.send();
        OUTGOING.set(Some(outgoing));
    }
}

/// Makes a call, whose answer goes to `reply`.
pub(crate) fn call(peer: &Peer, handler: HandlerId, term: Term, write: Write<'_>, reply: ReplyTo) {
    let mut lent = Lent(OUTGOING.take());
    match &mut lent.0 {
        // The frame of a trace stands before that of its call.
        Some(outgoing) if !matches!(outgoing.to, To::Closed) && !reply.is_traced() => {
            outgoing.call(peer, handler, term, write, reply);
        }
        outgoing => {
            if let Some(outgoing) = outgoing {
                outgoing.send();
            }
            peer.call(handler, term, write, reply);
        }
    }
}

/// Goes back to its place, also when a type of the user's panics while it is written.
struct Lent(Option<Box<Outgoing>>);

impl Drop for Lent {
    fn drop(&mut self) {
        OUTGOING.set(self.0.take());
    }
}

impl Outgoing {
    /// Adds a call.
    fn call(&mut self, peer: &Peer, handler: HandlerId, term: Term, write: Write<'_>, reply: ReplyTo) {
        if !matches!(&self.to, To::Peer(to) if to.is(peer)) {
            self.send();
            self.to = To::Peer(peer.clone());
        }
        let added = self.calls.add(handler, term, peer.longest(), write, reply);
        if added.is_err() || self.calls.bytes() >= MOST {
            self.send();
        }
        if let Err(TooLong { body, reply }) = added {
            peer.call(handler, term, &mut as_it_is(&body), reply);
        }
    }

    /// Sends what has gathered.
    fn send(&mut self) {
        if let To::Peer(peer) = &self.to {
            peer.call_all(&mut self.calls);
        }
    }
}
