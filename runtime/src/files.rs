//! Files that are there whole or not at all: whoever reads one has the old or the new, never half of it.
//!
//! It knows no content. Folders must be there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What a new file outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlives {
    /// The end of the process. Quick: nothing waits for the disk.
    Process,
    /// A power cut as well: this returns when the content is on the disk.
    PowerCut,
}

/// Puts a file of these bytes in the place of `path`, with this mode (as `0o600`).
///
/// # Errors
/// It cannot be written; what stood there still does.
pub fn replace(path: &Path, mode: u32, bytes: &[u8], outlives: Outlives) -> io::Result<()> {
    let draft = draft_of(path);
    let written = open_new(&draft, mode).and_then(|mut file| {
        file.write_all(bytes)?;
        match outlives {
            Outlives::Process => Ok(()),
            Outlives::PowerCut => file.sync_all(),
        }
    });
    written.and_then(|()| fs::rename(&draft, path)).inspect_err(|_| {
        // Of both errors the first one says why.
        drop(fs::remove_file(&draft));
    })
}

fn draft_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.draft-{}", std::process::id()))
}

/// Never through a link, and never into a file that somebody else has open: a draft that a process of the same number
/// has left goes first.
fn open_new(draft: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    match options.open(draft) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(draft)?;
            options.open(draft)
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        for (text, mode, outlives) in [
            ("first", 0o600, Outlives::Process),
            ("2", 0o644, Outlives::PowerCut),
        ] {
            fs::write(draft_of(&path), "left by another").unwrap();
            replace(&path, mode, text.as_bytes(), outlives).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, 0o600, b"x", Outlives::Process).is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
