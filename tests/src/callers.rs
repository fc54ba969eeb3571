//! Callers: clients on one thread that always have calls under way, or make them at an even pace.
//!
//! They share the machine with what they load, so they must be cheap: requests are laid out once, what has come is read
//! at once and answered by as many new requests in one write, and of an answer no more is looked at than its command.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use crate::client::encode;
use crate::frames::Frames;
use crate::wait::within;

/// Bytes that one read takes at most.
const READ: usize = 64 * 1024;

/// At least so many requests are laid out, so that few writes come to their end.
const LAID_OUT: usize = 4096;

/// Connections that are made at the same time.
const AT_ONCE: usize = 128;

/// The command of error frames.
const ERROR: u32 = 0;

/// When callers call.
#[derive(Debug, Clone, Copy)]
pub enum Rhythm {
    /// So many calls of each connection are always under way.
    Depth(usize),
    /// Each connection makes a call every so often, whatever has become of those before.
    Every(Duration),
}

/// How callers behave.
#[derive(Debug, Clone)]
pub struct Calls {
    /// How many connections.
    pub connections: usize,
    /// When they call.
    pub rhythm: Rhythm,
    /// The commands that are called, in turns.
    pub commands: Vec<u32>,
    /// The payload of each.
    pub payload: &'static str,
}

/// The clients. They leave when this is dropped.
pub struct Callers {
    tally: Arc<Tally>,
    leave: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Tally {
    connected: AtomicU64,
    answers: AtomicU64,
    errors: AtomicU64,
    /// Connections that ended.
    lost: AtomicU64,
}

impl Callers {
    /// Has all clients connect, and then call.
    ///
    /// # Panics
    /// When they are not all connected within the patience.
    #[track_caller]
    pub fn gather(to: SocketAddr, calls: &Calls, patience: Duration) -> Self {
        let tally = Arc::new(Tally::default());
        let (leave, leaving) = oneshot::channel();
        let (theirs, plan) = (Arc::clone(&tally), calls.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("because a runtime needs no more than a thread");
            LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    () = call_all(to, &plan, &theirs) => {}
                    // A sender that is dropped says the same.
                    _ = leaving => {}
                }
            });
        });
        let callers = Self {
            tally,
            leave: Some(leave),
            thread: Some(thread),
        };
        let wanted = calls.connections as u64;
        let connected = || callers.tally.connected.load(Ordering::Relaxed);
        let all = within(patience, || {
            (connected() == wanted && callers.answers() > 0).then_some(())
        });
        assert!(all.is_some(), "{} of {wanted} callers are connected", connected());
        callers
    }

    /// Good answers so far.
    pub fn answers(&self) -> u64 {
        self.tally.answers.load(Ordering::Relaxed)
    }

    /// Error frames and lost connections so far.
    pub fn faults(&self) -> u64 {
        self.tally.errors.load(Ordering::Relaxed) + self.tally.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        drop(self.leave.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("because no caller panics");
        }
    }
}

/// Requests in a row, which each connection goes round in.
struct Requests {
    bytes: Vec<u8>,
    size: usize,
}

impl Requests {
    fn new(commands: &[u32], payload: &str) -> Self {
        let rounds = LAID_OUT.div_ceil(commands.len());
        let frames = commands.iter().map(|command| encode(*command, payload));
        let round: Vec<u8> = frames.flatten().collect();
        Self {
            size: round.len() / commands.len(),
            bytes: round.repeat(rounds),
        }
    }

    fn count(&self) -> usize {
        self.bytes.len() / self.size
    }
}

async fn call_all(to: SocketAddr, calls: &Calls, tally: &Arc<Tally>) {
    let requests = Rc::new(Requests::new(&calls.commands, calls.payload));
    let scratch = Rc::new(RefCell::new(vec![0; READ]));
    let mut streams = Vec::with_capacity(calls.connections);
    while streams.len() < calls.connections {
        let mut joining = JoinSet::new();
        for _ in 0..AT_ONCE.min(calls.connections - streams.len()) {
            joining.spawn_local(TcpStream::connect(to));
        }
        let joined = joining.join_all().await;
        streams.extend(joined.into_iter().flatten());
        tally.connected.store(streams.len() as u64, Ordering::Relaxed);
    }
    let mut callers = JoinSet::new();
    for (at, stream) in streams.into_iter().enumerate() {
        let caller = Caller {
            stream,
            next: at * requests.count() / calls.connections,
            requests: Rc::clone(&requests),
            scratch: Rc::clone(&scratch),
            frames: Frames::default(),
            tally: Arc::clone(tally),
        };
        let begin = Instant::now();
        callers.spawn_local(caller.call(calls.rhythm, begin, at as f64 / calls.connections as f64));
    }
    callers.join_all().await;
}

/// One connection.
struct Caller {
    stream: TcpStream,
    requests: Rc<Requests>,
    /// The request that is sent next.
    next: usize,
    scratch: Rc<RefCell<Vec<u8>>>,
    frames: Frames,
    tally: Arc<Tally>,
}

impl Caller {
    /// Calls until the connection ends. `shift` is the part of the pace by which this caller is later than the first.
    async fn call(mut self, rhythm: Rhythm, begin: Instant, shift: f64) {
        let ended = match rhythm {
            Rhythm::Depth(depth) => self.keep_under_way(depth).await,
            Rhythm::Every(pause) => self.keep_pace(pause, begin + pause.mul_f64(shift)).await,
        };
        if ended.is_err() {
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn keep_under_way(&mut self, depth: usize) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.send(depth).await?;
        loop {
            self.stream.readable().await?;
            let answered = self.receive()?;
            self.send(answered).await?;
        }
    }

    async fn keep_pace(&mut self, pause: Duration, mut due: Instant) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        loop {
            tokio::select! {
                readable = self.stream.readable() => {
                    readable?;
                    self.receive()?;
                }
                () = tokio::time::sleep_until(due) => {
                    self.send(1).await?;
                    due += pause;
                }
            }
        }
    }

    /// Sends so many requests.
    async fn send(&mut self, mut count: usize) -> io::Result<()> {
        while count > 0 {
            let part = count.min(self.requests.count() - self.next);
            let size = self.requests.size;
            let mut bytes = &self.requests.bytes[self.next * size..(self.next + part) * size];
            while !bytes.is_empty() {
                match self.stream.try_write(bytes) {
                    Ok(written) => bytes = &bytes[written..],
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => self.stream.writable().await?,
                    Err(why) => return Err(why),
                }
            }
            self.next = (self.next + part) % self.requests.count();
            count -= part;
        }
        Ok(())
    }

    /// Reads what has come, and says how many answers that were.
    fn receive(&mut self) -> io::Result<usize> {
        let mut scratch = self.scratch.borrow_mut();
        let read = match self.stream.try_read(&mut scratch) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => 0,
            Err(why) => return Err(why),
        };
        let (mut good, mut bad) = (0, 0);
        self.frames.take(&scratch[..read], |command| match command {
            ERROR => bad += 1,
            _ => good += 1,
        })?;
        self.tally.answers.fetch_add(good, Ordering::Relaxed);
        self.tally.errors.fetch_add(bad, Ordering::Relaxed);
        Ok(usize::try_from(good + bad).unwrap_or(usize::MAX))
    }
}
