//! What reads bytes from outside, as plain functions that take any bytes.
//!
//! `cargo test` replays the kept inputs and tries fresh ones ([`replay`]); cargo-fuzz drives the same functions with
//! the coverage to guide it (`tests/fuzz`). A function panics when a promise is broken; that it must also end, and
//! take no more memory than the bytes it was given are worth, is seen by whoever drives it.
//!
//! This room alone knows the runtime's types: what it feeds has no other door.

use std::path::PathBuf;

pub mod admin;
mod clients;
mod configuration;
mod links;
mod messages;
pub mod mutate;
pub mod replay;
mod requests;

/// One reader of bytes.
pub struct Target {
    /// Its name, also of its folder of kept inputs.
    pub name: &'static str,
    /// Gives it some bytes.
    pub run: fn(&[u8]),
    /// Inputs that it understands, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Ends what this thread keeps from one input to the next.
    pub end: fn(),
}

/// The end of a reader that knows nothing of the inputs before.
fn nothing_kept() {}

// By name, so that a program which drives one of them consists of that one: what else there is, a fuzzer would look
// through after each input.
pub use clients::FRAMES as CLIENT_FRAME;
pub use configuration::{JSON as CONFIG_JSON, TOML as CONFIG_TOML};
pub use links::{FRAMES as LINK_FRAME, HANDSHAKE};
pub use messages::MESSAGE_PACK;
pub use requests::REQUESTS as ADMIN;

/// Bytes in pieces whose lengths are drawn from themselves, as a network delivers them.
fn pieces(mut bytes: &[u8], first: u8) -> impl Iterator<Item = &[u8]> {
    let mut size = usize::from(first);
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let (piece, rest) = bytes.split_at((1 + size % 61).min(bytes.len()));
        size = (size * 7 + usize::from(piece[0])) % 997;
        bytes = rest;
        Some(piece)
    })
}

/// A folder for short-lived files, in memory where there is such a place.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}
