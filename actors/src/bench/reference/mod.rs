//! The servers that the cluster is compared with: the least that could do the same work. They are no part of the
//! product; hidden roles of this program, so that they are built like it and can be started beside it.
//!
//! | role | what it does |
//! | --- | --- |
//! | `echo` | answers each frame |
//! | `relay` | hands the bytes of each client on over a connection of its own, and back |
//! | `hand-net` | takes clients' frames, hands them on over one link with numbers in front, and the answers back |
//! | `hand-gate` | the same from link to link |
//! | `hand-game` | answers each frame of a link |
//! | `spin` | nothing, as fast as it can |
//!
//! `relay`, `relay`, `echo` is the bare chain, `hand-net`, `hand-gate`, `hand-game` the hand-written one. All run on
//! one thread in plain tokio, write what a turn has gathered at once, and check, limit and supervise nothing: what
//! they hold is bounded by what the load generator has in flight.
//!
//! What they answer they are taught: a frame of command 0 holds the payload of all later answers. So every system
//! gives the same bytes for the same request.
//!
//! Each ends when the process that started it does.

mod echo;
mod hand;
mod relay;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::frame;

/// How often a reference looks whether its parent is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Turns of a spinning process between two looks at its parent.
const TURNS: u32 = 100_000_000;

/// Bytes that one read may bring.
const READ: usize = 64 * 1024;

/// Which server, and where.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Reference {
    /// Answers each frame
    Echo {
        /// Where its clients connect
        listen: SocketAddr,
    },
    /// Hands bytes on
    Relay {
        /// Where its clients connect
        listen: SocketAddr,
        /// Where it hands them on to
        to: SocketAddr,
    },
    /// Clients' frames onto a link
    HandNet {
        /// Where its clients connect
        listen: SocketAddr,
        /// Where the gate is
        to: SocketAddr,
    },
    /// Frames from link to link
    HandGate {
        /// Where net's link comes
        listen: SocketAddr,
        /// Where the game is
        to: SocketAddr,
    },
    /// Answers the frames of a link
    HandGame {
        /// Where the gate's link comes
        listen: SocketAddr,
    },
    /// Keeps a processor from sleeping
    Spin,
}

/// Runs a reference server until it is killed; gives the exit code.
pub(crate) fn run(reference: &Reference) -> u8 {
    if matches!(reference, Reference::Spin) {
        spin();
        return 0;
    }
    let serve = async {
        tokio::select! {
            result = serve(reference) => result,
            () = orphaned() => Ok(()),
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| LocalSet::new().block_on(&runtime, serve)) {
        Ok(()) => 0,
        Err(error) => {
            crate::console::eprint_line(&format!("error: {reference:?}: {error}"));
            crate::exit::FAILED
        }
    }
}

async fn serve(reference: &Reference) -> io::Result<()> {
    match reference {
        Reference::Echo { listen } => {
            let answer = Rc::new(Answer::default());
            each_client(*listen, |client| echo::run(client, Rc::clone(&answer))).await
        }
        Reference::Relay { listen, to } => each_client(*listen, |client| relay::run(client, *to)).await,
        Reference::HandNet { listen, to } => {
            let net = hand::Net::connect(*to).await?;
            each_client(*listen, |client| Rc::clone(&net).client(client)).await
        }
        Reference::HandGate { listen, to } => {
            let gate = hand::Gate::connect(*to).await?;
            each_client(*listen, |link| Rc::clone(&gate).caller(link)).await
        }
        Reference::HandGame { listen } => {
            let answer = Rc::new(Answer::default());
            each_client(*listen, |link| hand::game(link, Rc::clone(&answer))).await
        }
        Reference::Spin => Ok(()),
    }
}

/// Serves every client in a task of its own; what goes wrong with one ends that one.
async fn each_client<F>(listen: SocketAddr, serve: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (client, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        let served = serve(client);
        tokio::task::spawn_local(async move {
            if let Err(error) = served.await {
                crate::console::eprint_line(&format!("a connection ended: {error}"));
            }
        });
    }
}

/// Returns when the process that started this one is gone.
async fn orphaned() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(LOOK).await;
    }
}

fn spin() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        (0..TURNS).for_each(|_| std::hint::spin_loop());
    }
}

/// What a server answers.
#[derive(Debug, Default)]
struct Answer(RefCell<Vec<u8>>);

impl Answer {
    /// Appends the answer to a frame; or learns what the answers are from now on, and says so.
    fn put(&self, request: &[u8], out: &mut Vec<u8>) {
        if frame::command(request) == frame::SPECIAL {
            self.0.replace(frame::payload(request).to_vec());
        }
        frame::put_answer(request, &self.0.borrow(), out);
    }
}

/// Frames at the front of what was read are no frames.
fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what came is no frame")
}
