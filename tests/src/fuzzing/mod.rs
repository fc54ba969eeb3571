//! What reads bytes from outside, as plain functions that take any bytes.
//!
//! `cargo test` replays the kept inputs and tries fresh ones ([`replay`]); cargo-fuzz drives the same functions with
//! the coverage to guide it (`tests/fuzz`). A function panics when a promise is broken; that it must also end, and
//! take no more memory than the bytes it was given are worth, is seen by whoever drives it.
//!
//! This room alone knows the runtime's types: what it feeds has no other door.

pub mod admin;
mod clients;
mod configuration;
mod links;
mod messages;
pub mod mutate;
pub mod replay;

/// One reader of bytes.
pub struct Target {
    /// Its name, also of its folder of kept inputs.
    pub name: &'static str,
    /// Gives it some bytes.
    pub run: fn(&[u8]),
    /// Inputs that it understands, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    clients::FRAMES,
    links::FRAMES,
    links::HANDSHAKE,
    messages::MESSAGE_PACK,
    configuration::JSON,
    configuration::TOML,
];

/// The target of a name.
///
/// # Panics
/// There is none.
pub fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("no target is called {name}"))
}

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
