//! Ports that nobody else takes while a test runs.
//!
//! They lie below the range from which the system draws the ports of outgoing connections, so that none is lost
//! while the node that listens there is being restarted. Among the tests on one machine a port belongs to
//! whoever holds the UDP port of the same number.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Where the ports are drawn from.
const RANGE: std::ops::Range<u16> = 12_000..32_000;

/// A port that is free, and reserved as long as this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _reserved: UdpSocket,
}

impl Port {
    /// Draws one.
    ///
    /// # Panics
    /// When hardly any port is free.
    pub fn draw() -> Self {
        (0..1000)
            .find_map(|_| Self::reserve(random_port()))
            .expect("because thousands of ports are free")
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    fn reserve(number: u16) -> Option<Self> {
        let reserved = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).ok()?;
        Some(Self {
            number,
            _reserved: reserved,
        })
    }
}

fn random_port() -> u16 {
    let drawn = RandomState::new().hash_one(std::process::id()) % u64::from(RANGE.end - RANGE.start);
    RANGE.start + u16::try_from(drawn).expect("because it is below the length of the range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_away_once() {
        let ports: Vec<Port> = (0..50).map(|_| Port::draw()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
        assert!(Port::reserve(numbers[0]).is_none());
    }
}
