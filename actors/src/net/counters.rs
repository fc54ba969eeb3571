//! What happened at the port since the node started, in numbers for the admin and the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use lampyris_runtime::packet::Refused;
use serde::Serialize;

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $name:literal;)*) => {
        /// Why a connection ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $reason,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)*];

            /// The name in logs and metrics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$reason => $name,)* }
            }
        }
    };
}

reasons! {
    /// The client ended it, after a whole frame.
    Left = "left";
    /// The client ended it inside a frame.
    Truncated = "truncated";
    /// The system reported an error, such as a reset.
    Lost = "lost";
    /// [`Session::kick`](super::Session::kick) was called.
    Kicked = "kicked";
    /// The client did not take what was sent to it.
    SlowReader = "slow_reader";
    /// A frame took too long to arrive.
    SlowFrame = "slow_frame";
    /// No frame came for as long as is configured.
    Idle = "idle";
    /// A frame began with other bytes than the configured ones.
    BadHead = "bad_head";
    /// A frame was of another version.
    BadVersion = "bad_version";
    /// A frame had a length that cannot be.
    BadLength = "bad_length";
    /// A frame was over the limit.
    TooLarge = "too_large";
    /// TLS was expected, and the client spoke none, or none that holds.
    BadTls = "bad_tls";
    /// A call failed, and the configuration says that this ends the connection.
    CallFailed = "call_failed";
    /// The node stopped.
    Stopped = "stopped";
    /// The connection's task ended by a fault of its own.
    Broken = "broken";
}

impl From<Refused> for Reason {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::BadHead => Self::BadHead,
            Refused::BadVersion => Self::BadVersion,
            Refused::BadLength { .. } => Self::BadLength,
            Refused::TooLarge { .. } => Self::TooLarge,
        }
    }
}

/// Counters of one port. They only grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: Counter,
    pub(super) rejected_full: Counter,
    pub(super) rejected_socket: Counter,
    pub(super) accept_errors: Counter,
    pub(super) late_answers: Counter,
    pub(super) dropped_pushes: Counter,
    closed: [Counter; Reason::ALL.len()],
}

impl Counters {
    /// A connection ended.
    pub(super) fn closed(&self, reason: Reason) {
        self.closed[reason as usize].add();
    }

    pub(super) fn snapshot(&self) -> CountersSnapshot {
        CountersSnapshot {
            accepted: self.accepted.get(),
            rejected_full: self.rejected_full.get(),
            rejected_socket: self.rejected_socket.get(),
            accept_errors: self.accept_errors.get(),
            late_answers: self.late_answers.get(),
            dropped_pushes: self.dropped_pushes.get(),
            closed: Reason::ALL
                .iter()
                .map(|reason| (reason.name(), self.closed[*reason as usize].get()))
                .collect(),
        }
    }
}

/// One number that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a node's port at one moment, since the node started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CountersSnapshot {
    /// Connections that got a session.
    pub accepted: u64,
    /// Connections that were closed at once because there were as many as allowed.
    pub rejected_full: u64,
    /// Connections that were gone before they could be set up.
    pub rejected_socket: u64,
    /// Times that the system gave no connection, for instance because the process has too many open files.
    pub accept_errors: u64,
    /// Answers that came after their call had ended, by its deadline or with its client; they were dropped.
    pub late_answers: u64,
    /// Pushes to clients that were gone, or that did not take what was sent before.
    pub dropped_pushes: u64,
    /// Connections that ended, by the name of the [`Reason`].
    pub closed: Vec<(&'static str, u64)>,
}

impl CountersSnapshot {
    /// How many connections ended for this reason.
    pub fn closed(&self, reason: Reason) -> u64 {
        self.closed.get(reason as usize).map_or(0, |(_, count)| *count)
    }
}
