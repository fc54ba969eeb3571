//! The one actor system of this process: its thread, and what that does while there is nothing to do.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `wait` | whether to look for work once more, or to sleep; how long it has been idle |
//! | `quota` | whether this process is given only a share of the processors |
//!
//! A thread that sleeps has to be woken by the kernel, which takes longer than most commands, and is often woken
//! where the sender still runs. So a node whose waits are short looks for work for a moment before it sleeps:
//! docs/decisions/0022. Must not know what the system runs.

mod quota;
mod wait;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lampyris_runtime::config::BusyPoll;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use wait::Wait;

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
        BusyPoll::Auto => !quota::is_set(),
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

/// For how long the system's thread has had something to do.
#[derive(Clone)]
pub(crate) struct Busy(Arc<Idle>);

impl Busy {
    /// Since the start.
    pub(crate) fn time(&self) -> Duration {
        let idle = self.0.wait().idle_time();
        self.0.started.elapsed().saturating_sub(idle)
    }
}

/// What the runtime's hooks share with the future that it blocks on.
struct Idle {
    started: Instant,
    wait: Mutex<Wait>,
    /// How often the actors have had a turn: who polls them polls the future beside them first.
    turns: AtomicU64,
    /// Wakes a task that does nothing: a runtime with a task to run looks at its sockets, and does not sleep.
    again: Notify,
}

impl Idle {
    fn new(looks: bool) -> Self {
        Self {
            started: Instant::now(),
            wait: Mutex::new(Wait::new(looks)),
            turns: AtomicU64::new(0),
            again: Notify::new(),
        }
    }

    fn wait(&self) -> MutexGuard<'_, Wait> {
        self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) {
        // Only this thread counts, hence no addition in one step.
        let turns = self.turns.load(Ordering::Relaxed);
        self.turns.store(turns.wrapping_add(1), Ordering::Relaxed);
    }

    fn nothing_to_do(&self) {
        let now = Instant::now();
        let turns = self.turns.load(Ordering::Relaxed);
        if self.wait().looks_again(now, turns) {
            // Who is to send the next work may be waiting for this processor.
            std::thread::yield_now();
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
    fn a_thread_that_computes_is_busy() {
        let busy = run(BusyPoll::Auto, |busy| async move {
            let until = Instant::now() + Duration::from_millis(50);
            while Instant::now() < until {
                tokio::task::yield_now().await;
            }
            busy.time()
        });
        assert!(busy.unwrap() >= Duration::from_millis(50));
    }
}
