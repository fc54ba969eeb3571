//! Visitors: thousands of clients that hardly do anything, on one thread.
//!
//! Each connects, asks for an echo, and again and again after a while. What it must not know is why connections end.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::client::{HEADER, decode, encode};
use crate::cluster::random;
use crate::spread::Spread;
use crate::wait::within;

/// The echo of the test's net node.
const ECHO: u32 = 1;

/// How long an answer may take before a client gives its connection up.
const SILENCE: Duration = Duration::from_secs(10);

/// How often a client looks whether it is to leave.
const LOOK: Duration = Duration::from_millis(50);

/// How visitors behave.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// How many clients.
    pub clients: usize,
    /// From one echo to the next.
    pub every: Duration,
    /// Whose connection has ended connects again after so long.
    pub again: Duration,
    /// Up to so much longer, drawn for each attempt.
    pub jitter: Duration,
}

/// The clients. They leave when this is dropped.
pub struct Visitors {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    leave: AtomicBool,
    /// Clients that have had an echo over their present connection.
    served: AtomicUsize,
    /// Connections that ended before their first echo.
    turned_away: AtomicUsize,
    refused: AtomicUsize,
    echoes: Mutex<Vec<Duration>>,
}

/// Raises this process's limit of open files as far as it goes, and says whether it is enough for so many clients and some more.
///
/// # Errors
/// It is not; the text says what there is.
pub fn room_for(clients: usize) -> Result<(), String> {
    let told = |why: nix::Error| format!("the limit of open files: {why}");
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(told)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(told)?;
    let needed = clients as u64 + 500;
    if hard < needed {
        return Err(format!(
            "{clients} clients need {needed} open files, and the hard limit is {hard}"
        ));
    }
    Ok(())
}

impl Visitors {
    /// Has all clients connect.
    pub fn gather(to: SocketAddr, habits: Habits) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("because a runtime needs no more than a thread");
            runtime.block_on(async {
                let client = |_| tokio::spawn(visit(to, habits, Arc::clone(&theirs)));
                let clients: Vec<_> = (0..habits.clients).map(client).collect();
                for client in clients {
                    client.await.expect("because no client panics");
                }
            });
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// How many have had an echo over their present connection.
    pub fn served(&self) -> usize {
        self.shared.served.load(Ordering::Relaxed)
    }

    /// How many connections ended before their first echo.
    pub fn turned_away(&self) -> usize {
        self.shared.turned_away.load(Ordering::Relaxed)
    }

    /// How many connections were refused.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Waits until so many are served at the same time; how long that took, if it was in time.
    pub fn until_served(&self, clients: usize, patience: Duration) -> Option<Duration> {
        let begin = Instant::now();
        within(patience, || (self.served() >= clients).then(|| begin.elapsed()))
    }

    /// Only echoes from now on count.
    pub fn forget_echoes(&self) {
        self.take_echoes();
    }

    /// How long the echoes took since this was asked last.
    ///
    /// # Panics
    /// When there were none.
    #[track_caller]
    pub fn echoes(&self) -> Spread {
        Spread::of(self.take_echoes())
    }

    fn take_echoes(&self) -> Vec<Duration> {
        let echoes = self.shared.echoes.lock();
        std::mem::take(&mut *echoes.unwrap_or_else(PoisonError::into_inner))
    }

    /// Has all of them leave at once, and waits until they have.
    pub fn leave(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.leave.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("because no client panics");
        }
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        self.end();
    }
}

/// One client, until it is to leave.
async fn visit(to: SocketAddr, habits: Habits, shared: Arc<Shared>) {
    while !shared.leave.load(Ordering::Relaxed) {
        let mut served = false;
        match TcpStream::connect(to).await {
            Ok(stream) => {
                // However it ends, the next attempt follows.
                drop(converse(stream, habits, &shared, &mut served).await);
                if served {
                    shared.served.fetch_sub(1, Ordering::Relaxed);
                } else {
                    shared.turned_away.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(_) => drop(shared.refused.fetch_add(1, Ordering::Relaxed)),
        }
        let jitter = habits.jitter.mul_f64((random() % 1000) as f64 / 1000.0);
        pause(habits.again + jitter, &shared).await;
    }
}

async fn converse(
    mut stream: TcpStream,
    habits: Habits,
    shared: &Shared,
    served: &mut bool,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let question = encode(ECHO, "hello");
    let mut answer = [0; HEADER + 5];
    // Not all at the same moment.
    let mut wait = habits.every.mul_f64((random() % 1000) as f64 / 1000.0);
    while !shared.leave.load(Ordering::Relaxed) {
        let sent = Instant::now();
        stream.write_all(&question).await?;
        timeout(SILENCE, stream.read_exact(&mut answer)).await??;
        decode(
            answer
                .first_chunk()
                .expect("because the answer begins with a header"),
        )?;
        if !std::mem::replace(served, true) {
            shared.served.fetch_add(1, Ordering::Relaxed);
        } else {
            let mut echoes = shared.echoes.lock().unwrap_or_else(PoisonError::into_inner);
            echoes.push(sent.elapsed());
        }
        let until = Instant::now() + wait;
        wait = habits.every;
        // Nothing comes unasked: what can be read is the end.
        let mut byte = [0];
        while Instant::now() < until && !shared.leave.load(Ordering::Relaxed) {
            let step = LOOK
                .max(habits.every / 20)
                .min(until.saturating_duration_since(Instant::now()));
            if let Ok(ended) = timeout(step, stream.read(&mut byte)).await {
                return ended.map(drop);
            }
        }
    }
    Ok(())
}

async fn pause(time: Duration, shared: &Shared) {
    let until = Instant::now() + time;
    while Instant::now() < until && !shared.leave.load(Ordering::Relaxed) {
        sleep(LOOK.min(until.saturating_duration_since(Instant::now()))).await;
    }
}
