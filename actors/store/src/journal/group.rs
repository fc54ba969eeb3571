//! Changes that are written and synced together, and those who wait for that.
//!
//! A group is a few hundred changes when there is a lot to do. Were each waiter woken from the journal's thread, he
//! would go his way before the next one is, and all nodes between him and his client would be woken for each answer.
//! So the thread wakes one *herald*, a task on the waiters' own runtime, which tells them all at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::error::StoreError;

/// What has become of a group.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is in the journal.
    Safe {
        /// The segment.
        segment: u64,
        /// Since when.
        since: Instant,
    },
    /// None of it is known to be there.
    Failed(StoreError),
}

/// Changes with one fate.
#[derive(Debug, Default)]
pub(crate) struct Group {
    fate: OnceLock<Fate>,
    /// There is a fate.
    settled: Notify,
    /// From the herald: there is a fate, or he is gone.
    told: Notify,
    has_herald: AtomicBool,
}

impl Group {
    /// Says what has become of it. Only the first word counts.
    pub(crate) fn settle(&self, fate: Fate) {
        self.fate.get_or_init(|| fate);
        self.settled.notify_waiters();
    }

    /// What has become of it, once that is known.
    pub(crate) fn fate(&self) -> Option<&Fate> {
        self.fate.get()
    }

    pub(crate) fn is_safe(&self) -> bool {
        matches!(self.fate(), Some(Fate::Safe { .. }))
    }

    /// The same for those who wait.
    pub(super) fn outcome(&self) -> Option<Result<(), StoreError>> {
        self.fate().map(|fate| match fate {
            Fate::Safe { .. } => Ok(()),
            Fate::Failed(why) => Err(why.clone()),
        })
    }

    /// Waits for it.
    pub(super) async fn settled(&self) {
        // Before the look, so that nothing is missed in between.
        let settled = self.settled.notified();
        if self.fate().is_none() {
            settled.await;
        }
    }

    /// Sees to it that there is a herald, on the runtime of whoever asks, or on another one.
    fn call_herald(self: &Arc<Self>, other: &Handle) {
        if self.has_herald.load(Ordering::Acquire) || self.has_herald.swap(true, Ordering::AcqRel) {
            return;
        }
        let herald = Herald(Arc::clone(self));
        let work = async move { herald.0.settled().await };
        match Handle::try_current() {
            Ok(own) => own.spawn(work),
            Err(_) => other.spawn(work),
        };
    }
}

/// Tells the waiters; also when its runtime ends before, so that they call another one.
struct Herald(Arc<Group>);

impl Drop for Herald {
    fn drop(&mut self) {
        self.0.has_herald.store(false, Ordering::Release);
        self.0.told.notify_waiters();
    }
}

/// The way to learn what has become of one change.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) group: Arc<Group>,
    /// The change's number among all.
    pub(crate) number: u64,
}

#[cfg(test)]
impl Ticket {
    /// That of a change of this number in a group.
    pub(crate) fn of(group: &Arc<Group>, number: u64) -> Self {
        let group = Arc::clone(group);
        Self { group, number }
    }
}

impl Ticket {
    /// Waits until the change is safe; `other` is a runtime for when the caller has none.
    ///
    /// # Errors
    /// It was not written, or that is not known.
    pub(crate) async fn safe(self, other: &Handle) -> Result<(), StoreError> {
        loop {
            // Before the look, so that nothing is missed in between.
            let told = self.group.told.notified();
            if let Some(outcome) = self.group.outcome() {
                return outcome;
            }
            self.group.call_herald(other);
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe() -> Fate {
        let since = Instant::now();
        Fate::Safe { segment: 1, since }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn everybody_learns_of_it_on_whichever_runtime_and_before_or_after() {
        let (here, there) = (runtime(), runtime());
        let group = Arc::new(Group::default());
        let other = there.handle().clone();
        let waiting: Vec<_> = (0..100)
            .map(|at| {
                let (ticket, other) = (Ticket::of(&group, 0), other.clone());
                let on = if at % 2 == 0 { &here } else { &there };
                on.spawn(async move { ticket.safe(&other).await })
            })
            .collect();
        here.block_on(tokio::task::yield_now());
        there.block_on(tokio::task::yield_now());
        group.settle(safe());
        group.settle(Fate::Failed(StoreError::NotConfigured));
        for (at, task) in waiting.into_iter().enumerate() {
            let on = if at % 2 == 0 { &here } else { &there };
            // The herald lives on one of them only.
            here.block_on(tokio::task::yield_now());
            assert_eq!(on.block_on(task).unwrap(), Ok(()), "{at}");
        }
        assert!(here.block_on(Ticket::of(&group, 0).safe(&other)).is_ok());
    }

    #[test]
    fn a_herald_that_is_lost_with_its_runtime_is_replaced() {
        let (short, long) = (runtime(), runtime());
        let group = Arc::new(Group::default());
        let other = long.handle().clone();
        let (first, second) = (Ticket::of(&group, 0), Ticket::of(&group, 0));
        let lost = other.clone();
        short.spawn(async move { first.safe(&lost).await });
        short.block_on(tokio::task::yield_now());
        let waits = long.spawn(async move { second.safe(&other).await });
        long.block_on(tokio::task::yield_now());
        drop(short);
        long.block_on(tokio::task::yield_now());
        group.settle(safe());
        assert!(long.block_on(waits).unwrap().is_ok());
    }

    #[test]
    fn who_has_no_runtime_gets_one() {
        let other = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let group = Arc::new(Group::default());
        let ticket = Ticket::of(&group, 0);
        let handle = other.handle().clone();
        let waits = std::thread::spawn(move || {
            let mut waiting = std::pin::pin!(ticket.safe(&handle));
            let thread = std::thread::current();
            let waker = std::task::Waker::from(Arc::new(Unpark(thread)));
            let mut task = std::task::Context::from_waker(&waker);
            loop {
                match waiting.as_mut().poll(&mut task) {
                    std::task::Poll::Ready(outcome) => return outcome,
                    std::task::Poll::Pending => std::thread::park(),
                }
            }
        });
        group.settle(Fate::Failed(StoreError::Closed));
        assert!(matches!(waits.join().unwrap(), Err(StoreError::Closed)));
    }

    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
}
