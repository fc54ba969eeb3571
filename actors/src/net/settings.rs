//! What of the port for game clients can be configured.

use std::sync::Arc;
use std::time::Duration;

use lampyris_runtime::config::{ClientErrors, NodeConfig};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::packet::{Dialect, Firefly};

/// What a client gets when its call ends without a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorsMode {
    /// A frame with command id 0 and JSON that names the command and the error.
    #[default]
    Frame,
    /// Nothing, as Firefly did.
    Silent,
    /// The end of the connection, after what was written before.
    Close,
}

/// The settings of a node's port for game clients. All limits are per connection unless they say otherwise.
#[derive(Debug, Clone)]
pub struct NetSettings {
    /// The node that the clients are connected to; part of every [`SessionId`](super::SessionId).
    pub node: NodeName,
    /// The format of frames.
    pub dialect: Arc<dyn Dialect>,
    /// What a client gets when its call ends without a reply.
    pub errors: ErrorsMode,
    /// Most connections of the node; one more is closed at once.
    pub max_clients: usize,
    /// Most that a frame from a client may say as its length (Firefly: command id and payload), in bytes.
    pub max_frame: usize,
    /// Most unanswered calls; with so many, the connection is not read from until some have ended. At least 1.
    pub in_flight: usize,
    /// How long a call may take from its arrival to its answer.
    pub call_timeout: Duration,
    /// How long a client may send no frame while none of its calls is in flight; `None` for ever.
    pub idle_timeout: Option<Duration>,
    /// Most frames a second, after a burst of one second's worth; faster clients are read from more slowly.
    pub rate: Option<u32>,
    /// Most bytes that wait to be written; one more, and the connection is closed as `slow_reader`.
    pub out_buffer: usize,
    /// How long the client's side may take no byte of what waits, before it is closed as `slow_reader`.
    pub write_stall: Duration,
    /// How long the header of a frame may take from its first byte. The rest then has ten seconds, and one more for
    /// every 500 bytes.
    pub frame_timeout: Duration,
    /// Whether each command waits for the answer of the one before, whatever their numbers.
    pub serial: bool,
}

impl NetSettings {
    /// The settings of a configured node.
    pub fn of(node: &NodeConfig) -> Self {
        let clients = &node.clients;
        let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            node: node.name.clone(),
            dialect: Arc::new(Firefly::new(
                clients.head,
                clients.protocol_version,
                clients.server_version,
            )),
            errors: match clients.errors {
                ClientErrors::Frame => ErrorsMode::Frame,
                ClientErrors::Silent => ErrorsMode::Silent,
                ClientErrors::Close => ErrorsMode::Close,
            },
            max_clients: clients.max_clients,
            max_frame: bytes(clients.max_frame),
            in_flight: clients.in_flight,
            call_timeout: node.call_timeout,
            idle_timeout: clients.idle_timeout,
            rate: clients.rate,
            out_buffer: bytes(clients.out_buffer),
            serial: clients.serial,
            ..Self::default()
        }
    }

    /// With no more clients than this process may have open files, less a reserve for links, logs and the HTTP port:
    /// one client more is closed at once, where a system without descriptors would leave it waiting.
    #[must_use]
    pub fn within(self, open_files: u64) -> Self {
        let room = usize::try_from(open_files - RESERVE.min(open_files / 2)).unwrap_or(usize::MAX);
        Self {
            max_clients: self.max_clients.min(room),
            ..self
        }
    }
}

/// So many open files are not for clients; of a small limit, half.
const RESERVE: u64 = 128;

impl Default for NetSettings {
    fn default() -> Self {
        Self {
            node: NodeName::new("net").expect("because it is made of small letters"),
            dialect: Arc::new(Firefly::default()),
            errors: ErrorsMode::default(),
            max_clients: 10_000,
            max_frame: 64 * 1024,
            in_flight: 64,
            call_timeout: Duration::from_secs(5),
            idle_timeout: None,
            rate: None,
            out_buffer: 1024 * 1024,
            write_stall: Duration::from_secs(10),
            frame_timeout: Duration::from_secs(5),
            serial: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_a_reserve_of_open_files() {
        let clients = |open_files| NetSettings::default().within(open_files).max_clients;
        let all = [20_000, 10_128, 1024, 256, 64].map(clients);
        assert_eq!(all, [10_000, 10_000, 896, 128, 32]);
    }
}
