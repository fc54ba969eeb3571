//! Which call a handler is working on, so that the calls it makes inherit the time that is left.
//!
//! The scope is set while a handler runs and whenever a future that it returned is polled. A task that the user
//! spawns on its own is outside: calls from there have their full time.

use std::cell::RefCell;
use std::time::Instant;

use lampyris_runtime::reply::ReplyTo;
use lampyris_runtime::trace::{Context as Trace, Traced};

use crate::message::Origin;
use crate::service::origin_of;

/// The call that a handler is working on.
#[derive(Debug, Clone)]
pub struct Scope {
    /// When its caller stops waiting.
    pub deadline: Instant,
    /// Who called.
    pub origin: Origin,
    /// The trace that it is part of, and the span of this handler; calls from inside go on with it.
    pub trace: Option<Trace>,
}

/// A call in the hands of its handler, with the duty to answer it.
#[derive(Debug)]
pub(crate) struct Working {
    /// When its caller stops waiting.
    pub(crate) deadline: Instant,
    /// About when its handler was started: a few quick handlers ago at most.
    pub(crate) started: Instant,
    pub(crate) reply: ReplyTo,
}

thread_local! {
    static CURRENT: RefCell<Option<Working>> = const { RefCell::new(None) };
}

/// The call that this code is working on; `None` outside of handlers and the futures they return.
pub fn current() -> Option<Scope> {
    CURRENT.with_borrow(|working| {
        let Working { deadline, reply, .. } = working.as_ref()?;
        Some(Scope {
            deadline: *deadline,
            origin: origin_of(reply).clone(),
            trace: reply.trace().map(|traced| traced.context),
        })
    })
}

/// Of [`current`], what a call that is made now has to do with: the deadline, and the trace that it is part of.
pub(crate) fn of_a_call(now: Instant) -> (Option<Instant>, Option<Traced>) {
    CURRENT.with_borrow(|working| {
        let trace = working.as_ref().and_then(|working| working.reply.trace());
        let traced = trace.map(|Traced { context, .. }| Traced { context, since: now });
        (working.as_ref().map(|working| working.deadline), traced)
    })
}

/// Ends the scope when it is dropped, also by a panic: the outer one is back then. There hardly ever is one; so it is in
/// a box, and entering and leaving is one move each.
pub(crate) struct Entered {
    outer: Option<Box<Working>>,
    left: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.left {
            CURRENT.set(self.outer.take().map(|outer| *outer));
        }
    }
}

impl Entered {
    /// Ends the scope and gives the call back.
    #[inline]
    pub(crate) fn leave(mut self) -> Working {
        self.left = true;
        let working = CURRENT.with_borrow_mut(|current| match self.outer.take() {
            None => current.take(),
            Some(outer) => current.replace(*outer),
        });
        working.expect("because scopes inside this one have put it back")
    }
}

/// Runs what follows inside the scope of a call, until the guard is dropped or left.
#[inline]
pub(crate) fn enter(working: Working) -> Entered {
    CURRENT.with_borrow_mut(|current| {
        // Asked first, as to take nothing out would move as many bytes as to take a call out.
        let outer = if current.is_some() {
            current.take().map(Box::new)
        } else {
            None
        };
        *current = Some(working);
        Entered { outer, left: false }
    })
}
