//! Keeps the log files of this process from growing: a thread looks at their sizes, puts large ones aside, and
//! changes over to a new file; also when somebody else, such as logrotate, has renamed or removed one.
//!
//! A file that is this process's standard output or standard error is changed over by dup2(2), which takes effect
//! between two writes of whatever thread or library: no line is lost or torn, `println!` included. For that no
//! signal and no master is needed. Must not know what is written.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::rotation::rotate;
use super::{is_at, open};

/// How soon the files are looked at again after something was written. What is written between two looks a file may be
/// larger than it should.
const LOOK: Duration = Duration::from_millis(100);

/// How soon at the latest: the pause doubles up to this while nothing is written, as each waking costs an idle node more
/// than the look itself.
const LONGEST_LOOK: Duration = Duration::from_millis(800);

/// Enough for a line about a file that cannot be renamed.
const STACK: usize = 256 * 1024;

/// A log file of this process.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Opened(LogWriter),
    Streams { out: bool, err: bool },
}

/// Writes to a log file, whichever stands under its name. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogWriter(Arc<Mutex<File>>);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogFile {
    /// Opens a log file to write at its end, made with mode 0600 if it is not there.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<(Self, LogWriter)> {
        let writer = LogWriter(Arc::new(Mutex::new(open(path)?)));
        let log = Self {
            path: path.to_owned(),
            place: Place::Opened(writer.clone()),
        };
        Ok((log, writer))
    }

    /// The log file that whoever has started this process has made its standard output or standard error; `None` if
    /// they lead elsewhere.
    pub fn of_streams(path: &Path) -> Option<Self> {
        let is_there = |stream: &dyn AsFd| {
            let copy = stream.as_fd().try_clone_to_owned().map(File::from);
            copy.and_then(|file| is_at(&file, path)).unwrap_or(false)
        };
        let (out, err) = (is_there(&io::stdout()), is_there(&io::stderr()));
        (out || err).then(|| Self {
            path: path.to_owned(),
            place: Place::Streams { out, err },
        })
    }

    /// Which file stands under the name, and how large it is; `None` if there is none.
    fn seen(&self) -> Option<(u64, u64, u64)> {
        let found = self.path.metadata().ok()?;
        Some((found.dev(), found.ino(), found.len()))
    }

    /// Puts the file aside if it is too large, and changes over if another one stands under its name, or none.
    fn look(&self, max_size: u64, keep: u32) -> io::Result<()> {
        rotate(&self.path, max_size, keep)?;
        match &self.place {
            Place::Opened(writer) => {
                let mut file = writer.0.lock().unwrap_or_else(PoisonError::into_inner);
                if !is_at(&file, &self.path)? {
                    *file = open(&self.path)?;
                }
            }
            Place::Streams { out, err } => {
                let now = if *err {
                    io::stderr().as_fd().try_clone_to_owned()
                } else {
                    io::stdout().as_fd().try_clone_to_owned()
                };
                if is_at(&File::from(now?), &self.path)? {
                    return Ok(());
                }
                let new = open(&self.path)?;
                if *out {
                    rustix::stdio::dup2_stdout(&new)?;
                }
                if *err {
                    rustix::stdio::dup2_stderr(&new)?;
                }
            }
        }
        Ok(())
    }
}

/// Starts the thread that keeps these files below `max_size` bytes each, with `keep` older ones beside them. It also
/// calls `look`, each time that it looks. It goes on as long as the process does.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    logs: Vec<LogFile>,
    max_size: u64,
    keep: u32,
    mut look: impl FnMut() + Send + 'static,
) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("log".into()).stack_size(STACK);
    thread.spawn(move || {
        let (mut failed, mut pause, mut seen) = (false, LOOK, Vec::new());
        loop {
            std::thread::park_timeout(pause);
            let before = std::mem::replace(&mut seen, logs.iter().map(LogFile::seen).collect());
            if before == seen && !failed {
                pause = (pause * 2).min(LONGEST_LOOK);
                look();
                continue;
            }
            pause = LOOK;
            let mut error = None;
            for log in &logs {
                error = log.look(max_size, keep).err().or(error);
            }
            // Once, not several times a second.
            if let Some(error) = error.as_ref().filter(|_| !failed) {
                tracing::warn!(%error, "the log cannot be rotated");
            }
            failed = error.is_some();
            look();
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(path: &Path) -> usize {
        std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
    }

    #[test]
    fn a_large_log_is_put_aside_and_no_line_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("game1.log");
        let (log, mut writer) = LogFile::open(&path).unwrap();
        for number in 0..100 {
            writeln!(writer, "line {number}").unwrap();
            log.look(100, 50).unwrap();
        }
        let aside = (1..=50).map(|number| super::super::rotation::numbered(&path, number));
        assert_eq!(
            lines_of(&path) + aside.map(|path| lines_of(&path)).sum::<usize>(),
            100
        );
        assert!(lines_of(&path) < 15);
    }

    #[test]
    fn a_log_that_somebody_has_renamed_or_removed_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("game1.log");
        let (log, mut writer) = LogFile::open(&path).unwrap();
        let aside = folder.path().join("game1.log-yesterday");
        std::fs::rename(&path, &aside).unwrap();
        writer.write_all(b"still in the old one\n").unwrap();
        log.look(1000, 5).unwrap();
        writer.write_all(b"new\n").unwrap();
        assert_eq!((lines_of(&aside), lines_of(&path)), (1, 1));
        std::fs::remove_file(&path).unwrap();
        log.look(1000, 5).unwrap();
        writer.write_all(b"newer\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "newer\n");
    }

    #[test]
    fn streams_that_lead_elsewhere_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("game1.log");
        assert!(LogFile::of_streams(&path).is_none());
        File::create(&path).unwrap();
        assert!(LogFile::of_streams(&path).is_none());
    }
}
