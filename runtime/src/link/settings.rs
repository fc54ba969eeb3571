//! The limits and times of a link; what the configuration's `link` section becomes.

use std::time::Duration;

/// Limits and times of a link. Both ends have their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// Time between two pings.
    pub heartbeat: Duration,
    /// Silence after which the other end is suspected.
    pub suspect_after: Duration,
    /// Silence after which the link is down.
    pub down_after: Duration,
    /// Longest time that a call waits for a link that is down.
    pub wait: Duration,
    /// Most calls that wait for a link that is down.
    pub held_calls: usize,
    /// Most bytes of calls that wait for a link that is down.
    pub held_bytes: usize,
    /// Longest message, in bytes.
    pub max_message: usize,
    /// Most bytes that may wait to be written to the socket.
    pub max_queue: usize,
    /// Most calls that may wait for their answers.
    pub max_calls: usize,
    /// Time for the whole handshake.
    pub handshake: Duration,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(500),
            suspect_after: Duration::from_millis(1500),
            down_after: Duration::from_secs(3),
            wait: Duration::from_secs(2),
            held_calls: 16_384,
            held_bytes: 8 << 20,
            max_message: 16 << 20,
            max_queue: 64 << 20,
            max_calls: 131_072,
            handshake: Duration::from_secs(2),
        }
    }
}
