//! Why a node could not start, and the exit code that says so.

use std::io;

use lampyris_runtime::config::BadCertificate;

use super::ports::PortTaken;
use crate::exit;
use crate::service::Clash;
use crate::store::StoreError;

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The configuration has no such node.
    #[error("no node is called {0}; configured are {1}")]
    NoSuchNode(String, String),
    /// A port is not to be had.
    #[error(transparent)]
    Port(#[from] PortTaken),
    /// Two handlers answer to the same.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// The shared secret is not to be had.
    #[error("the shared secret: {0}")]
    Secret(io::Error),
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    /// A hook of the app did not succeed.
    #[error("not ready: {0}")]
    App(String),
    /// The database that the configuration names is none.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its master died before anybody could know of this process.
    #[error("the master ended before it had written down that it had started this process")]
    Unknown,
    /// Something of the operating system.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
}

impl BootError {
    /// The exit code that says what it was.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NoSuchNode(..) | Self::Clash(_) | Self::Store(_) | Self::Certificate(_) => exit::CONFIG,
            Self::App(_) | Self::Unknown => exit::FAILED,
            Self::Port(_) => exit::CANTCREAT,
            Self::Secret(_) => exit::NOPERM,
            Self::System(..) => exit::OSERR,
        }
    }
}
