//! The folder of a journal: its segments, its number, and the lock that keeps a second process out.
//!
//! | file | what it is |
//! | --- | --- |
//! | `lock` | held by the process that writes |
//! | `id` | sixteen hexadecimal digits, drawn when the folder was made; part of the owner's name in leases |
//! | `0000000000000001.journal` | a segment; the number is hexadecimal, and above all that are in the folder when it begins |
//! | `0000000000000001.spare` | what was a segment, and will be another one: its blocks are there already |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::codec::{END, HEAD, Rest, head, scan};
use crate::change::Change;

const SEGMENT: &str = "journal";
const SPARE: &str = "spare";

/// The folder, while this process has it.
pub(crate) struct Folder {
    path: PathBuf,
    id: String,
    /// Unlocked by the end of the process, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, and locks it; `None` while another process has it.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        fs::create_dir_all(path)?;
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(why)) => return Err(why),
        }
        let id = read_or_draw_id(path)?;
        Ok(Some(Self {
            path: path.to_owned(),
            id,
            _lock: lock,
        }))
    }

    /// The journal's number.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The segments and their lengths, oldest first.
    pub(crate) fn segments(&self) -> io::Result<Vec<(u64, u64)>> {
        self.numbered(SEGMENT)
    }

    /// What were segments, oldest first.
    pub(crate) fn spares(&self) -> io::Result<Vec<u64>> {
        let spares = self.numbered(SPARE)?;
        Ok(spares.into_iter().map(|(number, _)| number).collect())
    }

    fn numbered(&self, wanted: &str) -> io::Result<Vec<(u64, u64)>> {
        let mut numbered = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let path = entry.path();
            let number = path
                .file_stem()
                .and_then(|stem| u64::from_str_radix(stem.to_str()?, 16).ok());
            if let Some(number) = number.filter(|_| path.extension().is_some_and(|ending| ending == wanted)) {
                numbered.push((number, entry.metadata()?.len()));
            }
        }
        numbered.sort_unstable();
        Ok(numbered)
    }

    /// Reads all changes with the numbers of their segments, oldest first. What is behind the records of the newest
    /// segment is cut off; damage elsewhere is an error, as acknowledged changes may stand behind it.
    pub(crate) fn read(&self) -> io::Result<Vec<(u64, Change)>> {
        let segments = self.segments()?;
        let mut changes = Vec::new();
        for (at, (number, _)) in segments.iter().enumerate() {
            let path = self.path_of(*number, SEGMENT);
            let bytes = fs::read(&path)?;
            let damaged =
                |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
            let scan = scan(&bytes, *number).map_err(|why| damaged(&why))?;
            if scan.rest != Rest::None && at + 1 < segments.len() {
                return Err(damaged(&format!("damaged at byte {}", scan.whole)));
            }
            if scan.rest == Rest::Torn {
                let cut = bytes.len() - scan.whole;
                tracing::warn!(file = %path.display(), bytes = cut, "the unfinished end of the journal is cut off");
            }
            if scan.rest != Rest::None {
                let file = OpenOptions::new().write(true).open(&path)?;
                file.set_len(scan.whole as u64)?;
                file.sync_all()?;
            }
            changes.extend(scan.changes.into_iter().map(|change| (*number, change)));
        }
        Ok(changes)
    }

    /// Begins a segment; it is there, with its head, also after a loss of power.
    pub(crate) fn begin(&self, number: u64) -> io::Result<File> {
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(self.path_of(number, SEGMENT))?;
        file.write_all(&head(number))?;
        file.sync_all()?;
        self.sync()?;
        Ok(file)
    }

    /// The same with a file that was spared; also how long it is. It is none of the new number's until it has its head and the
    /// end of its records.
    pub(crate) fn begin_with(&self, spare: u64, number: u64) -> io::Result<(File, u64)> {
        // What has another head shall not have the name of a segment, also after a loss of power.
        self.sync()?;
        let path = self.path_of(spare, SPARE);
        let mut file = OpenOptions::new().write(true).open(&path)?;
        file.write_all(&[&head(number)[..], &END].concat())?;
        file.sync_all()?;
        fs::rename(path, self.path_of(number, SEGMENT))?;
        self.sync()?;
        let length = file.metadata()?.len();
        Ok((file, length))
    }

    /// Deletes what is left of an attempt at that.
    pub(crate) fn give_up(&self, spare: u64, number: u64) {
        for path in [self.path_of(spare, SPARE), self.path_of(number, SEGMENT)] {
            match fs::remove_file(&path) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%why, file = %path.display(), "a file of the journal cannot be deleted");
                }
                _ => {}
            }
        }
    }

    /// Keeps the file of a segment for another one.
    pub(crate) fn spare(&self, number: u64) -> io::Result<()> {
        fs::rename(self.path_of(number, SEGMENT), self.path_of(number, SPARE))
    }

    /// Deletes what was spared.
    pub(crate) fn remove_spare(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.path_of(number, SPARE))
    }

    /// Deletes a segment.
    pub(crate) fn remove(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.path_of(number, SEGMENT))
    }

    fn path_of(&self, number: u64, ending: &str) -> PathBuf {
        self.path.join(format!("{number:016x}.{ending}"))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Length of a segment without records.
pub(crate) const EMPTY: u64 = HEAD as u64;

fn read_or_draw_id(folder: &Path) -> io::Result<String> {
    let path = folder.join("id");
    match fs::read_to_string(&path) {
        Ok(id) if id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => return Ok(id),
        Ok(_) => tracing::warn!(file = %path.display(), "no number of a journal; another one is drawn"),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => return Err(why),
    }
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let id = format!("{:016x}", u64::from_le_bytes(bytes));
    let draft = folder.join("id.new");
    let mut file = File::create(&draft)?;
    file.write_all(id.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(id)
}
