//! The documents of the repository as text: what is prose in them, and what is code.
//!
//! It must not know what they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::command;
use crate::programs;

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of one of its files.
///
/// # Panics
/// When it cannot be read.
pub fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Path and text of every document.
///
/// # Panics
/// When one cannot be read.
pub fn documents() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in [".", "docs", "docs/decisions"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "md") {
                let text = fs::read_to_string(&path).expect("a document");
                found.push((path, text));
            }
        }
    }
    found
}

/// Language and text of each block of code.
///
/// # Panics
/// When a block has no lines.
pub fn blocks(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("\n```").skip(1).step_by(2);
    parts
        .map(|part| part.split_once('\n').expect("a block has lines"))
        .collect()
}

/// The blocks in a language.
///
/// # Panics
/// As [`blocks`].
pub fn blocks_of<'a>(text: &'a str, wanted: &str) -> Vec<&'a str> {
    let blocks = blocks(text).into_iter();
    blocks
        .filter(|(language, _)| *language == wanted)
        .map(|(_, block)| block)
        .collect()
}

/// The text without its blocks of code.
pub fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

/// A command line of the demo, without what the caller's environment says of a cluster.
pub fn demo(args: &[&str], folder: &Path) -> Command {
    let mut command = command(programs::demo());
    command.args(args).current_dir(folder);
    command
        .env_remove("LAMPYRIS_CONFIG")
        .env_remove("LAMPYRIS_ADMIN_TOKEN");
    command
}
