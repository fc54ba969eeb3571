//! Why a node could not start, and the exit code that says so.

use std::io;

use lampyris_runtime::config::BadCertificate;

use super::ports::PortTaken;
use crate::service::Clash;

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
    /// Something of the operating system.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
}

impl BootError {
    /// The exit code that says what it was.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NoSuchNode(..) | Self::Clash(_) | Self::Certificate(_) => 78,
            Self::App(_) => 1,
            Self::Port(_) => 73,
            Self::Secret(_) => 77,
            Self::System(..) => 71,
        }
    }
}
