//! What is measured: the points, and what each is compared with. Pure.

use std::fmt;
use std::time::Duration;

use lampyris_runtime::config::ClientConfig;

use super::requests::Requests;

/// The command that the net node answers itself; all others are taken to go through the chain.
pub(super) const OWN_COMMAND: u32 = 100;
/// The command that goes through the chain: net, gate, game and back.
pub(super) const CHAIN_COMMAND: u32 = 300;
/// The study's payload.
pub(super) const PAYLOAD: &[u8] = b"msgdata";

const KIB: usize = 1024;
/// The rate of the open loop, in requests a second, and its connections.
pub(super) const OPEN_RATE: u32 = 5_000;
pub(super) const OPEN_CONNECTIONS: usize = 200;

/// How requests are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Each connection keeps so many requests in flight.
    Closed {
        /// How many.
        depth: usize,
    },
    /// Requests are due at an even pace, whatever becomes of those before.
    Open {
        /// How many a second.
        rate: u32,
    },
}

/// One thing to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) command: u32,
    pub(super) payload: Vec<u8>,
    /// Whether the `#`s of the payload stand for a number, another one in each request.
    pub(super) numbered: bool,
    /// The command of the same cluster that it is compared with, instead of with the references.
    pub(super) beside: Option<u32>,
    pub(super) connections: usize,
    pub(super) shape: Shape,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command {}, {} bytes, ", self.command, self.payload.len())?;
        match self.shape {
            Shape::Closed { depth } => write!(f, "{} x {depth}", self.connections),
            Shape::Open { rate } => write!(f, "{rate}/s over {}", self.connections),
        }
    }
}

/// A server that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum System {
    /// The cluster.
    Cluster,
    /// The cluster once more, with another command.
    Beside,
    /// A process that answers each frame.
    BareEcho,
    /// The same behind two processes that hand bytes on.
    BareChain,
    /// Net, gate and game written by hand for this one purpose.
    HandChain,
}

impl System {
    /// The name in tables.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "lampyris",
            Self::Beside => "beside",
            Self::BareEcho => "bare echo",
            Self::BareChain => "bare chain",
            Self::HandChain => "hand-written",
        }
    }
}

impl Point {
    /// The systems that do the same work, the cluster first.
    pub(super) fn systems(&self) -> &'static [System] {
        if self.beside.is_some() {
            &[System::Cluster, System::Beside]
        } else if self.command == OWN_COMMAND {
            &[System::Cluster, System::BareEcho]
        } else {
            &[System::Cluster, System::BareChain, System::HandChain]
        }
    }

    /// The requests for the cluster.
    ///
    /// # Errors
    /// The payload is longer than any frame.
    pub(super) fn requests(&self, clients: &ClientConfig) -> Result<Requests, String> {
        if self.numbered {
            Requests::numbered(clients, self.command, &self.payload)
        } else {
            Requests::same(clients, self.command, &self.payload)
        }
    }
}

/// All that one run measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) points: Vec<Point>,
    pub(super) rounds: usize,
    /// How long each point of each round is measured.
    pub(super) duration: Duration,
    /// How long it runs before that.
    pub(super) warm_up: Duration,
}

/// The points of a run that names none: the chain at three loads and three sizes, the net node alone, an open loop.
pub(super) fn standard_points() -> Vec<Point> {
    let mut points = shapes(CHAIN_COMMAND, PAYLOAD);
    let open = points.pop();
    for size in [KIB, 16 * KIB] {
        points.push(closed(CHAIN_COMMAND, &vec![b'x'; size], 64, 16));
    }
    points.push(closed(OWN_COMMAND, PAYLOAD, 16, 1));
    points.push(closed(OWN_COMMAND, PAYLOAD, 64, 16));
    points.extend(open);
    points
}

/// The loads at which one kind of request is measured; the last is the open loop.
pub(super) fn shapes(command: u32, payload: &[u8]) -> Vec<Point> {
    let mut points: Vec<Point> = [(16, 1), (16, 8), (64, 16)]
        .map(|(connections, depth)| closed(command, payload, connections, depth))
        .into();
    points.push(point(
        command,
        payload,
        OPEN_CONNECTIONS,
        Shape::Open { rate: OPEN_RATE },
    ));
    points
}

fn closed(command: u32, payload: &[u8], connections: usize, depth: usize) -> Point {
    point(command, payload, connections, Shape::Closed { depth })
}

/// A point whose requests are all the same, and which is compared with the references.
pub(super) fn point(command: u32, payload: &[u8], connections: usize, shape: Shape) -> Point {
    Point {
        command,
        payload: payload.to_vec(),
        numbered: false,
        beside: None,
        connections,
        shape,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_read_like_the_table_that_they_stand_in() {
        let names: Vec<String> = standard_points().iter().map(Point::to_string).collect();
        assert_eq!(
            names,
            [
                "command 300, 7 bytes, 16 x 1",
                "command 300, 7 bytes, 16 x 8",
                "command 300, 7 bytes, 64 x 16",
                "command 300, 1024 bytes, 64 x 16",
                "command 300, 16384 bytes, 64 x 16",
                "command 100, 7 bytes, 16 x 1",
                "command 100, 7 bytes, 64 x 16",
                "command 300, 7 bytes, 5000/s over 200",
            ]
        );
    }

    #[test]
    fn each_command_is_compared_with_what_does_the_same_work() {
        let points = standard_points();
        assert_eq!(
            points[0].systems(),
            [System::Cluster, System::BareChain, System::HandChain]
        );
        assert_eq!(points[5].systems(), [System::Cluster, System::BareEcho]);
    }

    #[test]
    fn a_request_has_the_configured_head() {
        let clients = ClientConfig {
            head: *b"GAME",
            ..ClientConfig::default()
        };
        let requests = standard_points()[0].requests(&clients).unwrap();
        assert_eq!(requests.first(), b"GAME\0\0\0\0\0\0\0\0\x0b\0\0\x01\x2cmsgdata");
    }
}
