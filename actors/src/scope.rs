//! Which call a handler is working on, so that the calls it makes inherit the time that is left.
//!
//! The scope is set while a handler runs and whenever a future that it returned is polled. A task that the user
//! spawns on its own is outside: calls from there have their full time.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Instant;

use lampyris_runtime::trace::{Context as Trace, Traced};

use crate::message::Origin;

/// The call that a handler is working on.
#[derive(Debug, Clone)]
pub struct Scope {
    /// When its caller stops waiting.
    pub deadline: Instant,
    /// Who called.
    pub origin: Arc<Origin>,
    /// The trace that it is part of, and the span of this handler; calls from inside go on with it.
    pub trace: Option<Box<Trace>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// The call that this code is working on; `None` outside of handlers and the futures they return.
pub fn current() -> Option<Scope> {
    CURRENT.with_borrow(Clone::clone)
}

/// Of [`current`], what a call that is made now has to do with: the deadline, and the trace that it is part of.
pub(crate) fn of_a_call(now: Instant) -> (Option<Instant>, Option<Traced>) {
    CURRENT.with_borrow(|scope| {
        let scope = scope.as_ref();
        let context = scope.and_then(|scope| scope.trace.as_deref().copied());
        let traced = context.map(|context| Traced { context, since: now });
        (scope.map(|scope| scope.deadline), traced)
    })
}

/// Puts the outer scope back, also after a panic.
pub(crate) struct Entered(Option<Scope>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Entered {
    /// Ends the scope and gives it back, so that who goes on with it needs no copy.
    pub(crate) fn leave(self) -> Scope {
        // Nothing is left for the guard to put back.
        let mut outer = ManuallyDrop::new(self);
        let scope = CURRENT.replace(outer.0.take());
        scope.expect("because scopes inside this one have put it back")
    }
}

/// Runs what follows inside `scope`, until the guard is dropped or left.
pub(crate) fn enter(scope: Scope) -> Entered {
    Entered(CURRENT.replace(Some(scope)))
}
