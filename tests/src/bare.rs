//! The least that could serve clients: a plain tokio loop on one thread that accepts, and one small task for each connection.
//!
//! It answers each frame with itself, and writes a frame to all connections when it is asked to, one after the other. It
//! has no limits, no handlers and no order to keep: what a node is compared with.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use crate::client::{HEADER, decode};
use crate::parts::{orders, part};
use crate::process::Process;
use crate::visitors::room_for;

/// The command by which the test's net node pushes to all, and that of the pushed frame.
const PUSH_ALL: u32 = 8;
const PUSHED: u32 = 9000;

/// A bare server in a process of its own. It ends when this is dropped.
pub struct Bare {
    process: Process,
    addr: SocketAddr,
}

impl Bare {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not come up.
    #[track_caller]
    pub fn start() -> Self {
        let process = Process::start("bare", part("bare"));
        let line = process.line("listening on ");
        let addr = line.rsplit(' ').next().and_then(|addr| addr.parse().ok());
        Self {
            process,
            addr: addr.unwrap_or_else(|| panic!("no address in {line}")),
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// What the connections share.
#[derive(Default)]
struct Room {
    streams: RefCell<HashMap<u64, Rc<TcpStream>>>,
    next: Cell<u64>,
}

/// Plays the part, until standard input ends.
///
/// # Errors
/// There is no port or no runtime.
pub fn serve() -> io::Result<()> {
    room_for(0).map_err(io::Error::other)?;
    let mut orders = orders();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("listening on {}", listener.local_addr()?);
        tokio::select! {
            ended = accept(listener) => ended,
            // It is told nothing but the end.
            _ = orders.recv() => Ok(()),
        }
    })
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    let room = Rc::new(Room::default());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::task::spawn_local(attend(stream, Rc::clone(&room)));
    }
}

/// One connection.
async fn attend(stream: TcpStream, room: Rc<Room>) {
    let stream = Rc::new(stream);
    let number = room.next.get();
    room.next.set(number + 1);
    room.streams.borrow_mut().insert(number, Rc::clone(&stream));
    // Whatever ends it, it is over.
    drop(echo(&stream, &room).await);
    room.streams.borrow_mut().remove(&number);
}

async fn echo(stream: &TcpStream, room: &Room) -> io::Result<()> {
    loop {
        stream.readable().await?;
        let mut frame = [0; 256];
        let read = match stream.try_read(&mut frame) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => continue,
            Err(why) => return Err(why),
        };
        if let Some(header) = frame[..read].first_chunk::<HEADER>()
            && decode(header)?.0 == PUSH_ALL
        {
            let mut pushed = frame[..read].to_vec();
            pushed[13..HEADER].copy_from_slice(&PUSHED.to_be_bytes());
            for stream in room.streams.borrow().values() {
                stream.try_write(&pushed)?;
            }
        }
        stream.try_write(&frame[..read])?;
    }
}
