//! Guests: thousands of clients in a process of their own, as no process may open as many files as there are to be
//! clients. They connect, each asks for one thing and has its answer, and then they do what their host says.
//!
//! Each has a port of its own, at an address that no other process of guests has: were the system to choose, it would look for
//! one among all that are taken or were of late, which takes it longer than all else that a guest does.
//!
//! The process says `served COUNT in NANOS`; told `ask`, each guest asks once more, and told `push`, the first of them asks for a
//! push to all. It leaves when its standard input ends.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::LocalSet;

use crate::client::encode;
use crate::frames::Frames;
use crate::parts::{orders, part};
use crate::process::Process;
use crate::visitors::room_for;
use crate::wait::{PATIENCE, within};

/// The commands of the test's net node that push to all, and that of the pushed frame.
const PUSH_ALL: u32 = 8;
const PUSHED: u32 = 9000;

/// What a guest asks for, and what is pushed.
const TEXT: &str = "a text of a length that pushes have, neither long nor quite short";

/// The port of the first guest.
const FIRST_PORT: u16 = 10_000;

/// Guests that are on their way at the same time.
const AT_ONCE: usize = 128;

/// What is said to the process.
const ASK: &str = "ask";
const PUSH: &str = "push";

/// Guests in a process of their own. They leave when this is dropped.
pub struct Guests {
    process: Process,
    count: usize,
    /// How often they were told to do something.
    told: Cell<usize>,
}

impl Guests {
    /// Sends for so many; they ask for this command.
    pub fn invite(to: SocketAddr, count: usize, command: u32) -> Self {
        let mut guests = part("guests");
        guests.args([to.to_string(), count.to_string(), command.to_string()]);
        let process = Process::start(format!("{count} guests of {to}"), guests);
        let told = Cell::new(0);
        Self { process, count, told }
    }

    /// The number of their process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until all have had their first answer, and says how long after the first of them connected that was.
    ///
    /// # Panics
    /// When they have not in time.
    #[track_caller]
    pub fn served(&self) -> Duration {
        self.said("served", 1)
    }

    /// Has each guest ask once more, and says how long it took until the last had its answer.
    ///
    /// # Panics
    /// When one has no answer in time.
    #[track_caller]
    pub fn ask(&self) -> Duration {
        self.tell(ASK)
    }

    /// Has the first guest ask for a push to all, and says how long it took to reach the last of them.
    ///
    /// # Panics
    /// When it does not reach one in time.
    #[track_caller]
    pub fn push(&self) -> Duration {
        self.tell(PUSH)
    }

    #[track_caller]
    fn tell(&self, what: &str) -> Duration {
        self.told.set(self.told.get() + 1);
        self.process.say(what);
        self.said("did", self.told.get())
    }

    /// The time in the last of so many lines.
    #[track_caller]
    fn said(&self, word: &str, lines: usize) -> Duration {
        let wanted = format!("{word} {} in ", self.count);
        let said = || {
            let output = self.process.stdout();
            let nth = output
                .lines()
                .filter_map(|line| line.strip_prefix(&wanted))
                .nth(lines - 1);
            nth.and_then(|nanos| nanos.parse().ok()).map(Duration::from_nanos)
        };
        let said = within(4 * PATIENCE, || {
            self.process
                .has_ended()
                .map(|_| None)
                .or_else(|| said().map(Some))
        });
        said.flatten().unwrap_or_else(|| {
            panic!(
                "{}: no {wanted:?} in\n{}",
                self.process.label(),
                self.process.output()
            )
        })
    }
}

/// What the guests of a process share.
struct House {
    to: SocketAddr,
    count: usize,
    /// That of the next guest.
    port: Cell<u16>,
    question: Vec<u8>,
    command: u32,
    /// Frames of the kind that is waited for, since somebody began to count.
    came: Cell<usize>,
    awaited: Cell<u32>,
    all_came: Notify,
    scratch: RefCell<Vec<u8>>,
    streams: RefCell<Vec<Rc<TcpStream>>>,
    on_the_way: Semaphore,
}

/// Plays the part, until standard input ends or a guest is sent away.
///
/// # Errors
/// Not all can have their answer, or one lost its connection.
pub fn attend(to: SocketAddr, count: usize, command: u32) -> io::Result<()> {
    room_for(count).map_err(io::Error::other)?;
    let house = Rc::new(House {
        to,
        count,
        port: Cell::new(FIRST_PORT),
        question: encode(command, TEXT),
        command,
        came: Cell::new(0),
        awaited: Cell::new(command),
        all_came: Notify::new(),
        scratch: RefCell::new(vec![0; 4096]),
        streams: RefCell::default(),
        on_the_way: Semaphore::new(AT_ONCE),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let (failed, mut failure) = tokio::sync::mpsc::channel(1);
        let begin = Instant::now();
        for _ in 0..count {
            let (guest, failed) = (Rc::clone(&house), failed.clone());
            tokio::task::spawn_local(async move {
                if let Err(why) = guest.be_guest().await {
                    // Only the first matters.
                    failed.try_send(why).unwrap_or_default();
                }
            });
        }
        tokio::select! {
            why = failure.recv() => Err(why.unwrap_or_else(|| io::ErrorKind::Other.into())),
            done = house.follow_orders(begin) => done,
        }
    })
}

impl House {
    /// One guest: comes, asks, and then listens.
    async fn be_guest(&self) -> io::Result<()> {
        let coming = self.on_the_way.acquire().await.map_err(io::Error::other)?;
        let stream = Rc::new(self.socket()?.connect(self.to).await?);
        stream.set_nodelay(true)?;
        stream.try_write(&self.question)?;
        self.streams.borrow_mut().push(Rc::clone(&stream));
        let (mut frames, mut coming) = (Frames::default(), Some(coming));
        loop {
            stream.readable().await?;
            let mut scratch = self.scratch.borrow_mut();
            let read = match stream.try_read(&mut scratch) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => continue,
                Err(why) => return Err(why),
            };
            frames.take(&scratch[..read], |command| self.frame(command))?;
            // The first that came was its answer: the next may come.
            drop(coming.take());
        }
    }

    /// That of the next guest.
    fn socket(&self) -> io::Result<TcpSocket> {
        let [_, high, middle, low] = std::process::id().to_be_bytes();
        // 127.0.0.0/16 is everybody's.
        let own = Ipv4Addr::new(127, high.wrapping_add(1), middle, low);
        loop {
            let port = self.port.get();
            self.port
                .set(port.checked_add(1).ok_or(io::ErrorKind::AddrNotAvailable)?);
            let socket = TcpSocket::new_v4()?;
            match socket.bind((own, port).into()) {
                Ok(()) => return Ok(socket),
                // Somebody has it at all addresses.
                Err(why) if why.kind() == io::ErrorKind::AddrInUse => {}
                Err(why) => return Err(why),
            }
        }
    }

    fn frame(&self, command: u32) {
        if command == self.awaited.get() {
            self.came.set(self.came.get() + 1);
            if self.came.get() == self.count {
                self.all_came.notify_one();
            }
        }
    }

    async fn follow_orders(&self, begin: Instant) -> io::Result<()> {
        self.all_came.notified().await;
        println!("served {} in {}", self.count, begin.elapsed().as_nanos());
        let mut orders = orders();
        while let Some(order) = orders.recv().await {
            let begin = Instant::now();
            self.came.set(0);
            if order == PUSH {
                self.awaited.set(PUSHED);
                self.streams.borrow()[0].try_write(&encode(PUSH_ALL, TEXT))?;
            } else {
                self.awaited.set(self.command);
                for stream in self.streams.borrow().iter() {
                    stream.try_write(&self.question)?;
                }
            }
            self.all_came.notified().await;
            println!("did {} in {}", self.count, begin.elapsed().as_nanos());
        }
        Ok(())
    }
}
