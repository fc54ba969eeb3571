//! Firefly's frame of 17 bytes and a payload; all numbers big-endian, both directions alike.
//!
//! | bytes | field | value |
//! | --- | --- | --- |
//! | 0..4 | head | four configured bytes |
//! | 4 | protocol version | configured |
//! | 5..9 | server version | u32, configured |
//! | 9..13 | length | u32, counts the command id and the payload: 4 or more |
//! | 13..17 | command id | u32 |
//! | 17.. | payload | length - 4 bytes |

use bytes::{BufMut, BytesMut};

use super::{Dialect, Found, Refused};
use crate::error::{ErrorKind, Fault};
use crate::reply::{Write, Wrote};

/// Everything before the payload.
const HEADER: usize = 17;
/// Everything before what the length counts.
const UNCOUNTED: usize = 13;
/// Where the length stands, a number of four bytes.
const LENGTH: usize = 9;
/// Where the command id stands, the first of what the length counts.
const COMMAND: usize = UNCOUNTED;
/// The least length: a command id without a payload.
const LEAST: usize = 4;
/// The head bytes in front of the versions.
const HEAD: usize = 4;

/// The dialect of Firefly's clients. The default has zeros for everything that is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firefly {
    /// The first nine bytes, the same in every frame.
    prefix: [u8; LENGTH],
}

impl Firefly {
    /// The dialect with these head bytes, protocol version and server version.
    pub fn new(head: [u8; HEAD], protocol: u8, server: u32) -> Self {
        let mut prefix = [0; LENGTH];
        prefix[..HEAD].copy_from_slice(&head);
        prefix[HEAD] = protocol;
        prefix[HEAD + 1..].copy_from_slice(&server.to_be_bytes());
        Self { prefix }
    }

    fn check_prefix(&self, buffer: &[u8]) -> Result<(), Refused> {
        if buffer.starts_with(&self.prefix) {
            return Ok(());
        }
        match buffer
            .iter()
            .zip(&self.prefix)
            .position(|(got, wanted)| got != wanted)
        {
            None => Ok(()),
            Some(at) if at < HEAD => Err(Refused::BadHead),
            Some(_) => Err(Refused::BadVersion),
        }
    }
}

/// The number that begins at a place, if all of it is there.
#[inline]
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|field| u32::from_be_bytes(*field))
}

impl Dialect for Firefly {
    #[inline]
    fn find(&self, bytes: &[u8], limit: usize) -> Result<Found, Refused> {
        self.check_prefix(bytes)?;
        let Some(length) = number(bytes, LENGTH) else {
            return Ok(Found::Partial(None));
        };
        let length = length as usize;
        if length < LEAST {
            return Err(Refused::BadLength { length, least: LEAST });
        }
        if length > limit {
            return Err(Refused::TooLarge { length, limit });
        }
        let frame = UNCOUNTED + length;
        let Some(command) = number(bytes, COMMAND).filter(|_| bytes.len() >= frame) else {
            return Ok(Found::Partial(Some(frame)));
        };
        Ok(Found::Frame {
            command,
            payload: HEADER..frame,
        })
    }

    fn encode(
        &self,
        command: u32,
        write: Write<'_>,
        limit: usize,
        out: &mut BytesMut,
    ) -> Result<Wrote, Fault> {
        let mut frame = Unfinished {
            start: out.len(),
            out,
            done: false,
        };
        let mut header = [0; HEADER];
        header[..LENGTH].copy_from_slice(&self.prefix);
        header[COMMAND..].copy_from_slice(&command.to_be_bytes());
        frame.out.put_slice(&header);
        if write(frame.out)? == Wrote::Nothing {
            return Ok(Wrote::Nothing);
        }
        let length = frame.out.len() - frame.start - UNCOUNTED;
        let field = u32::try_from(length)
            .ok()
            .filter(|_| length <= limit)
            .ok_or_else(|| {
                Fault::new(
                    ErrorKind::TooLarge,
                    format!("the frame's length would be {length}, more than {limit}"),
                )
            })?;
        let at = frame.start + LENGTH;
        frame.out[at..frame.start + COMMAND].copy_from_slice(&field.to_be_bytes());
        frame.done = true;
        Ok(Wrote::Reply)
    }
}

/// A frame that is being written; it is cut off again unless it gets done, also when its payload's writer panics.
struct Unfinished<'a> {
    out: &'a mut BytesMut,
    start: usize,
    done: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.out.truncate(self.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{COPIED_BELOW, Decoded, Packet};

    const LIMIT: usize = 64 * 1024;

    /// A small generator with a seed, so that a failure can be repeated.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, end: usize) -> usize {
            (self.next() % end as u64) as usize
        }

        fn bytes(&mut self, length: usize) -> Vec<u8> {
            (0..length).map(|_| self.next() as u8).collect()
        }
    }

    fn encode(dialect: &Firefly, command: u32, payload: &[u8], out: &mut BytesMut) {
        let mut write = |out: &mut BytesMut| {
            out.extend_from_slice(payload);
            Ok(Wrote::Reply)
        };
        assert_eq!(dialect.encode(command, &mut write, LIMIT, out), Ok(Wrote::Reply));
    }

    /// The first 13 bytes of a default frame that says `length`, then the command.
    fn header(length: u32) -> BytesMut {
        let mut out = BytesMut::new();
        out.put_bytes(0, 9);
        out.put_u32(length);
        out.put_u32(100);
        out
    }

    #[test]
    fn a_frame_stands_byte_for_byte() {
        let mut out = BytesMut::new();
        encode(&Firefly::new([1, 2, 3, 4], 5, 0x0607_0809), 200, b"hi", &mut out);
        assert_eq!(
            &out[..],
            b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\0\0\0\x06\0\0\0\xc8hi"
        );
    }

    #[test]
    fn any_splitting_and_gluing_gives_the_same_packets() {
        let dialect = Firefly::new(*b"GAME", 1, 7);
        for seed in 1..200 {
            let mut random = Random(seed);
            let sent: Vec<Packet> = (0..random.below(20) + 1)
                .map(|_| {
                    let longest = [1, 30, COPIED_BELOW + 1, 20_000][random.below(4)];
                    let length = random.below(longest);
                    Packet {
                        command: random.next() as u32,
                        payload: random.bytes(length).into(),
                    }
                })
                .collect();
            let mut stream = BytesMut::new();
            sent.iter()
                .for_each(|packet| encode(&dialect, packet.command, &packet.payload, &mut stream));
            let mut buffer = BytesMut::new();
            let mut got = Vec::new();
            while !stream.is_empty() {
                let piece = [1, 5, 17, 300, 30_000][random.below(5)].min(stream.len());
                buffer.extend_from_slice(&stream.split_to(piece));
                while let Decoded::Packet(packet) = dialect.decode(&mut buffer, LIMIT).unwrap() {
                    got.push(packet);
                }
            }
            assert!(buffer.is_empty(), "seed {seed}");
            assert_eq!(got, sent, "seed {seed}");
        }
    }

    #[test]
    fn a_length_is_refused_as_soon_as_it_stands_there() {
        let max = LIMIT as u32;
        for length in [0, 1, 2, 3] {
            let refused = Firefly::default().decode(&mut header(length).split_to(13), LIMIT);
            assert_eq!(
                refused,
                Err(Refused::BadLength {
                    length: length as usize,
                    least: 4
                })
            );
        }
        for length in [max + 1, u32::MAX / 2, u32::MAX / 2 + 1, u32::MAX] {
            let refused = Firefly::default().decode(&mut header(length).split_to(13), LIMIT);
            assert_eq!(
                refused,
                Err(Refused::TooLarge {
                    length: length as usize,
                    limit: LIMIT
                })
            );
        }
        for length in [5, max] {
            let mut buffer = header(length);
            let before = buffer.capacity();
            let partial = Firefly::default().decode(&mut buffer, LIMIT);
            assert_eq!(partial, Ok(Decoded::Partial(Some(13 + length as usize))));
            assert_eq!(buffer.capacity(), before, "decoding reserves nothing");
        }
        let empty = Packet {
            command: 100,
            payload: bytes::Bytes::new(),
        };
        assert_eq!(
            Firefly::default().decode(&mut header(4), LIMIT),
            Ok(Decoded::Packet(empty))
        );
    }

    #[test]
    fn a_wrong_head_or_version_is_refused_at_its_first_byte() {
        let dialect = Firefly::new([1, 2, 3, 4], 5, 6);
        let mut good = BytesMut::new();
        encode(&dialect, 1, b"", &mut good);
        for at in 0..9 {
            let mut wrong = BytesMut::from(&good[..=at]);
            assert!(
                matches!(
                    dialect.decode(&mut wrong.clone(), LIMIT),
                    Ok(Decoded::Partial(None))
                ),
                "{at}"
            );
            wrong[at] ^= 0x80;
            let reason = if at < 4 {
                Refused::BadHead
            } else {
                Refused::BadVersion
            };
            assert_eq!(dialect.decode(&mut wrong, LIMIT), Err(reason), "{at}");
        }
    }

    #[test]
    fn a_header_cut_at_any_place_waits_for_the_rest() {
        let mut whole = BytesMut::new();
        encode(&Firefly::default(), 9, b"x", &mut whole);
        for cut in 0..whole.len() {
            let mut buffer = BytesMut::from(&whole[..cut]);
            assert!(
                matches!(
                    Firefly::default().decode(&mut buffer, LIMIT),
                    Ok(Decoded::Partial(_))
                ),
                "{cut}"
            );
            buffer.extend_from_slice(&whole[cut..]);
            let packet = Packet {
                command: 9,
                payload: "x".into(),
            };
            assert_eq!(
                Firefly::default().decode(&mut buffer, LIMIT),
                Ok(Decoded::Packet(packet))
            );
        }
    }

    #[test]
    fn random_bytes_end_in_a_packet_a_refusal_or_patience() {
        let mut random = Random(42);
        for round in 0..100_000 {
            let length = random.below(64);
            let mut buffer = BytesMut::from(&random.bytes(length)[..]);
            if round % 2 == 0 {
                let zeros = length.min(11);
                buffer[..zeros].fill(0);
            }
            loop {
                let before = buffer.len();
                match Firefly::default().decode(&mut buffer, LIMIT) {
                    Ok(Decoded::Packet(packet)) => {
                        assert_eq!(before - buffer.len(), HEADER + packet.payload.len())
                    }
                    Ok(Decoded::Partial(_)) | Err(_) => {
                        assert_eq!(buffer.len(), before);
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn a_large_payload_is_not_copied_and_a_small_one_does_not_pin_the_buffer() {
        for (frame, shared) in [(COPIED_BELOW - 1, false), (COPIED_BELOW, true)] {
            let mut buffer = BytesMut::new();
            encode(&Firefly::default(), 1, &vec![7; frame - HEADER], &mut buffer);
            let memory = buffer.as_ptr_range();
            let Ok(Decoded::Packet(packet)) = Firefly::default().decode(&mut buffer, LIMIT) else {
                panic!("a whole frame");
            };
            assert_eq!(memory.contains(&packet.payload.as_ptr()), shared);
        }
    }

    #[test]
    fn a_frame_that_does_not_come_about_leaves_no_trace() {
        let dialect = Firefly::default();
        let mut out = BytesMut::from(&b"before"[..]);
        let mut nothing = |out: &mut BytesMut| {
            out.put_u8(1);
            Ok(Wrote::Nothing)
        };
        assert_eq!(
            dialect.encode(1, &mut nothing, LIMIT, &mut out),
            Ok(Wrote::Nothing)
        );
        let mut large = |out: &mut BytesMut| {
            out.put_bytes(0, LIMIT);
            Ok(Wrote::Reply)
        };
        let fault = dialect.encode(1, &mut large, LIMIT, &mut out).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::TooLarge);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            dialect.encode(1, &mut |_| panic!("a broken value"), LIMIT, &mut out)
        }));
        assert!(panicked.is_err());
        assert_eq!(&out[..], b"before");
    }
}
