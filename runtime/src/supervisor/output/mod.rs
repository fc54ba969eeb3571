//! The log files that nodes write to: the last lines of a life, and following one for the terminal; how a file is
//! kept from growing is in [`rotation`] and [`keeper`].
//!
//! What a node writes is not trusted: lines are cut at [`MAX_LINE`] bytes and control characters escaped, so that
//! none can steer a terminal. Must not know nodes or processes.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub mod keeper;
pub mod rotation;

/// The longest line that is passed on, in bytes; the rest of a longer one is left out.
pub const MAX_LINE: usize = 4096;

/// How many last lines of a life are kept.
pub const LAST_LINES: usize = 20;

/// How often a followed file is looked at.
const POLL: Duration = Duration::from_millis(100);

/// A follower that is so many bytes behind leaves out what it has missed, so that a node that floods its log costs
/// its own disk and nobody's processor.
const MOST_BEHIND: u64 = 4 * 1024 * 1024;

/// The most that is read of a file at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Opens a log to write at its end, made with mode 0600 if it is not there.
///
/// # Errors
/// It cannot be opened.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(path)
}

/// The last lines of a life whose log was `log` at its start, from byte `start` on; `path` is where the log is now. A
/// file that has been put aside since is read before its successor. Of a long file only the end is read.
///
/// # Errors
/// A file cannot be read.
pub(super) fn last_lines(path: &Path, log: &File, start: u64) -> io::Result<Vec<String>> {
    let mut last = VecDeque::new();
    if is_at(log, path)? {
        read_last(log, start, &mut last)?;
        return Ok(last.into());
    }
    // Put aside more than once, the file before the present one is of this life as a whole.
    match File::open(rotation::numbered(path, 1)) {
        Ok(before) => {
            let start = if is_same(&before, log)? { start } else { 0 };
            read_last(&before, start, &mut last)?;
        }
        Err(_) => read_last(log, start, &mut last)?,
    }
    if let Ok(now) = File::open(path) {
        read_last(&now, 0, &mut last)?;
    }
    Ok(last.into())
}

fn read_last(log: &File, start: u64, last: &mut VecDeque<String>) -> io::Result<()> {
    let end = log.metadata()?.len();
    // Somebody emptied the file: all that is there is of this life.
    let start = if end < start { 0 } else { start };
    let most = (LAST_LINES * MAX_LINE) as u64;
    let mut at = start.max(end.saturating_sub(most));
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK];
    while at < end {
        let count = log.read_at(&mut chunk, at)?;
        if count == 0 {
            break;
        }
        at += count as u64;
        lines.take(&chunk[..count], |line| keep(last, line));
    }
    if let Some(line) = lines.rest() {
        keep(last, line);
    }
    Ok(())
}

/// Whether the name stands for this file; not if it stands for nothing.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Passes on the lines that begin in the last `bytes` bytes before byte `end` of a log, cut and escaped as everywhere.
///
/// # Errors
/// The file cannot be read. That there is none is no error.
pub fn tail(log: &Path, end: u64, bytes: u64, mut each: impl FnMut(String)) -> io::Result<()> {
    let file = match File::open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let end = file.metadata()?.len().min(end);
    let start = end.saturating_sub(bytes);
    // A line that began before is no whole line.
    let mut is_whole = start == 0;
    let mut lines = Lines::default();
    let mut take = |line: String| {
        if std::mem::replace(&mut is_whole, true) {
            each(line);
        }
    };
    let (mut at, mut chunk) = (start, vec![0; CHUNK]);
    while at < end {
        let most = CHUNK.min(usize::try_from(end - at).unwrap_or(CHUNK));
        let count = file.read_at(&mut chunk[..most], at)?;
        if count == 0 {
            break;
        }
        at += count as u64;
        lines.take(&chunk[..count], &mut take);
    }
    if let Some(line) = lines.rest() {
        take(line);
    }
    Ok(())
}

fn keep(last: &mut VecDeque<String>, line: String) {
    if last.len() == LAST_LINES {
        last.pop_front();
    }
    last.push_back(line);
}

/// Passes on the lines of a log from `start` on, as they come, until `ended` is sent or dropped and the file is
/// read to its end, or until nobody takes the lines any more. A slow taker is waited for; the file can wait too.
///
/// A file that became shorter is read from its beginning. After a rotation the new file is read, as soon as a second
/// look has found nothing more in the old one, whose writer may not have changed over at once; of a node that fills
/// several files between two looks, those between are left out. A file that cannot be read for a while is tried
/// again; nothing is lost, it is on the disk. Of a file that grows faster than it is read, only the end is passed on.
pub async fn follow(log: PathBuf, start: u64, lines: mpsc::Sender<String>, ended: oneshot::Receiver<()>) {
    let mut tail = Tail {
        log,
        file: None,
        at: start,
        replaced: false,
        lines: Lines::default(),
    };
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ended = std::pin::pin!(ended);
    let mut last_look = false;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = &mut ended, if !last_look => last_look = true,
        }
        loop {
            let Ok((back, news)) = tokio::task::spawn_blocking(move || tail.look()).await else {
                return;
            };
            tail = back;
            if news.is_empty() {
                break;
            }
            for line in news {
                if lines.send(line).await.is_err() {
                    return;
                }
            }
        }
        if last_look {
            break;
        }
    }
    if let Some(rest) = tail.lines.rest() {
        // Whoever does not take the last line does not want it.
        lines.send(rest).await.ok();
    }
}

/// A place in a log that moves on.
struct Tail {
    log: PathBuf,
    file: Option<File>,
    at: u64,
    /// The last look found nothing, and another file in the place of this one.
    replaced: bool,
    lines: Lines,
}

impl Tail {
    /// The next complete lines; none if there is nothing new.
    fn look(mut self) -> (Self, Vec<String>) {
        let mut news = Vec::new();
        // A chunk without the end of a line is no news yet; the next one may have it.
        while news.is_empty() && self.read(&mut news).is_ok_and(|count| count > 0) {}
        (self, news)
    }

    fn read(&mut self, news: &mut Vec<String>) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(File::open(&self.log)?);
        }
        let count = self.read_open(news)?;
        if count > 0
            || self
                .file
                .as_ref()
                .is_some_and(|file| is_at(file, &self.log).unwrap_or(true))
        {
            self.replaced = false;
            return Ok(count);
        }
        if !std::mem::replace(&mut self.replaced, true) {
            return Ok(0);
        }
        self.file = Some(File::open(&self.log)?);
        self.at = 0;
        self.replaced = false;
        self.read_open(news)
    }

    fn read_open(&mut self, news: &mut Vec<String>) -> io::Result<usize> {
        let Some(file) = &self.file else { return Ok(0) };
        let end = file.metadata()?.len();
        if end < self.at {
            self.at = 0;
        }
        let behind = end - self.at;
        if behind > MOST_BEHIND {
            self.at = end - CHUNK as u64;
            self.lines = Lines::default();
            news.push(format!(
                "({behind} bytes of the log are not shown: it grows too fast)"
            ));
        }
        let mut chunk = vec![0; CHUNK];
        let count = file.read_at(&mut chunk, self.at)?;
        self.at += count as u64;
        self.lines.take(&chunk[..count], |line| news.push(line));
        Ok(count)
    }
}

/// Cuts bytes into lines; holds at most [`MAX_LINE`] bytes of one that is not complete.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
    cut: bool,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = piece.strip_suffix(b"\n");
            self.hold(text.unwrap_or(piece));
            if text.is_some() {
                each(self.line());
            }
        }
    }

    fn hold(&mut self, text: &[u8]) {
        let room = MAX_LINE - self.partial.len();
        self.cut |= text.len() > room;
        self.partial.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// The line that the file ends with, if it ends in the middle of one.
    fn rest(&mut self) -> Option<String> {
        (!self.partial.is_empty()).then(|| self.line())
    }

    fn line(&mut self) -> String {
        let bytes = std::mem::take(&mut self.partial);
        let cut = std::mem::take(&mut self.cut);
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(&bytes));
        let mut line = String::with_capacity(text.len());
        for character in text.chars() {
            match character.is_control() && character != '\t' {
                true => line.extend(character.escape_default()),
                false => line.push(character),
            }
        }
        if cut {
            line.push('…');
        }
        line
    }
}

#[cfg(test)]
mod tests;
