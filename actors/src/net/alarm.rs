//! The timer of one connection: none while there is nothing to wait for, and seldom set.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Context;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

/// Wakes the connection's task.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Sees to it that the task is woken at `until` or before. A timer that is early is left as it is: it is set anew
    /// when it rings, which is once in a while, where deadlines move with every call.
    pub(super) fn set(&mut self, until: Option<Instant>, now: Instant, task: &mut Context<'_>) {
        self.0.take_if(|timer| timer.deadline() <= now);
        let Some(until) = until else { return };
        let timer = match &mut self.0 {
            Some(timer) if timer.deadline() <= until => return,
            Some(timer) => {
                timer.as_mut().reset(until);
                timer
            }
            None => self.0.insert(Box::pin(tokio::time::sleep_until(until))),
        };
        // Without regard to the task's budget, which would leave the timer unknown to the runtime when it is spent.
        if pin!(unconstrained(timer.as_mut())).poll(task).is_ready() {
            task.waker().wake_by_ref();
        }
    }
}
