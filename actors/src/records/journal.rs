//! The events on disk: `events.jsonl` in the run folder, one JSON object a line, so that they outlive the master.
//!
//! A file that has grown too large becomes `events.jsonl.1`; what was there is dropped. A disk that takes no more costs
//! the lines, and is told once. Writing waits for the disk: whoever reads events must not wait for it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::events::{Event, MOST};

/// The size at which a file is put aside, in bytes.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

/// The file that is written to.
pub(super) struct Journal {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    failed: bool,
}

/// The last events that the file and the one before hold. What is no event is passed over.
pub(super) fn former(path: &Path) -> Vec<Event> {
    let files = [aside(path), path.to_owned()];
    let mut former: Vec<Event> = files.iter().flat_map(|file| read(file)).collect();
    former.drain(..former.len().saturating_sub(MOST));
    former
}

impl Journal {
    /// Opens the file, and reads the events that it and the one before hold. What is no event is passed over.
    pub(super) fn open(path: &Path) -> (Self, Vec<Event>) {
        let former = former(path);
        let mut journal = Self {
            path: path.to_owned(),
            file: None,
            size: 0,
            failed: false,
        };
        let opened = journal.reopen();
        journal.tell(opened);
        (journal, former)
    }

    pub(super) fn write(&mut self, event: &Event) {
        let written = self.append(event);
        self.tell(written);
    }

    fn append(&mut self, event: &Event) -> io::Result<()> {
        let made_room = self.make_room();
        // What cannot be put aside is written to for a while longer.
        if self.size > 2 * MAX_SIZE {
            return made_room;
        }
        if self.file.is_none() {
            self.reopen()?;
        }
        let mut line = serde_json::to_vec(event).map_err(io::Error::other)?;
        line.push(b'\n');
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(&line)
        {
            // Half of the line may be there: whoever opens the file anew ends it.
            self.file = None;
            return Err(error);
        }
        self.size += line.len() as u64;
        made_room
    }

    /// Puts a file aside that has grown too large.
    fn make_room(&mut self) -> io::Result<()> {
        if self.size <= MAX_SIZE {
            return Ok(());
        }
        fs::rename(&self.path, aside(&self.path))?;
        (self.file, self.size) = (None, 0);
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        let mut open = OpenOptions::new();
        let open = open.read(true).append(true).create(true).mode(0o600);
        let mut file = open.open(&self.path)?;
        self.size = file.metadata()?.len();
        // A master that was killed, or a disk that was full, may have left half a line.
        if self.size > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        self.file = Some(file);
        Ok(())
    }

    fn tell(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => self.failed = false,
            Err(error) if !std::mem::replace(&mut self.failed, true) => {
                tracing::error!(path = %self.path.display(), %error, "events cannot be written");
            }
            Err(_) => {}
        }
    }
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}

fn read(path: &Path) -> Vec<Event> {
    let text = fs::read(path).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::events::{EventKind, Events, News};
    use super::*;

    #[test]
    fn events_outlive_the_master_and_half_lines_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let (mut journal, former) = Journal::open(&path);
        assert_eq!(former, []);
        let mut events = Events::new(former);
        let first = events
            .add(News::new(EventKind::Action, "restart").node("gate").by("ops"), 5)
            .clone();
        journal.write(&first);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"seq\": 2, \"at_").unwrap();
        let (mut journal, former) = Journal::open(&path);
        assert_eq!(former, std::slice::from_ref(&first));
        let second = Events::new(former)
            .add(News::new(EventKind::Exit, "gone"), 6)
            .clone();
        journal.write(&second);
        assert_eq!(Journal::open(&path).1, [first, second]);
    }

    #[test]
    fn a_large_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let (mut journal, _) = Journal::open(&path);
        let mut events = Events::new(Vec::new());
        journal.size = MAX_SIZE + 1;
        journal.write(events.add(News::new(EventKind::Config, "a"), 1));
        journal.write(events.add(News::new(EventKind::Config, "b"), 2));
        assert!(aside(&path).exists());
        assert_eq!(Journal::open(&path).1.len(), 2);
    }

    #[test]
    fn a_large_file_that_cannot_be_put_aside_is_written_to_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::create_dir_all(aside(&path).join("in the way")).unwrap();
        let (mut journal, _) = Journal::open(&path);
        let mut events = Events::new(Vec::new());
        journal.size = MAX_SIZE + 1;
        journal.write(events.add(News::new(EventKind::Config, "a"), 1));
        assert!(journal.failed, "it is told");
        journal.size = 2 * MAX_SIZE + 1;
        journal.write(events.add(News::new(EventKind::Config, "b"), 2));
        assert_eq!(read(&path).len(), 1, "without end it does not grow");
        fs::remove_dir_all(aside(&path)).unwrap();
        journal.write(events.add(News::new(EventKind::Config, "c"), 3));
        assert!(!journal.failed);
        assert_eq!(former(&path).len(), 2);
    }

    #[test]
    fn after_a_line_that_could_not_be_written_the_file_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let (mut journal, _) = Journal::open(&path);
        let mut events = Events::new(Vec::new());
        // A disk that takes half a line and no more.
        fs::write(&path, "{\"seq\": 7, \"at_").unwrap();
        journal.file = Some(OpenOptions::new().read(true).open(&path).unwrap());
        journal.write(events.add(News::new(EventKind::Config, "a"), 1));
        assert!(journal.failed, "it is told");
        journal.write(events.add(News::new(EventKind::Config, "b"), 2));
        assert!(!journal.failed);
        assert_eq!(read(&path).len(), 1, "the next line is whole");
    }
}
