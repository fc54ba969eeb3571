//! The life of a node's process: bind, start the services, dial, say ready, serve, drain, end.

use std::io;
use std::sync::Arc;

use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::link::Identity;
use lampyris_runtime::name::{Incarnation, NodeName};
use lampyris_runtime::sockets::{self, Listeners};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::control::Cause;
use super::ports::{PortTaken, configured, take_or_bind};
use super::running::Running;
use crate::app::App;
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
            Self::NoSuchNode(..) | Self::Clash(_) => 78,
            Self::App(_) => 1,
            Self::Port(_) => 73,
            Self::Secret(_) => 77,
            Self::System(..) => 71,
        }
    }
}

/// Runs a node until it is asked to stop; gives its exit code. Must run inside an actix system.
///
/// # Errors
/// [`BootError`] when it could not start.
pub async fn boot(config: Arc<Config>, name: &str, app: App) -> Result<u8, BootError> {
    let mut signals = Signals::new().map_err(|why| BootError::System("signal handlers", why))?;
    let Some(own) = config.node(name).cloned() else {
        let names: Vec<_> = config.nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(BootError::NoSuchNode(name.to_owned(), names.join(", ")));
    };
    let (stop, mut stopping) = mpsc::channel(8);
    let (mut running, node) = Running::start(&config, own, app, stop).await?;
    let cause = tokio::select! {
        cause = stopping.recv() => cause.unwrap_or(Cause::Asked("itself")),
        name = signals.next() => Cause::Asked(name),
    };
    let code = match &cause {
        Cause::Refused { code, text } => {
            tracing::error!(why = %text, "this node may not join");
            *code
        }
        Cause::Asked(by) => {
            tracing::info!(by, "stopping");
            0
        }
        Cause::MasterLost => {
            tracing::warn!("the master is gone; stopping");
            0
        }
    };
    tokio::select! {
        () = running.stop(&node) => Ok(code),
        // A second signal means now.
        _ = signals.next() => Ok(130),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The ports of a node, bound before anything else, so that a taken one is found first. A master hands them to
/// the nodes that it starts, so that they stay open when a node dies.
pub(super) fn open_ports(own: &NodeConfig) -> Result<Listeners, BootError> {
    let mut given = sockets::inherited().unwrap_or_else(|error| {
        tracing::warn!(%error, "standard input cannot be read for listening sockets");
        Listeners::new()
    });
    let mut open = Listeners::new();
    for (key, ip, port) in configured(own) {
        open.insert(
            key.to_owned(),
            take_or_bind(&mut given, &own.name, key, ip, port)?,
        );
    }
    Ok(open)
}

/// Who this process is, for its links.
pub(crate) fn identity(name: NodeName) -> Result<Identity, BootError> {
    let incarnation =
        Incarnation::draw().map_err(|why| BootError::System("random bytes", io::Error::other(why)))?;
    Ok(Identity {
        name,
        incarnation,
        pid: std::process::id(),
    })
}
