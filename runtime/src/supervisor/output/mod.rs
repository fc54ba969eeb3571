//! The log files that nodes write to: the last lines of a life, rotation, and following one for the terminal.
//!
//! What a node writes is not trusted: lines are cut at [`MAX_LINE`] bytes and control characters escaped, so that
//! none can steer a terminal. Must not know nodes or processes.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// The longest line that is passed on, in bytes; the rest of a longer one is left out.
pub const MAX_LINE: usize = 4096;

/// How many last lines of a life are kept.
pub const LAST_LINES: usize = 20;

/// How often a followed file is looked at.
const POLL: Duration = Duration::from_millis(100);

/// The most that is read of a file at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// The last lines of a log, none from before `start`. Of what follows `start`, only the end is read.
///
/// # Errors
/// The file cannot be read.
pub(super) fn last_lines(log: &File, start: u64) -> io::Result<Vec<String>> {
    let end = log.metadata()?.len();
    // Somebody emptied the file: all that is there is of this life.
    let start = if end < start { 0 } else { start };
    let most = (LAST_LINES * MAX_LINE) as u64;
    let mut at = start.max(end.saturating_sub(most));
    let mut lines = Lines::default();
    let mut last = VecDeque::new();
    let mut chunk = vec![0; CHUNK];
    while at < end {
        let count = log.read_at(&mut chunk, at)?;
        if count == 0 {
            break;
        }
        at += count as u64;
        lines.take(&chunk[..count], |line| keep(&mut last, line));
    }
    if let Some(line) = lines.rest() {
        keep(&mut last, line);
    }
    Ok(last.into())
}

/// The last lines of a log, cut and escaped as everywhere: those for which `wanted` says so, at most `most`, found in
/// its last `bytes` bytes. Oldest first.
///
/// # Errors
/// The file cannot be read. That there is none is no error.
pub fn tail(
    log: &Path,
    bytes: u64,
    most: usize,
    mut wanted: impl FnMut(&str) -> bool,
) -> io::Result<Vec<String>> {
    let file = match File::open(log) {
        Ok(file) => file,
        Err(error) => return if_there(Err(error)).map(|()| Vec::new()),
    };
    let end = file.metadata()?.len();
    let start = end.saturating_sub(bytes);
    // A line that began before is no whole line.
    let mut is_whole = start == 0;
    let (mut lines, mut last) = (Lines::default(), VecDeque::new());
    let mut keep = |line: String| {
        if std::mem::replace(&mut is_whole, true) && most > 0 && wanted(&line) {
            if last.len() == most {
                last.pop_front();
            }
            last.push_back(line);
        }
    };
    let (mut at, mut chunk) = (start, vec![0; CHUNK]);
    while at < end {
        let count = file.read_at(&mut chunk, at)?;
        if count == 0 {
            break;
        }
        at += count as u64;
        lines.take(&chunk[..count], &mut keep);
    }
    if let Some(line) = lines.rest() {
        keep(line);
    }
    Ok(last.into())
}

fn keep(last: &mut VecDeque<String>, line: String) {
    if last.len() == LAST_LINES {
        last.pop_front();
    }
    last.push_back(line);
}

/// Makes room for a new life: a log larger than `max_size` bytes becomes `.1`, that one `.2`, and so on up to
/// `.keep`; what was there is dropped. With `keep` 0 the log is dropped. Says whether it did so.
///
/// # Errors
/// A file cannot be looked at, renamed or removed.
pub fn rotate(log: &Path, max_size: u64, keep: u32) -> io::Result<bool> {
    match std::fs::metadata(log) {
        Ok(file) if file.len() > max_size => {}
        Ok(_) => return Ok(false),
        Err(error) => return if_there(Err(error)).map(|()| false),
    }
    if keep == 0 {
        std::fs::remove_file(log)?;
        return Ok(true);
    }
    for number in (1..keep).rev() {
        if_there(std::fs::rename(numbered(log, number), numbered(log, number + 1)))?;
    }
    std::fs::rename(log, numbered(log, 1))?;
    Ok(true)
}

fn numbered(log: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(format!(".{number}"));
    name.into()
}

fn if_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Passes on the lines of a log from `start` on, as they come, until `ended` is sent or dropped and the file is
/// read to its end, or until nobody takes the lines any more. A slow taker is waited for; the file can wait too.
///
/// A file that became shorter is read from its beginning, and after a rotation the new file is. A file that
/// cannot be read for a while is tried again; nothing is lost, it is on the disk.
pub async fn follow(log: PathBuf, start: u64, lines: mpsc::Sender<String>, ended: oneshot::Receiver<()>) {
    let mut tail = Tail {
        log,
        file: None,
        at: start,
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
        if count == 0 && self.is_replaced()? {
            self.file = Some(File::open(&self.log)?);
            self.at = 0;
            return self.read_open(news);
        }
        Ok(count)
    }

    fn read_open(&mut self, news: &mut Vec<String>) -> io::Result<usize> {
        let Some(file) = &self.file else { return Ok(0) };
        if file.metadata()?.len() < self.at {
            self.at = 0;
        }
        let mut chunk = vec![0; CHUNK];
        let count = file.read_at(&mut chunk, self.at)?;
        self.at += count as u64;
        self.lines.take(&chunk[..count], |line| news.push(line));
        Ok(count)
    }

    /// Whether the name of the log now stands for another file.
    fn is_replaced(&self) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(true) };
        let (ours, there) = (file.metadata()?, std::fs::metadata(&self.log)?);
        Ok((ours.dev(), ours.ino()) != (there.dev(), there.ino()))
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
