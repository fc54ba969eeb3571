//! The one actor system of this process: its thread, and what that does while there is nothing to do.
//!
//! `wait` decides whether it looks for work once more or sleeps, and knows how long its turns and waits are.
//!
//! A thread that sleeps has to be woken by the kernel, which takes longer than most commands, and is often woken
//! where the sender still runs. So a node that has worked looks for more for a moment before it sleeps:
//! docs/decisions/0022. Must not know what the system runs.

mod wait;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lampyris_runtime::config::BusyPoll;
use lampyris_runtime::supervisor::limits;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use wait::Wait;

/// How often the thread gives way between two looks. The kernel may take once for no more than a turn that was cut short; and
/// who looks less often leaves more of the processor to those who have work.
const TIMES: u32 = 4;

/// Runs in an actor system on this thread, to its end, the future that `work` makes.
///
/// # Errors
/// Those of the operating system, for want of files or memory.
pub(crate) fn run<W: Future>(busy_poll: BusyPoll, work: impl FnOnce(Busy) -> W) -> io::Result<W::Output> {
    let idle = Arc::new(Idle::new(looks(busy_poll)));
    let runtime = runtime(&idle)?;
    let busy = Busy(Arc::clone(&idle));
    Ok(actix::System::with_tokio_rt(|| runtime).block_on(async {
        let again = Arc::clone(&idle);
        tokio::spawn(async move {
            loop {
                again.again.notified().await;
            }
        });
        let mut work = pin!(work(busy));
        poll_fn(|context| {
            idle.turn();
            work.as_mut().poll(context)
        })
        .await
    }))
}

fn looks(busy_poll: BusyPoll) -> bool {
    match busy_poll {
        BusyPoll::On => true,
        BusyPoll::Off => false,
        // What is spent on looking would be missing later, for up to a tenth of a second at one time.
        BusyPoll::Auto => !limits::has_processor_quota(),
    }
}

/// A runtime that asks `idle` before it sleeps.
fn runtime(idle: &Arc<Idle>) -> io::Result<Runtime> {
    let (before, after) = (Arc::clone(idle), Arc::clone(idle));
    Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || before.nothing_to_do())
        .on_thread_unpark(move || after.looked_or_woken())
        .build()
}

/// How the system's thread fares.
#[derive(Clone)]
pub(crate) struct Busy(Arc<Idle>);

impl Busy {
    /// For how long it has had something to do since the start.
    pub(crate) fn time(&self) -> Duration {
        let idle = self.0.wait().idle_time();
        self.0.started.elapsed().saturating_sub(idle)
    }

    /// The longest that it did not look at sockets and timers, since this was last asked: so late was whatever became due
    /// meanwhile. A sleep does not count.
    pub(crate) fn take_lag(&self) -> Duration {
        self.0.wait().take_longest_turn()
    }
}

/// What the runtime's hooks share with the future that it blocks on.
struct Idle {
    started: Instant,
    wait: Mutex<Wait>,
    /// Wakes a task that does nothing: a runtime with a task to run looks at its sockets, and does not sleep.
    again: Notify,
}

impl Idle {
    fn new(looks: bool) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            wait: Mutex::new(Wait::new(looks, now)),
            again: Notify::new(),
        }
    }

    fn wait(&self) -> MutexGuard<'_, Wait> {
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who polls the actors polls the future beside them first.
    fn turn(&self) {
        self.wait().turn(Instant::now());
    }

    fn nothing_to_do(&self) {
        let now = Instant::now();
        if self.wait().looks_again(now) {
            // Who is to send the next work may be waiting for this processor.
            for _ in 0..TIMES {
                std::thread::yield_now();
            }
            self.wait().gave_way(now, Instant::now());
            self.again.notify_one();
        }
    }

    fn looked_or_woken(&self) {
        let mut wait = self.wait();
        if wait.is_asleep() {
            wait.woken(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Sends a byte back and forth so often, each time over the sockets of one thread.
    async fn ping(rounds: usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        tokio::task::spawn_local(async move {
            while let Ok(byte) = far.read_u8().await {
                far.write_u8(byte).await.unwrap();
            }
        });
        for _ in 0..rounds {
            near.write_u8(7).await.unwrap();
            assert_eq!(near.read_u8().await.unwrap(), 7);
        }
    }

    #[test]
    fn sockets_and_timers_are_served_while_the_thread_looks_and_while_it_sleeps() {
        for busy_poll in [BusyPoll::On, BusyPoll::Off] {
            let timers = run(busy_poll, |_| async {
                ping(200).await;
                let mut timers = 0;
                for _ in 0..50 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    timers += 1;
                }
                ping(200).await;
                timers
            });
            assert_eq!(timers.unwrap(), 50, "{busy_poll}");
        }
    }

    #[test]
    fn a_thread_that_only_waits_is_not_busy() {
        for busy_poll in [BusyPoll::On, BusyPoll::Off] {
            let (busy, passed) = run(busy_poll, |busy| async move {
                let started = Instant::now();
                tokio::time::sleep(Duration::from_millis(200)).await;
                (busy.time(), started.elapsed())
            })
            .unwrap();
            assert!(busy < passed / 2, "{busy_poll}: busy for {busy:?} of {passed:?}");
        }
    }

    #[test]
    fn a_thread_that_computes_is_busy_and_lags_by_its_longest_turn() {
        let long = Duration::from_millis(50);
        let (busy, lag, before) = run(BusyPoll::Auto, |busy| async move {
            tokio::time::sleep(long * 2).await;
            let before = busy.take_lag();
            tokio::task::spawn_local(async move {
                let until = Instant::now() + long;
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
            })
            .await
            .unwrap();
            tokio::task::yield_now().await;
            (busy.time(), busy.take_lag(), before)
        })
        .unwrap();
        assert!(busy >= long && lag >= long, "{busy:?}, {lag:?}");
        assert!(before < long, "a sleep is no turn: {before:?}");
    }
}
