//! A crowd: many clients that have nothing to say, and that come back at once when they are disconnected.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{HEADER, decode, encode};
use crate::wait::until;

/// The command of the test's net node that echoes.
const ECHO: u32 = 1;

/// How one client came back.
#[derive(Debug, Clone, Copy)]
pub struct Return {
    /// When it had an answer again.
    pub served: Instant,
    /// How often it was refused before.
    pub refused: usize,
}

/// Clients that are connected, and will come back once.
pub struct Crowd {
    clients: JoinHandle<Vec<Return>>,
}

impl Crowd {
    /// Connects so many clients; each has been answered once when this returns.
    ///
    /// # Panics
    /// When they are not served in time.
    #[track_caller]
    pub fn gather(to: SocketAddr, count: usize) -> Self {
        let served = Arc::new(AtomicUsize::new(0));
        let here = Arc::clone(&served);
        let clients = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("because a runtime needs no more than a thread");
            runtime.block_on(async {
                let clients: Vec<_> = (0..count)
                    .map(|_| tokio::spawn(come_back(to, Arc::clone(&here))))
                    .collect();
                let mut returns = Vec::with_capacity(count);
                for client in clients {
                    returns.push(
                        client
                            .await
                            .expect("because a client panics when nobody serves it"),
                    );
                }
                returns
            })
        });
        until("a crowd that is served", || {
            (served.load(Ordering::Relaxed) == count).then_some(())
        });
        Self { clients }
    }

    /// Waits until all have come back.
    ///
    /// # Panics
    /// When one was disconnected again before it was served.
    pub fn returned(self) -> Vec<Return> {
        self.clients.join().expect("because all are served in the end")
    }
}

async fn come_back(to: SocketAddr, served: Arc<AtomicUsize>) -> Return {
    let (mut stream, _) = connect(to).await;
    ask(&mut stream).await.expect("because the cluster is well");
    served.fetch_add(1, Ordering::Relaxed);
    // Nobody sends it anything: what comes is the end.
    drop(stream.read(&mut [0; 1]).await);
    let (mut stream, mut refused) = connect(to).await;
    while ask(&mut stream).await.is_err() {
        let (next, more) = connect(to).await;
        stream = next;
        refused += more;
    }
    let served = Instant::now();
    Return { served, refused }
}

/// Connects, and says how often that was refused.
async fn connect(to: SocketAddr) -> (TcpStream, usize) {
    let mut refused = 0;
    loop {
        match TcpStream::connect(to).await {
            Ok(stream) => return (stream, refused),
            Err(_) => refused += 1,
        }
        tokio::task::yield_now().await;
    }
}

async fn ask(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&encode(ECHO, "here")).await?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let (_, length) = decode(&header)?;
    stream.read_exact(&mut vec![0; length]).await.map(|_| ())
}
