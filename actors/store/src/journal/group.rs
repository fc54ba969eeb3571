//! Changes that are written and synced together, and those who wait for that.
//!
//! A group is a few hundred changes when there is a lot to do. Were each waiter woken from the journal's thread, he
//! would go his way before the next one is, and all nodes between him and his client would be woken for each answer.
//! So the thread wakes one *herald*, a task on the waiters' own runtime, which tells them all at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::error::StoreError;

/// What has become of a group.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is in the journal, but for those at these places.
    Written {
        /// Ascending.
        refused: Vec<(usize, StoreError)>,
    },
    /// None of it is known to be there.
    Failed(StoreError),
}

/// Changes with one fate.
#[derive(Debug, Default)]
pub(super) struct Group {
    outcome: OnceLock<Outcome>,
    /// For the herald: there is an outcome.
    settled: Notify,
    /// From the herald: there is an outcome, or he is gone.
    told: Notify,
    has_herald: AtomicBool,
}

impl Group {
    /// Says what has become of it. Only the first word counts.
    pub(super) fn settle(&self, outcome: Outcome) {
        self.outcome.get_or_init(|| outcome);
        self.settled.notify_one();
    }

    fn of(&self, at: usize) -> Option<Result<(), StoreError>> {
        Some(match self.outcome.get()? {
            Outcome::Failed(why) => Err(why.clone()),
            Outcome::Written { refused } => match refused.binary_search_by_key(&at, |(at, _)| *at) {
                Ok(found) => Err(refused[found].1.clone()),
                Err(_) => Ok(()),
            },
        })
    }

    /// Sees to it that there is a herald, on the runtime of whoever asks, or on another one.
    fn call_herald(self: &Arc<Self>, other: &Handle) {
        if self.has_herald.load(Ordering::Acquire) || self.has_herald.swap(true, Ordering::AcqRel) {
            return;
        }
        let herald = Herald(Arc::clone(self));
        let work = async move { herald.0.settled.notified().await };
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
    pub(super) group: Arc<Group>,
    /// The change's place in the group.
    pub(super) at: usize,
    /// The change's number among all.
    pub(crate) number: u64,
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
            if let Some(outcome) = self.group.of(self.at) {
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

    fn ticket(group: &Arc<Group>, at: usize) -> Ticket {
        Ticket {
            group: Arc::clone(group),
            at,
            number: 0,
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn everybody_learns_of_his_own_change_on_whichever_runtime_and_before_or_after() {
        let (here, there) = (runtime(), runtime());
        let group = Arc::new(Group::default());
        let other = there.handle().clone();
        let waiting: Vec<_> = (0..100)
            .map(|at| {
                let (ticket, other) = (ticket(&group, at), other.clone());
                let on = if at % 2 == 0 { &here } else { &there };
                on.spawn(async move { (at, ticket.safe(&other).await) })
            })
            .collect();
        here.block_on(tokio::task::yield_now());
        there.block_on(tokio::task::yield_now());
        let refused = vec![(3, StoreError::Closed), (50, StoreError::Closed)];
        group.settle(Outcome::Written { refused });
        group.settle(Outcome::Failed(StoreError::NotConfigured));
        for (at, task) in waiting.into_iter().enumerate() {
            let on = if at % 2 == 0 { &here } else { &there };
            // The herald lives on one of them only.
            here.block_on(tokio::task::yield_now());
            let (at, outcome) = on.block_on(task).unwrap();
            assert_eq!(outcome.is_err(), [3, 50].contains(&at), "{at}");
        }
        assert!(here.block_on(ticket(&group, 4).safe(&other)).is_ok());
    }

    #[test]
    fn a_herald_that_is_lost_with_its_runtime_is_replaced() {
        let (short, long) = (runtime(), runtime());
        let group = Arc::new(Group::default());
        let other = long.handle().clone();
        let (first, second) = (ticket(&group, 0), ticket(&group, 1));
        let lost = other.clone();
        short.spawn(async move { first.safe(&lost).await });
        short.block_on(tokio::task::yield_now());
        let waits = long.spawn(async move { second.safe(&other).await });
        long.block_on(tokio::task::yield_now());
        drop(short);
        long.block_on(tokio::task::yield_now());
        group.settle(Outcome::Written { refused: Vec::new() });
        assert!(long.block_on(waits).unwrap().is_ok());
    }

    #[test]
    fn who_has_no_runtime_gets_one() {
        let other = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let group = Arc::new(Group::default());
        let ticket = ticket(&group, 0);
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
        group.settle(Outcome::Failed(StoreError::Closed));
        assert!(matches!(waits.join().unwrap(), Err(StoreError::Closed)));
    }

    struct Unpark(std::thread::Thread);

    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
}
