//! The text that a master has applied, kept in its run folder for the nodes that it starts: a file that somebody is
//! just writing is nothing that a crashed node should start with.
//!
//! It knows neither masters nor nodes, only where the copy lies and how it gets there whole.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Config;

/// Where the copy lies.
pub fn applied_copy(run_dir: &Path) -> PathBuf {
    run_dir.join("applied.config")
}

/// Keeps the text of a configuration, for its owner alone. It is written aside and renamed, so that whoever reads it
/// has the old one or the new one.
///
/// # Errors
/// The run folder cannot be written to.
pub fn keep_applied(config: &Config) -> io::Result<()> {
    let copy = applied_copy(&config.run_dir);
    let draft = copy.with_extension("config.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(config.source_text().as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, &copy)
}
