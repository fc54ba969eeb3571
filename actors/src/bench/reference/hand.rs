//! Net, gate and game as one would write them by hand for nothing but speed.
//!
//! ```text
//! link frame: length u32 │ call u64 │ connection u64 │ the client's frame, untouched
//! ```
//!
//! One link to each hop carries everybody's frames. Each hop gives a call a number of its own and finds the way
//! back by it, in a slab, without a task, a channel or an allocation per request. What one turn of the loop
//! has gathered for a link or a client leaves in one write.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::{Buf, BytesMut};
use slab::Slab;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use super::super::frame::{self, Front};
use super::{Answer, READ, nonsense};

const LENGTH: usize = 4;
const HEAD: usize = LENGTH + 16;

/// What waits to be written to a link.
#[derive(Default)]
struct Outbox {
    bytes: RefCell<Vec<u8>>,
    news: Notify,
}

impl Outbox {
    /// Adds a frame that `write` appends.
    fn put(&self, call: u64, connection: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes.borrow_mut();
        let start = bytes.len();
        bytes.extend_from_slice(&[0; LENGTH]);
        bytes.extend_from_slice(&call.to_be_bytes());
        bytes.extend_from_slice(&connection.to_be_bytes());
        write(&mut bytes);
        let length = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX);
        bytes[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
        self.news.notify_one();
    }

    /// Writes whatever has gathered, again and again.
    async fn write_to(&self, mut link: OwnedWriteHalf) -> io::Result<()> {
        let mut leaving = Vec::new();
        loop {
            self.news.notified().await;
            std::mem::swap(&mut leaving, &mut *self.bytes.borrow_mut());
            link.write_all(&leaving).await?;
            leaving.clear();
        }
    }
}

/// Reads a link to its end, and calls `take` for each frame with its call, connection and content, and `done` when
/// all that had come is taken.
async fn read_link(
    mut link: OwnedReadHalf,
    mut take: impl FnMut(u64, u64, &[u8]),
    mut done: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let mut input = BytesMut::new();
    loop {
        input.reserve(READ);
        if link.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        while let Some(length) = input.first_chunk::<LENGTH>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length < HEAD {
                return Err(nonsense());
            }
            if input.len() < length {
                break;
            }
            let mut head = &input[LENGTH..HEAD];
            take(head.get_u64(), head.get_u64(), &input[HEAD..length]);
            input.advance(length);
        }
        done()?;
    }
}

/// Connects a link, and keeps writing to it what the outbox gathers.
async fn dial(to: SocketAddr) -> io::Result<(OwnedReadHalf, Rc<Outbox>)> {
    let link = TcpStream::connect(to).await?;
    link.set_nodelay(true)?;
    Ok(start(link))
}

fn start(link: TcpStream) -> (OwnedReadHalf, Rc<Outbox>) {
    let (read, write) = link.into_split();
    let outbox = Rc::new(Outbox::default());
    let out = Rc::clone(&outbox);
    tokio::task::spawn_local(async move { out.write_to(write).await });
    (read, outbox)
}

/// The process that has the clients.
pub(super) struct Net {
    gate: Rc<Outbox>,
    calls: RefCell<Slab<Rc<Client>>>,
    connections: Cell<u64>,
}

struct Client {
    socket: OwnedWriteHalf,
    out: RefCell<Vec<u8>>,
    /// Whether it stands among those that are written to at the end of this turn.
    touched: Cell<bool>,
    /// The socket was full.
    full: Notify,
}

impl Net {
    pub(super) async fn connect(to: SocketAddr) -> io::Result<Rc<Self>> {
        let (read, gate) = dial(to).await?;
        let net = Rc::new(Self {
            gate,
            calls: RefCell::default(),
            connections: Cell::new(0),
        });
        let receiving = Rc::clone(&net);
        tokio::task::spawn_local(async move { receiving.answers(read).await });
        Ok(net)
    }

    /// Serves one client.
    pub(super) async fn client(self: Rc<Self>, client: TcpStream) -> io::Result<()> {
        let number = self.connections.replace(self.connections.get() + 1);
        let (mut read, socket) = client.into_split();
        let client = Rc::new(Client {
            socket,
            out: RefCell::default(),
            touched: Cell::new(false),
            full: Notify::new(),
        });
        let mut input = BytesMut::new();
        loop {
            input.reserve(READ);
            let bytes = tokio::select! {
                bytes = read.read_buf(&mut input) => bytes?,
                () = client.full.notified() => {
                    client.socket.writable().await?;
                    client.flush()?;
                    continue;
                }
            };
            if bytes == 0 {
                return Ok(());
            }
            loop {
                match frame::front(&input) {
                    Front::Whole(size) => {
                        let call = self.calls.borrow_mut().insert(Rc::clone(&client));
                        self.gate
                            .put(call as u64, number, |out| out.extend_from_slice(&input[..size]));
                        input.advance(size);
                    }
                    Front::Part => break,
                    Front::Nonsense => return Err(nonsense()),
                }
            }
        }
    }

    async fn answers(&self, link: OwnedReadHalf) -> io::Result<()> {
        let touched: RefCell<Vec<Rc<Client>>> = RefCell::default();
        let take = |call, _, answer: &[u8]| {
            if let Some(client) = self.calls.borrow_mut().try_remove(call as usize) {
                client.out.borrow_mut().extend_from_slice(answer);
                if !client.touched.replace(true) {
                    touched.borrow_mut().push(client);
                }
            }
        };
        let done = || {
            for client in touched.borrow_mut().drain(..) {
                client.touched.set(false);
                // A client that has gone ends in its own task.
                client.flush().unwrap_or_default();
            }
            Ok(())
        };
        read_link(link, take, done).await
    }
}

impl Client {
    /// Writes what the socket takes.
    fn flush(&self) -> io::Result<()> {
        let mut out = self.out.borrow_mut();
        while !out.is_empty() {
            match self.socket.try_write(&out) {
                Ok(written) => drop(out.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.full.notify_one();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The process between the two others.
pub(super) struct Gate {
    game: Rc<Outbox>,
    calls: RefCell<Slab<Caller>>,
}

/// Where an answer goes, and how it is numbered there.
struct Caller {
    link: Rc<Outbox>,
    call: u64,
}

impl Gate {
    pub(super) async fn connect(to: SocketAddr) -> io::Result<Rc<Self>> {
        let (read, game) = dial(to).await?;
        let gate = Rc::new(Self {
            game,
            calls: RefCell::default(),
        });
        let receiving = Rc::clone(&gate);
        tokio::task::spawn_local(async move {
            let take = |call, connection, answer: &[u8]| {
                let caller = receiving.calls.borrow_mut().try_remove(call as usize);
                if let Some(Caller { link, call }) = caller {
                    link.put(call, connection, |out| out.extend_from_slice(answer));
                }
            };
            read_link(read, take, || Ok(())).await
        });
        Ok(gate)
    }

    /// Serves the link of a net process.
    pub(super) async fn caller(self: Rc<Self>, link: TcpStream) -> io::Result<()> {
        let (read, link) = start(link);
        let take = |call, connection, request: &[u8]| {
            let link = Rc::clone(&link);
            let own = self.calls.borrow_mut().insert(Caller { link, call });
            self.game
                .put(own as u64, connection, |out| out.extend_from_slice(request));
        };
        read_link(read, take, || Ok(())).await
    }
}

/// The last process: answers each frame of a link.
pub(super) async fn game(link: TcpStream, answer: Rc<Answer>) -> io::Result<()> {
    let (read, link) = start(link);
    let take = |call, connection, request: &[u8]| {
        link.put(call, connection, |out| answer.put(request, out));
    };
    read_link(read, take, || Ok(())).await
}
