//! The thread through one client request: which trace a call belongs to, and which span of it makes the call.
//!
//! Most calls have none, and cost nothing. It rides beside the call, never in the message.

use std::time::Instant;

/// The place of a call in a distributed trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The trace: 128 random bits, never 0.
    pub trace: u128,
    /// The span that makes the call; 0 for the first of a trace.
    pub span: u64,
}

/// A traced call as this process has received it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traced {
    /// Its place in the trace.
    pub context: Context,
    /// When it was here, to tell its time in queues from that of its handler.
    pub since: Instant,
}
