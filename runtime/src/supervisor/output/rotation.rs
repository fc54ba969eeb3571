//! Puts a log that has become too large aside, under a number.
//!
//! Whoever writes to it goes on writing to the same file under its new name, until it opens the log anew: nothing
//! is lost by a rotation. Must not know who writes.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::is_at;

/// A log larger than `max_size` bytes becomes `.1`, that one `.2`, and so on up to `.keep`; what was there is
/// dropped. With `keep` 0 the log is dropped. Says whether it did so. Of several processes that try at the same
/// time, one does.
///
/// # Errors
/// A file cannot be looked at, locked, renamed or removed.
pub fn rotate(log: &Path, max_size: u64, keep: u32) -> io::Result<bool> {
    match std::fs::metadata(log) {
        Ok(file) if file.len() > max_size => {}
        Ok(_) => return Ok(false),
        Err(error) => return if_there(Err(error)).map(|()| false),
    }
    let large = File::open(log)?;
    large.lock()?;
    if !is_at(&large, log)? || large.metadata()?.len() <= max_size {
        return Ok(false);
    }
    if keep == 0 {
        std::fs::remove_file(log)?;
        return Ok(true);
    }
    // Not by a rename onto it: ext4 would write the other file to the disk before, all of it, at each rotation.
    if_there(std::fs::remove_file(numbered(log, keep)))?;
    for number in (1..keep).rev() {
        if_there(std::fs::rename(numbered(log, number), numbered(log, number + 1)))?;
    }
    std::fs::rename(log, numbered(log, 1))?;
    Ok(true)
}

/// The name of a log that has been put aside.
pub(super) fn numbered(log: &Path, number: u32) -> PathBuf {
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
