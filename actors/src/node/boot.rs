//! The life of a node's process: bind, start the services, dial, say ready, serve, drain, end.

use std::io;
use std::sync::Arc;

use lampyris_runtime::config::Config;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::control::{BY_MASTER, Cause};
use super::error::BootError;
use super::running::Running;
use crate::app::App;
use crate::exit;
use crate::logging::{LogLevel, Lost};
use crate::system::Busy;

/// What of its process a node tells and sets.
pub(crate) struct Process {
    /// The level of its log, which a reload may change.
    pub(crate) log: LogLevel,
    /// What its log lacks.
    pub(crate) lost: Lost,
    /// For how long its thread has had something to do.
    pub(crate) busy: Busy,
}

/// Runs a node until it is asked to stop; gives its exit code. Must run inside an actix system.
///
/// # Errors
/// [`BootError`] when it could not start.
pub(crate) async fn boot(
    config: Arc<Config>,
    name: &str,
    app: App,
    process: Process,
) -> Result<u8, BootError> {
    let mut signals = Signals::new().map_err(|why| BootError::System("signal handlers", why))?;
    let Some(own) = config.node(name).cloned() else {
        let names: Vec<_> = config.nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(BootError::NoSuchNode(name.to_owned(), names.join(", ")));
    };
    let (stop, mut stopping) = mpsc::channel(8);
    let started = tokio::select! {
        started = Running::start(&config, own, app, process, stop) => Ok(started?),
        // Nobody has been served yet, so nothing is to be ended in order.
        cause = next_cause(&mut stopping, &mut signals) => Err(cause),
    };
    let (mut running, node) = match started {
        Ok(started) => started,
        Err(cause) => return Ok(exit_code(&cause)),
    };
    let cause = tokio::select! {
        cause = next_cause(&mut stopping, &mut signals) => cause,
        error = running.take_place(&node) => return Err(error),
    };
    let code = exit_code(&cause);
    tokio::select! {
        in_order = running.stop(&node) => Ok(if in_order { code } else { exit::FAILED.max(code) }),
        () = signals.insist(&cause) => Ok(exit::INSISTED),
    }
}

/// The next reason to end.
async fn next_cause(stopping: &mut mpsc::Receiver<Cause>, signals: &mut Signals) -> Cause {
    tokio::select! {
        cause = stopping.recv() => cause.unwrap_or(Cause::Asked("itself")),
        name = signals.next() => Cause::Asked(name),
    }
}

/// The exit code that a reason leads to; and a line in the log.
fn exit_code(cause: &Cause) -> u8 {
    match cause {
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

    /// A second signal means now. The first one after the master has asked by the link does not: it is that of the
    /// next master, which cannot know what this node was told.
    async fn insist(&mut self, cause: &Cause) {
        if matches!(cause, Cause::Asked(by) if *by == BY_MASTER) {
            self.next().await;
        }
        self.next().await;
    }
}
