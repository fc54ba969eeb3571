//! A bad network between two ends: a TCP proxy whose faults are switched while connections are open.
//!
//! It must not know what the bytes mean.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::cluster::random;

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// Chunks that may be on their way in one direction of one connection.
const ON_THE_WAY: usize = 1024;

/// What is wrong with one direction. The default is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Way {
    /// How long every byte takes.
    pub latency: Duration,
    /// Up to so much longer, drawn for each chunk. Bytes stay in order.
    pub jitter: Duration,
    /// Bytes are written in slices of this size, one by one.
    pub slice: Option<usize>,
    /// Bytes a second.
    pub limit: Option<u32>,
    /// Nothing comes through: neither bytes, nor an end, nor a new connection. All of it comes when this ends,
    /// as packets are sent again.
    pub blackhole: bool,
}

/// What is wrong with both directions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// From the end that connects.
    pub up: Way,
    /// To the end that connects.
    pub down: Way,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    faults: Faults,
    resets: u64,
}

/// The proxy. Its connections break when it is dropped.
pub struct Proxy {
    state: watch::Sender<State>,
    connections: Arc<AtomicU64>,
}

impl Proxy {
    /// Listens at an address, and connects to another one for each connection.
    ///
    /// # Panics
    /// When the address is taken.
    #[track_caller]
    pub fn start(at: SocketAddr, to: SocketAddr) -> Self {
        let (state, watched) = watch::channel(State::default());
        let connections = Arc::<AtomicU64>::default();
        let listener = std::net::TcpListener::bind(at).unwrap_or_else(|why| panic!("{at}: {why}"));
        listener
            .set_nonblocking(true)
            .expect("because every socket can be");
        let counter = Arc::clone(&connections);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("because a runtime needs no more than a thread");
            runtime.block_on(serve(listener, to, watched, &counter))
        });
        Self { state, connections }
    }

    /// Sets what is wrong from now on.
    pub fn set(&self, faults: Faults) {
        self.state.send_modify(|state| state.faults = faults);
    }

    /// Nothing is wrong any more.
    pub fn heal(&self) {
        self.set(Faults::default());
    }

    /// Resets all connections.
    pub fn reset(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Accepts until the proxy is dropped.
async fn serve(
    listener: std::net::TcpListener,
    to: SocketAddr,
    mut state: watch::Receiver<State>,
    counter: &AtomicU64,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (near, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = dropped(&mut state) => return Ok(()),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(connect(near, to, state.clone()));
    }
}

async fn dropped(state: &mut watch::Receiver<State>) {
    while state.changed().await.is_ok() {}
}

/// One connection, until both ends have closed, one of them is broken, or it is reset.
async fn connect(near: TcpStream, to: SocketAddr, mut state: watch::Receiver<State>) -> io::Result<()> {
    let resets = state.borrow().resets;
    let opened = open(&mut state, |faults| faults.up.blackhole || faults.down.blackhole);
    if opened.await.is_none() {
        return Ok(());
    }
    let far = TcpStream::connect(to).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (mut near, mut far) = (near, far);
    {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        let mut watched = state.clone();
        let reset = watched.wait_for(|state| state.resets > resets);
        let both = async {
            tokio::try_join!(
                carry(near_read, far_write, state.clone(), |faults| faults.up),
                carry(far_read, near_write, state.clone(), |faults| faults.down),
            )
        };
        tokio::select! {
            ended = both => if ended.is_ok() {
                return Ok(());
            },
            _ = reset => {}
        }
    }
    near.set_zero_linger()?;
    far.set_zero_linger()
}

/// One direction of a connection.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    state: watch::Receiver<State>,
    way: fn(&Faults) -> Way,
) -> io::Result<()> {
    let (sender, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let mut leaving = state.clone();
    let read = async move {
        let mut due = Instant::now();
        loop {
            let mut chunk = vec![0; CHUNK];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            let Way { latency, jitter, .. } = way(&state.borrow().faults);
            due = due.max(Instant::now() + latency + part_of(jitter));
            if length == 0 || sender.send((due, chunk)).await.is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let write = async {
        while let Some((due, chunk)) = on_the_way.recv().await {
            tokio::time::sleep_until(due).await;
            let Some(faults) = open(&mut leaving, |faults| way(faults).blackhole).await else {
                return Ok(());
            };
            write(&mut to, &chunk, way(&faults)).await?;
        }
        match open(&mut leaving, |faults| way(faults).blackhole).await {
            Some(_) => to.shutdown().await,
            None => Ok(()),
        }
    };
    tokio::try_join!(read, write).map(|_| ())
}

async fn write(to: &mut WriteHalf<'_>, chunk: &[u8], way: Way) -> io::Result<()> {
    for slice in chunk.chunks(way.slice.unwrap_or(CHUNK).max(1)) {
        to.write_all(slice).await?;
        if let Some(limit) = way.limit {
            let seconds = slice.len() as f64 / f64::from(limit.max(1));
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        }
        // The other end may read what there is before more of it comes.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Waits for the end of a blackhole; `None` when the proxy is dropped.
async fn open(state: &mut watch::Receiver<State>, closed: impl Fn(&Faults) -> bool) -> Option<Faults> {
    let state = state.wait_for(|state| !closed(&state.faults)).await.ok()?;
    Some(state.faults)
}

fn part_of(jitter: Duration) -> Duration {
    match u64::try_from(jitter.as_micros()) {
        Ok(0) | Err(_) => Duration::ZERO,
        Ok(micros) => Duration::from_micros(random() % micros),
    }
}
