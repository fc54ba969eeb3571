//! The text that a master has applied, kept in its run folder for the nodes that it starts: a file that somebody is
//! just writing is nothing that a crashed node should start with.
//!
//! It knows neither masters nor nodes, only where the copy lies and how it gets there whole.

use std::io;
use std::path::{Path, PathBuf};

use super::Config;
use crate::files::{self, Outlives};

/// Where the copy lies.
pub fn applied_copy(run_dir: &Path) -> PathBuf {
    run_dir.join("applied.config")
}

/// Keeps the text of a configuration, for its owner alone.
///
/// # Errors
/// The run folder cannot be written to.
pub fn keep_applied(config: &Config) -> io::Result<()> {
    let text = config.source_text().as_bytes();
    files::replace(&applied_copy(&config.run_dir), 0o600, text, Outlives::PowerCut)
}
