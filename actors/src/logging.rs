//! Where a process writes its log, and how a line looks.
//!
//! A node writes to standard error, which under a master is its file in the run folder; the master writes to a
//! file of its own, and warnings to the terminal. The key `log` of a node or master names one more file, for
//! errors alone, as in Firefly. The files are kept from growing while they are written.
//!
//! A log that cannot be written, because the disk is full, costs the lines, which are counted, and nothing else.
//! What is logged at once is one line, whatever stands in it: a text of somebody else's cannot forge another.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::console::Console;
use lampyris_runtime::config::{Config, LogFormat, make_run_dir};
use lampyris_runtime::supervisor::output::keeper::{self, LogFile};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, reload};

/// Whoever tells of each request that is no HTTP, as an error and without a limit: strangers would write the log.
const GARBLED: &str = "actix_http::h1::dispatcher";

type Output = Box<dyn Layer<Registry> + Send + Sync>;

/// The level of the log, which a reload may change. Clones are of one log.
#[derive(Clone)]
pub(crate) struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// The level of a log that is written nowhere.
    ///
    /// # Errors
    /// The level is no filter.
    pub(crate) fn unheard(level: &str) -> io::Result<Self> {
        let (_, handle) = reload::Layer::new(filter(level)?);
        Ok(Self(handle))
    }

    /// Lets through what this level or filter says, which has passed the checks of the configuration.
    pub(crate) fn set(&self, level: &str) {
        let set = filter(level).and_then(|filter| self.0.reload(filter).map_err(io::Error::other));
        if let Err(error) = set {
            tracing::error!(%error, "the level of the log stays as it was");
        }
    }
}

/// A log that has been started.
pub(crate) struct Log {
    pub(crate) level: LogLevel,
    pub(crate) lost: Lost,
}

/// How many lines of this process's log could not be written. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lost(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    all: AtomicU64,
    /// Those of which the log does not tell yet.
    untold: AtomicU64,
}

impl Lost {
    /// Since the start of the process.
    pub(crate) fn lines(&self) -> u64 {
        self.0.all.load(Ordering::Relaxed)
    }

    fn add(&self) {
        self.0.all.fetch_add(1, Ordering::Relaxed);
        self.0.untold.fetch_add(1, Ordering::Relaxed);
    }

    /// Has the log tell of the lines that it lacks; if that is lost as well, another time.
    fn tell(&self) {
        let untold = self.0.untold.swap(0, Ordering::Relaxed);
        if untold == 0 {
            return;
        }
        let before = self.lines();
        tracing::warn!(
            lines = untold,
            "lines of this log are lost: they could not be written"
        );
        if self.lines() != before {
            // Not counted itself.
            self.0.all.fetch_sub(1, Ordering::Relaxed);
            self.0.untold.fetch_add(untold - 1, Ordering::Relaxed);
        }
    }
}

/// What the log of a process consists of, until it is started.
struct Outputs<'a> {
    config: &'a Config,
    all: Vec<Output>,
    files: Vec<LogFile>,
    lost: Lost,
}

/// Starts the log of this process: of the master if there is a console, else of a node.
///
/// # Errors
/// A file cannot be opened, or the level is no filter.
pub(crate) fn start(
    config: &Config,
    role: &str,
    errors: Option<&Path>,
    console: Option<Console>,
) -> io::Result<Log> {
    make_run_dir(&config.run_dir)?;
    let (level, handle) = reload::Layer::new(filter(&config.log.level)?);
    let mut outputs = Outputs {
        config,
        all: Vec::new(),
        files: Vec::new(),
        lost: Lost::default(),
    };
    let own = config.log.dir.join(format!("{role}.log"));
    if let Some(console) = console {
        outputs.file(&own, level)?;
        let console = BoxMakeWriter::new(move || console.clone());
        outputs.all.push(output(config, console, LevelFilter::WARN));
    } else if config.log.terminal || !io::stderr().is_terminal() {
        outputs.files.extend(LogFile::of_streams(&own));
        outputs.writer(io::stderr, level);
    } else {
        outputs.file(&own, level)?;
    }
    if let Some(path) = errors {
        outputs.file(path, LevelFilter::ERROR)?;
    }
    Ok(Log {
        level: LogLevel(handle),
        lost: outputs.start()?,
    })
}

impl Outputs<'_> {
    fn file<F>(&mut self, path: &Path, filter: F) -> io::Result<()>
    where
        F: tracing_subscriber::layer::Filter<Registry> + Send + Sync + 'static,
    {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let opened = LogFile::open(path);
        let (file, writer) =
            opened.map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", path.display())))?;
        self.files.push(file);
        self.writer(move || writer.clone(), filter);
        Ok(())
    }

    fn writer<W, F>(&mut self, make: impl Fn() -> W + Send + Sync + 'static, filter: F)
    where
        W: Write,
        F: tracing_subscriber::layer::Filter<Registry> + Send + Sync + 'static,
    {
        let (lost, torn) = (self.lost.clone(), Arc::<AtomicBool>::default());
        let writer = BoxMakeWriter::new(move || Counted {
            to: make(),
            lost: lost.clone(),
            torn: Arc::clone(&torn),
        });
        self.all.push(output(self.config, writer, filter));
    }

    fn start(self) -> io::Result<Lost> {
        tracing_subscriber::registry()
            .with(self.all)
            .try_init()
            .map_err(io::Error::other)?;
        let (log, lost) = (&self.config.log, self.lost.clone());
        keeper::start(self.files, log.max_size, log.max_files, move || lost.tell())?;
        Ok(self.lost)
    }
}

/// Writes lines, and counts those that cannot be written.
struct Counted<W> {
    to: W,
    lost: Lost,
    /// A line was written in part.
    torn: Arc<AtomicBool>,
}

impl<W: Write> Write for Counted<W> {
    /// Takes a whole line, in any case.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = one_line(line);
        if self.torn.load(Ordering::Relaxed) {
            if self.to.write_all(b"\n").is_err() {
                self.lost.add();
                return Ok(line.len());
            }
            self.torn.store(false, Ordering::Relaxed);
        }
        let mut left = &*text;
        while !left.is_empty() {
            match self.to.write(left) {
                Ok(count) if count > 0 => left = &left[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => {
                    self.lost.add();
                    self.torn.store(left.len() < text.len(), Ordering::Relaxed);
                    break;
                }
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The line with its breaks, but for that at its end, as `\n` and `\r`.
fn one_line(line: &[u8]) -> Cow<'_, [u8]> {
    let (body, end) = match line {
        [body @ .., b'\n'] => (body, &b"\n"[..]),
        _ => (line, &b""[..]),
    };
    if !body.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Cow::Borrowed(line);
    }
    let mut whole = Vec::with_capacity(line.len() + 16);
    for byte in body {
        match byte {
            b'\n' => whole.extend_from_slice(b"\\n"),
            b'\r' => whole.extend_from_slice(b"\\r"),
            byte => whole.push(*byte),
        }
    }
    whole.extend_from_slice(end);
    Cow::Owned(whole)
}

fn output<F>(config: &Config, writer: BoxMakeWriter, filter: F) -> Output
where
    F: tracing_subscriber::layer::Filter<Registry> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .log_internal_errors(false);
    let filter = filter.and(filter_fn(|line| line.target() != GARBLED));
    match config.log.format {
        LogFormat::Human => lines.with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    }
}

fn filter(level: &str) -> io::Result<EnvFilter> {
    EnvFilter::try_new(level).map_err(|why| io::Error::other(format!("log.level: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so much room.
    struct Disk(Vec<u8>, usize);

    impl Write for &mut Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1 - self.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = &bytes[..bytes.len().min(room)];
            self.0.extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_for_which_there_is_no_room_are_counted_and_the_next_begins_a_line() {
        let (lost, torn) = (Lost::default(), Arc::<AtomicBool>::default());
        let mut disk = Disk(Vec::new(), 8);
        let write = |disk: &mut Disk, line: &str| {
            let (lost, torn) = (lost.clone(), Arc::clone(&torn));
            Counted { to: disk, lost, torn }
                .write_all(line.as_bytes())
                .unwrap();
        };
        for line in ["one\n", "second\n", "third\n"] {
            write(&mut disk, line);
        }
        assert_eq!(lost.lines(), 2);
        disk.1 = 100;
        write(&mut disk, "fourth\n");
        assert_eq!(disk.0, b"one\nseco\nfourth\n");
        assert_eq!(lost.lines(), 2);
    }

    #[test]
    fn what_is_logged_at_once_is_one_line() {
        assert_eq!(*one_line(b"plain\n"), *b"plain\n");
        assert_eq!(*one_line(b"a\nERROR forged\r\n\n"), *b"a\\nERROR forged\\r\\n\n");
        assert_eq!(*one_line(b"no end"), *b"no end");
        assert_eq!(*one_line(b"\n"), *b"\n");
        assert_eq!(*one_line(b""), *b"");
    }
}
