//! Those of one thread who wait for the same group without a task of their own: they are told in one go.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::group::{Group, Ticket};
use crate::error::StoreError;

/// Told what has become of a change.
type Told = Box<dyn FnOnce(Result<(), StoreError>)>;

/// Who waits for a group. It is its task's; so all are dropped when that is, with the thread's tasks.
struct Crowd {
    group: Arc<Group>,
    waiting: RefCell<Vec<Told>>,
}

thread_local! {
    /// The newest of this thread.
    static NEWEST: RefCell<Weak<Crowd>> = const { RefCell::new(Weak::new()) };
}

impl Ticket {
    /// Has `told` called on this thread once it is known what has become of the change; at once, if it is.
    ///
    /// # Panics
    /// Outside of a `LocalSet`.
    pub(crate) fn then(self, told: impl FnOnce(Result<(), StoreError>) + 'static) {
        if let Some(outcome) = self.group.outcome() {
            return told(outcome);
        }
        let newest = NEWEST.with_borrow(Weak::upgrade);
        let crowd = newest.filter(|crowd| Arc::ptr_eq(&crowd.group, &self.group));
        let crowd = crowd.unwrap_or_else(|| Crowd::gather(self.group));
        crowd.waiting.borrow_mut().push(Box::new(told));
    }
}

impl Crowd {
    fn gather(group: Arc<Group>) -> Rc<Self> {
        let crowd = Rc::new(Self {
            group,
            waiting: RefCell::default(),
        });
        NEWEST.set(Rc::downgrade(&crowd));
        tokio::task::spawn_local(Rc::clone(&crowd).tell());
        crowd
    }

    async fn tell(self: Rc<Self>) {
        self.group.settled().await;
        let waiting = self.waiting.take();
        if let Some(outcome) = self.group.outcome() {
            for told in waiting {
                // A panic of one would strike all behind it.
                let told = AssertUnwindSafe(|| told(outcome.clone()));
                if catch_unwind(told).is_err() {
                    tracing::error!("what was to be done once a change is saved has panicked");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::task::{LocalSet, yield_now};

    use super::*;
    use crate::journal::group::Fate;

    fn local(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, work);
    }

    #[test]
    fn all_are_told_in_their_order_when_it_is_known_and_who_comes_later_at_once() {
        local(async {
            let groups = [Arc::default(), Arc::default()];
            let told = Rc::new(RefCell::new(Vec::new()));
            let wait = |group: usize, number: usize| {
                let told = Rc::clone(&told);
                Ticket::of(&groups[group], 0)
                    .then(move |outcome| told.borrow_mut().push((number, outcome.is_ok())));
            };
            (0..3).for_each(|number| wait(0, number));
            (3..5).for_each(|number| wait(1, number));
            yield_now().await;
            assert!(told.borrow().is_empty());
            groups[0].settle(Fate::Safe {
                segment: 1,
                since: Instant::now(),
            });
            yield_now().await;
            assert_eq!(*told.borrow(), [(0, true), (1, true), (2, true)]);
            wait(0, 9);
            groups[1].settle(Fate::Failed(StoreError::Closed));
            yield_now().await;
            assert_eq!(told.borrow()[3..], [(9, true), (3, false), (4, false)]);
        });
    }

    #[test]
    fn who_waits_is_dropped_with_the_tasks_of_the_thread() {
        let (group, kept) = (Arc::default(), Rc::new(()));
        local(async {
            let kept = Rc::clone(&kept);
            Ticket::of(&group, 0).then(move |_| drop(kept));
            assert_eq!(Rc::strong_count(&NEWEST.with_borrow(Weak::upgrade).unwrap()), 2);
        });
        assert_eq!(Rc::strong_count(&kept), 1);
    }
}
