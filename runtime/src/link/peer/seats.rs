//! The connections of a peer, and which of them takes its new calls.
//!
//! ```text
//!          no link, or the same process again            DRAIN
//!  seat ──────────────────────────────────────> current ───────> leaving ──> ended
//!    │   a successor that was announced            ^             (answers still pass)
//!    └────────────> standby ── current has left ───┘
//! ```
//!
//! A connection that ends leaves from wherever it is. Must not know how a dialer has proved who it is.
//!
//! Invariants: a standby is of another process than the current connection, and was announced; whoever finds no
//! current connection waits, and is sent on by the next one; news of a link are told outside of the lock.

use std::sync::Arc;
use std::sync::MutexGuard;
use std::time::Instant;

use super::{Down, Peer};
use crate::link::conn::Conn;
use crate::link::handshake::Identity;
use crate::link::task::clock;
use crate::name::Incarnation;
use crate::wire::Goodbye;

/// Most connections of a name that may be leaving; the oldest is closed to make room.
const MOST_LEAVING: usize = 8;

/// The connections besides the current one.
#[derive(Default)]
pub(super) struct Seats {
    standby: Option<Arc<Conn>>,
    /// The other end sends no new calls on them, and gets none.
    leaving: Vec<Arc<Conn>>,
    /// Whose successor may stand by, and until when.
    expected: Option<(Incarnation, Instant)>,
}

impl Seats {
    fn expects(&self, dialer: &Identity, holder: &Conn, now: Instant) -> bool {
        self.expected.is_some_and(|(of, until)| {
            dialer.succeeds == Some(of) && holder.id().peer.incarnation == of && now < until
        })
    }

    /// The name leaves the configuration: nobody stands by for it any more.
    pub(super) fn forget(&mut self) -> Option<Arc<Conn>> {
        self.expected = None;
        self.standby.take()
    }

    /// The standby, if it is of this process.
    fn take_standby_of(&mut self, incarnation: Incarnation) -> Option<Arc<Conn>> {
        self.standby
            .take_if(|standby| standby.id().peer.incarnation == incarnation)
    }
}

/// The seat of a connection with its peer. When it is dropped, in whatever way, the connection has ended.
pub(crate) struct Seated {
    pub(crate) peer: Peer,
    pub(crate) conn: Arc<Conn>,
    /// Why it has ended.
    pub(crate) ended: Option<String>,
}

impl Drop for Seated {
    fn drop(&mut self) {
        let why = self.ended.as_deref().unwrap_or("its task was dropped");
        self.peer.detach(&self.conn, why);
    }
}

impl Peer {
    /// Lets the successor of a life of this node have a link beside that life's, until a moment.
    pub fn expect_successor(&self, of: Incarnation, until: Instant) {
        self.lock().seats.expected = Some((of, until));
    }

    /// All living connections: the current one first, then a successor's, then those that are leaving.
    pub fn conns(&self) -> Vec<Arc<Conn>> {
        let state = self.lock();
        let current = self.0.current.load_full();
        let others = state.seats.standby.iter().chain(&state.seats.leaving);
        current.into_iter().chain(others.cloned()).collect()
    }

    /// Gives a connection its seat, in one step with the question whether there is one for it.
    ///
    /// # Errors
    /// Another process has the name, with this connection. If it is found to be `dead`, it is in nobody's way.
    pub(crate) fn seat(
        &self,
        conn: &Arc<Conn>,
        dead: Option<&Arc<Conn>>,
        now: Instant,
    ) -> Result<Seated, Arc<Conn>> {
        let me = &conn.id().peer;
        let in_the_way = |holder: &Arc<Conn>| {
            holder.id().peer.incarnation != me.incarnation
                && dead.is_none_or(|dead| !Arc::ptr_eq(dead, holder))
        };
        let mut state = self.lock();
        let Some(holder) = self.0.current.load_full().filter(in_the_way) else {
            return Ok(self.attach_in(state, conn, now));
        };
        if !state.seats.expects(me, &holder, now) {
            return Err(holder);
        }
        if let Some(other) = state.seats.standby.as_ref().filter(|other| in_the_way(other)) {
            return Err(Arc::clone(other));
        }
        let before = state.seats.standby.replace(Arc::clone(conn));
        drop(state);
        close_replaced(before);
        tracing::info!(peer = %self.0.name, epoch = conn.id().epoch, addr = %conn.id().addr, "a successor stands by");
        self.0.inbound.stands_by(conn.id());
        Ok(self.seated(conn))
    }

    /// Makes a connection the current one, sends what waited, and closes the one before.
    pub(crate) fn attach(&self, conn: &Arc<Conn>, now: Instant) -> Seated {
        self.attach_in(self.lock(), conn, now)
    }

    fn attach_in(&self, mut state: MutexGuard<'_, Down>, conn: &Arc<Conn>, now: Instant) -> Seated {
        if state.unknown {
            drop(state);
            conn.close(Goodbye::Stopping);
            return self.seated(conn);
        }
        let stood_by = state.seats.take_standby_of(conn.id().peer.incarnation);
        let before = self.make_current(&mut state, conn, now);
        drop(state);
        close_replaced(stood_by);
        close_replaced(before);
        self.tell_up(conn);
        self.seated(conn)
    }

    /// Sends what waited on a connection that is the current one from now on; gives the one before.
    fn make_current(&self, state: &mut Down, conn: &Arc<Conn>, now: Instant) -> Option<Arc<Conn>> {
        let waited = state.held.take_all();
        state.why = None;
        // In the lock: whoever finds no connection waits for it, and then finds this one.
        for call in waited {
            call.send(conn, now);
        }
        self.0.current.swap(Some(Arc::clone(conn)))
    }

    fn seated(&self, conn: &Arc<Conn>) -> Seated {
        Seated {
            peer: self.clone(),
            conn: Arc::clone(conn),
            ended: None,
        }
    }

    /// The other end is about to stop: new calls go to its successor, or wait for its next connection; those in
    /// flight get their answers.
    pub(crate) fn retire(&self, conn: &Arc<Conn>) {
        let why = "the other end is stopping";
        let mut state = self.lock();
        let left = self.leave(&mut state, conn, why);
        let crowded = (left.is_some() && state.seats.leaving.len() == MOST_LEAVING)
            .then(|| state.seats.leaving.remove(0));
        if left.is_some() {
            state.seats.leaving.push(Arc::clone(conn));
        }
        drop(state);
        close_replaced(crowded);
        conn.confirm_drained();
        if let Some(left) = left {
            tracing::info!(peer = %self.0.name, epoch = conn.id().epoch, "the other end drains; it gets no new calls");
            self.tell_left(conn, left, why);
        }
    }

    /// A connection has ended. If it was the current one and has no successor, the link is down.
    fn detach(&self, conn: &Arc<Conn>, why: &str) {
        let mut state = self.lock();
        let left = self.leave(&mut state, conn, why);
        state.seats.leaving.retain(|leaving| !Arc::ptr_eq(leaving, conn));
        drop(state);
        conn.end(why);
        if let Some(left) = left {
            self.tell_left(conn, left, why);
        }
    }

    /// Takes a connection out of its seat; `None` if it had none any more.
    fn leave(&self, state: &mut Down, conn: &Arc<Conn>, why: &str) -> Option<Left> {
        if state
            .seats
            .standby
            .take_if(|standby| Arc::ptr_eq(standby, conn))
            .is_some()
        {
            return Some(Left::Standby);
        }
        let current = self.0.current.load_full();
        current.filter(|current| Arc::ptr_eq(current, conn))?;
        let next = state.seats.standby.take();
        match &next {
            Some(next) => drop(self.make_current(state, next, clock())),
            None => {
                self.0.current.store(None);
                state.why = Some(why.to_owned());
            }
        }
        Some(Left::Current { next })
    }

    fn tell_left(&self, conn: &Arc<Conn>, left: Left, why: &str) {
        match left {
            Left::Standby => self.0.inbound.stood_in_vain(conn.id()),
            Left::Current { next } => {
                self.0.inbound.down(conn.id(), why);
                if let Some(next) = next {
                    self.tell_up(&next);
                }
            }
        }
    }

    fn tell_up(&self, conn: &Arc<Conn>) {
        tracing::info!(peer = %self.0.name, epoch = conn.id().epoch, addr = %conn.id().addr, "link up");
        self.0.inbound.up(conn.id());
    }
}

/// Which seat a connection has left.
enum Left {
    Standby,
    Current {
        /// The one that has taken the seat.
        next: Option<Arc<Conn>>,
    },
}

fn close_replaced(conn: Option<Arc<Conn>>) {
    if let Some(conn) = conn {
        conn.close(Goodbye::Replaced);
    }
}
