//! The requests of a load, as the configured clients send them: frames of one length, one after the other. Pure.
//!
//! They are laid out once, as many as there are different ones, and a load goes round in them. So `p#### 1` is ten
//! thousand frames, from `p0000 1` to `p9999 1`, in an order in which no two neighbours are near each other.

use std::rc::Rc;

use lampyris_runtime::config::ClientConfig;
use lampyris_runtime::packet::{Dialect, Firefly};
use lampyris_runtime::reply::Wrote;

/// Stands for one digit of a number.
pub(super) const DIGIT: u8 = b'#';
/// Most digits of a number.
pub(super) const MOST_DIGITS: usize = 5;
/// From one number to the next: a prime, so that all numbers of some digits have their turn.
const STEP: usize = 6151;

/// Frames of one length.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    frames: Rc<[u8]>,
    /// Length of one frame in bytes.
    size: usize,
}

impl Requests {
    /// One request, again and again.
    ///
    /// # Errors
    /// The payload is longer than any frame.
    pub(super) fn same(clients: &ClientConfig, command: u32, payload: &[u8]) -> Result<Self, String> {
        let frame = frame(clients, command, payload)?;
        Ok(Self {
            size: frame.len(),
            frames: frame.into(),
        })
    }

    /// Requests that differ in a number, which stands in the payload in place of its `#`s.
    ///
    /// # Errors
    /// The payload is longer than any frame.
    pub(super) fn numbered(clients: &ClientConfig, command: u32, payload: &[u8]) -> Result<Self, String> {
        let digits = digits(payload);
        let count = (0..digits).fold(1, |count, _| count * 10);
        let (mut frames, mut payload, mut size) = (Vec::new(), payload.to_vec(), 0);
        let places: Vec<usize> = (0..payload.len()).filter(|at| payload[*at] == DIGIT).collect();
        for turn in 0..count {
            let number = format!("{:0digits$}", turn * STEP % count);
            for (place, digit) in places.iter().zip(number.bytes()) {
                payload[*place] = digit;
            }
            let frame = frame(clients, command, &payload)?;
            size = frame.len();
            frames.extend(frame);
        }
        Ok(Self {
            frames: frames.into(),
            size,
        })
    }

    /// The first of them.
    pub(super) fn first(&self) -> &[u8] {
        &self.frames[..self.size]
    }

    /// Length of each in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether they differ.
    pub(super) fn differ(&self) -> bool {
        self.frames.len() > self.size
    }

    /// All of them, and again from the first until there are at least `count`, to go round in.
    pub(super) fn round(&self, count: usize) -> Round {
        let bytes = count * self.size;
        let copies = bytes.div_ceil(self.frames.len()).max(1);
        let length = self.frames.len() * copies;
        let mut frames = Vec::with_capacity(length + bytes);
        (0..copies).for_each(|_| frames.extend_from_slice(&self.frames));
        frames.extend_from_within(..bytes);
        Round {
            frames: frames.into(),
            length,
            size: self.size,
        }
    }
}

/// Requests to go round in. As many as were asked for are in one piece, wherever it begins: clients that have several
/// requests write them together, and a server that is woken for a part of them does more work.
#[derive(Debug, Clone)]
pub(super) struct Round {
    /// Once around, and the beginning again.
    frames: Rc<[u8]>,
    /// Bytes of once around.
    length: usize,
    /// Length of one frame in bytes.
    size: usize,
}

impl Round {
    /// Where one of so many connections begins: each elsewhere.
    pub(super) fn turn(&self, at: usize, connections: usize) -> Turn {
        Turn {
            round: self.clone(),
            place: at * (self.length / self.size) / connections * self.size,
        }
    }
}

/// What one connection writes.
#[derive(Debug)]
pub(super) struct Turn {
    round: Round,
    /// Where in the round the next byte to be written is.
    place: usize,
}

impl Turn {
    /// The next bytes, at most so many.
    pub(super) fn next(&self, most: usize) -> &[u8] {
        let Round { frames, .. } = &self.round;
        &frames[self.place..frames.len().min(self.place + most)]
    }

    /// So many bytes were written.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.place = (self.place + bytes) % self.round.length;
    }
}

/// How many digits the number of a payload has; 0 for one that has none.
pub(super) fn digits(payload: &[u8]) -> usize {
    payload.iter().filter(|byte| **byte == DIGIT).count()
}

/// A frame as the configured clients send it.
///
/// # Errors
/// The payload is longer than any frame.
pub(super) fn frame(clients: &ClientConfig, command: u32, payload: &[u8]) -> Result<Vec<u8>, String> {
    let dialect = Firefly::new(clients.head, clients.protocol_version, clients.server_version);
    let mut write = |out: &mut bytes::BytesMut| {
        out.extend_from_slice(payload);
        Ok(Wrote::Reply)
    };
    let mut out = bytes::BytesMut::new();
    match dialect.encode(command, &mut write, u32::MAX as usize, &mut out) {
        Ok(_) => Ok(out.to_vec()),
        Err(fault) => Err(format!("the request: {fault}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_has_its_turn_and_no_frame_is_longer_than_another() {
        let requests = Requests::numbered(&ClientConfig::default(), 402, b"p## 1").unwrap();
        let round = requests.round(1);
        let (size, turn) = (requests.size(), round.turn(0, 1));
        let all = turn.next(round.length);
        let payloads: BTreeSet<&[u8]> = all.chunks(size).map(super::super::frame::payload).collect();
        assert_eq!((payloads.len(), all.len()), (100, 100 * size));
        assert!(payloads.contains(&b"p00 1"[..]) && payloads.contains(&b"p99 1"[..]));
        assert_eq!(super::super::frame::payload(requests.first()), b"p00 1");
        assert!(requests.differ());
    }

    #[test]
    fn what_is_written_at_once_is_in_one_piece_wherever_it_begins() {
        let clients = ClientConfig::default();
        let same = Requests::same(&clients, 300, b"#").unwrap();
        assert!(!same.differ());
        let numbered = Requests::numbered(&clients, 402, b"p#").unwrap();
        for (requests, frames) in [(same, 3), (numbered, 10)] {
            let size = requests.size();
            let round = requests.round(3);
            let mut turn = round.turn(1, 2);
            assert_eq!((round.length, turn.place), (frames * size, frames / 2 * size));
            for _ in 0..2 * frames {
                let piece = turn.next(3 * size).to_vec();
                turn.advance(size);
                assert_eq!(piece.len(), 3 * size);
                assert_eq!(piece[size..], *turn.next(2 * size));
            }
            assert_eq!(turn.place, frames / 2 * size, "twice around");
        }
    }
}
