//! The frames of game clients: bytes that were split and glued anywhere to packets, and back.
//!
//! A [`Dialect`] is one format of frames; [`Firefly`] is the one that is spoken unless another is configured. Pure:
//! it sees a buffer, never a socket or a clock, and knows nothing of commands' meaning.
//!
//! Invariants of every dialect: what cannot become a good frame is refused as soon as the bytes that say so are
//! there; decoding never reserves memory, so a length that lies costs nothing.

mod firefly;

use std::fmt;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use crate::error::Fault;
use crate::reply::{Write, Wrote};
pub use firefly::Firefly;

/// One message of a game client, or to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it is about; a request's number comes back in its answer.
    pub command: u32,
    /// The rest, opaque.
    pub payload: Bytes,
}

/// What stands at the front of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A whole frame; it has been taken out of the buffer.
    Packet(Packet),
    /// The beginning of a frame or nothing; the buffer is as it was. The size of the whole frame in bytes, header
    /// and all, as soon as it is known.
    Partial(Option<usize>),
}

/// What stands at the front of bytes, before anything is cut out of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A whole frame, which ends with its payload.
    Frame {
        /// As in [`Packet::command`].
        command: u32,
        /// Where its payload is.
        payload: Range<usize>,
    },
    /// As [`Decoded::Partial`].
    Partial(Option<usize>),
}

/// Why bytes are no frame. Nothing behind them can be trusted, so the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The first bytes are not those of the dialect.
    #[error("the frame does not begin with the configured head bytes")]
    BadHead,
    /// A version number is not the configured one.
    #[error("the frame's version is not the configured one")]
    BadVersion,
    /// The length cannot be one.
    #[error("the frame's length is {length}, less than {least}")]
    BadLength {
        /// What the frame says.
        length: usize,
        /// The least that a frame can have.
        least: usize,
    },
    /// The frame is larger than the limit.
    #[error("the frame's length is {length}, more than {limit}")]
    TooLarge {
        /// What the frame says.
        length: usize,
        /// The configured limit.
        limit: usize,
    },
}

/// A format of frames.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// Finds the frame at the front of the bytes.
    ///
    /// `limit` is the most that a frame's length may be, in whatever way the dialect counts it.
    ///
    /// # Errors
    /// [`Refused`], at the earliest byte that shows it.
    fn find(&self, bytes: &[u8], limit: usize) -> Result<Found, Refused>;

    /// Takes the next whole frame out of `buffer`.
    ///
    /// # Errors
    /// As [`Dialect::find`].
    fn decode(&self, buffer: &mut BytesMut, limit: usize) -> Result<Decoded, Refused> {
        Ok(match self.find(buffer, limit)? {
            Found::Partial(size) => Decoded::Partial(size),
            Found::Frame { command, payload } => {
                let frame = cut(buffer, payload.end);
                let payload = frame.slice(payload);
                Decoded::Packet(Packet { command, payload })
            }
        })
    }

    /// Appends a frame whose payload `write` appends. After [`Wrote::Nothing`], an error or a panic `out` is as it was.
    ///
    /// # Errors
    /// That of `write`; `too_large` when the frame's length would be more than `limit`.
    fn encode(
        &self,
        command: u32,
        write: Write<'_>,
        limit: usize,
        out: &mut BytesMut,
    ) -> Result<Wrote, Fault>;
}

/// Fewer bytes are copied out of the buffer that they arrived in.
///
/// A slice would keep the whole read buffer (8 KiB and more) alive for as long as a handler keeps any of its bytes, and
/// the buffer could not be used again; a copy this small costs less than another buffer. What is cut out together stays together: the
/// payload of one packet keeps what came with it.
pub const COPIED_BELOW: usize = 4096;

/// Takes bytes from the front of a buffer, one frame or several: a copy if they are few, else a slice that shares the buffer's
/// memory.
///
/// # Panics
/// When `buffer` is shorter than `length`.
pub fn cut(buffer: &mut BytesMut, length: usize) -> Bytes {
    if length >= COPIED_BELOW {
        return buffer.split_to(length).freeze();
    }
    let bytes = Bytes::copy_from_slice(&buffer[..length]);
    buffer.advance(length);
    bytes
}
