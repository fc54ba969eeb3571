//! Which call a handler is working on, so that the calls it makes inherit the time that is left.
//!
//! The scope is set while a handler runs and whenever a future that it returned is polled. A task that the user
//! spawns on its own is outside: calls from there have their full time.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::message::Origin;

/// The call that a handler is working on.
#[derive(Debug, Clone)]
pub struct Scope {
    /// When its caller stops waiting.
    pub deadline: Instant,
    /// Who called.
    pub origin: Arc<Origin>,
}

thread_local! {
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// The call that this code is working on; `None` outside of handlers and the futures they return.
pub fn current() -> Option<Scope> {
    CURRENT.with_borrow(Clone::clone)
}

/// Only the deadline of [`current`].
pub(crate) fn deadline() -> Option<Instant> {
    CURRENT.with_borrow(|scope| scope.as_ref().map(|scope| scope.deadline))
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
        let scope = CURRENT.take();
        scope.expect("because scopes inside this one have put it back")
    }
}

/// Runs what follows inside `scope`, until the guard is dropped or left.
pub(crate) fn enter(scope: Scope) -> Entered {
    Entered(CURRENT.replace(Some(scope)))
}

/// Runs `work` inside `scope`.
pub(crate) fn within<T>(scope: &Scope, work: impl FnOnce() -> T) -> T {
    let _entered = enter(scope.clone());
    work()
}

/// A future that is polled inside a scope.
pub(crate) struct Within<F> {
    pub(crate) scope: Scope,
    pub(crate) future: F,
}

impl<F: Future + Unpin> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        within(&this.scope, || Pin::new(&mut this.future).poll(task))
    }
}
