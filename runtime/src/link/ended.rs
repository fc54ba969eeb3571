//! Why a connection ended. Plain data.

use std::io;
use std::time::Duration;

use crate::wire::{Broken, Goodbye};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The other end closed without a word: its process died, or the network cut it off.
    #[error("the other end closed the connection")]
    Eof,
    /// The other end said goodbye.
    #[error("the other end {}", match .0 { Goodbye::Stopping => "is stopping", Goodbye::Replaced => "has a newer link" })]
    Farewell(Goodbye),
    /// This end closed it.
    #[error("closed by this end: {}", match .0 { Goodbye::Stopping => "stopping", Goodbye::Replaced => "a newer link took its place" })]
    Closed(Goodbye),
    /// The other end was silent for too long.
    #[error("nothing was heard for {0:?}")]
    Silent(Duration),
    /// The other end does not read the answers to its calls.
    #[error("the other end does not read its answers")]
    Flooded,
    /// The other end sent what is no frame.
    #[error("broken framing: {0}")]
    Broken(#[from] Broken),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Ended {
    /// Whether one of the ends wanted it.
    pub(super) const fn was_orderly(&self) -> bool {
        matches!(self, Self::Farewell(_) | Self::Closed(_))
    }
}
