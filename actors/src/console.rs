//! Lines for the person or program at the other end of standard output and standard error.
//!
//! A terminal may be stopped (Ctrl-S), a pager may not be read on, an ssh session may be dead: then a write blocks
//! for as long as it likes. A process that only prints can wait; the master writes by a [`Console`].

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use clap::ValueEnum;

/// When text has colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR or TERM=dumb says otherwise
    #[default]
    Auto,
    /// Whatever reads it
    Always,
    /// On no account
    Never,
}

impl Colour {
    /// Whether text has colours for a reader that is a `terminal` or none.
    pub(crate) fn applies(self, terminal: bool) -> bool {
        let unwanted = || {
            std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
                || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
        };
        match self {
            Self::Auto => terminal && !unwanted(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// A colour of text on a terminal; which ones those are is the terminal's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    BrightCyan,
    /// Not a colour: less than the rest.
    Dim,
}

impl Paint {
    /// Colours of nodes' names, in turn.
    pub(crate) const NAMES: [Self; 6] = [
        Self::Cyan,
        Self::Magenta,
        Self::Blue,
        Self::Yellow,
        Self::Green,
        Self::BrightCyan,
    ];

    /// The text in this colour, if colours are `wanted`.
    pub(crate) fn paint(self, text: &str, wanted: bool) -> String {
        let number = match self {
            Self::Dim => 2,
            Self::Red => 31,
            Self::Green => 32,
            Self::Yellow => 33,
            Self::Blue => 34,
            Self::Magenta => 35,
            Self::Cyan => 36,
            Self::BrightCyan => 96,
        };
        match wanted {
            true => format!("\x1b[{number}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Lines that may wait for a slow terminal; more are left out, and counted.
const WAITING: usize = 4096;

/// Prints a result. A reader that is gone is no reason to fail.
pub(crate) fn print_line(text: &str) {
    drop(std::io::Write::write_fmt(
        &mut std::io::stdout(),
        format_args!("{text}\n"),
    ));
}

/// Prints a message.
pub(crate) fn eprint_line(text: &str) {
    drop(std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!("{text}\n"),
    ));
}

/// Standard output and standard error behind a bounded queue and a thread of their own. Cheap to clone; writing to
/// it never waits.
#[derive(Clone)]
pub(crate) struct Console {
    lines: SyncSender<Line>,
    waiting: Arc<AtomicU64>,
    left_out: Arc<AtomicU64>,
}

enum Line {
    Out(String),
    Err(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Console {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (lines, queue) = sync_channel(WAITING);
        let (waiting, left_out) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let console = Self {
            lines,
            waiting: Arc::clone(&waiting),
            left_out: Arc::clone(&left_out),
        };
        let writer = std::thread::Builder::new().name("console".into());
        writer.spawn(move || write_all(&queue, &waiting, &left_out))?;
        Ok(console)
    }

    /// One that nobody reads.
    pub(crate) fn unread() -> Self {
        let (lines, _) = sync_channel(1);
        Self {
            lines,
            waiting: Arc::default(),
            left_out: Arc::default(),
        }
    }

    /// A line for standard output.
    pub(crate) fn out(&self, text: String) {
        self.send(Line::Out(text));
    }

    /// A line for standard error of which there may be very many; they take half of the queue at most.
    pub(crate) fn minor(&self, text: &str) {
        if self.waiting.load(Ordering::Relaxed) > WAITING as u64 / 2 {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        } else {
            self.send(Line::Err(format!("{text}\n").into_bytes()));
        }
    }

    /// Waits until everything before is written, for a bounded time.
    pub(crate) fn flush(&self, patience: Duration) {
        let (written, wait) = sync_channel(1);
        self.send(Line::Flush(written));
        // Written, left out for want of room, or too slow: the end does not wait for a terminal.
        wait.recv_timeout(patience).unwrap_or(());
    }

    fn send(&self, line: Line) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.lines.try_send(line).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The writer of a log: whole lines for standard error.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(Line::Err(bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(queue: &Receiver<Line>, waiting: &AtomicU64, left_out: &AtomicU64) {
    while let Ok(line) = queue.recv() {
        waiting.fetch_sub(1, Ordering::Relaxed);
        match line {
            Line::Out(text) => print_line(&text),
            Line::Err(bytes) => io::stderr().write_all(&bytes).unwrap_or(()),
            Line::Flush(written) => written.send(()).unwrap_or(()),
        }
        match left_out.swap(0, Ordering::Relaxed) {
            0 => {}
            lines => eprint_line(&format!(
                "({lines} lines were left out: nobody read them in time)"
            )),
        }
    }
}
