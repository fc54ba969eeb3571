//! The bytes of a link frame. Pure; must not know of sockets.
//!
//! ```text
//!  bytes    field      meaning (numbers are big-endian)
//! ┌────────┬──────────┬────────────────────────────────────────────────────────────┐
//! │ 0..4   │ length   │ u32: bytes behind this field, 2 to MAX_FRAME                │
//! │ 4      │ kind     │ u8, below                                                  │
//! │ 5      │ flags    │ u8: 1 = MORE, the body goes on in CHUNK frames; others 0   │
//! ├────────┼──────────┼────────────────────────────────────────────────────────────┤
//! │ 6..    │ REQUEST 1│ call u64, budget u32 (ms left), handler u32, body          │
//! │        │ NOTIFY  2│ handler u32, body                                          │
//! │        │ REPLY   3│ call u64, body                                             │
//! │        │ FAULT   4│ call u64, code u8, text length u16, text (UTF-8), detail   │
//! │        │ CHUNK   5│ the next part of the body that had MORE                    │
//! │        │ PING    6│ token u64                                                  │
//! │        │ PONG    7│ token u64 of the ping                                      │
//! │        │ GOODBYE 8│ reason u8: 1 stopping, 2 replaced                          │
//! │        │ DRAIN   9│ send me no more calls: I am about to end                   │
//! │        │ DRAINED10│ the answer: no call of mine comes behind this              │
//! │        │ TRACE  11│ call u64, trace u128, span u64: of the request behind it   │
//! └────────┴──────────┴────────────────────────────────────────────────────────────┘
//! ```
//!
//! Bodies and details are MessagePack. A body longer than [`CHUNK`] is cut, so that a ping need not wait for
//! all of it; between its parts only PING, PONG, GOODBYE and DRAIN may stand. What breaks these rules ends the link.

mod put;
mod take;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bytes::{Buf, Bytes};

use crate::error::Fault;
use crate::name::HandlerId;
use crate::trace::Context;
pub use put::{chunks, put_control, put_fault, put_message};
pub use take::Decoder;
use take::take_fault;

/// Longest part of a body in one frame, in bytes.
pub const CHUNK: usize = 64 * 1024;

/// Longest frame behind its length field: a whole chunk behind the longest head.
pub const MAX_FRAME: usize = CHUNK + HEAD + REQUEST;

/// Bytes of kind and flags.
const HEAD: usize = 2;
/// Bytes of the length field.
const LENGTH: usize = 4;
/// Bytes of a request's own fields.
const REQUEST: usize = 16;
/// Bytes of a reply's own fields.
const REPLY: usize = 8;

/// Bytes of a request before its body.
pub(crate) const REQUEST_HEAD: usize = LENGTH + HEAD + REQUEST;
/// Where the number of a call stands in its frame.
pub(crate) const CALL: Range<usize> = LENGTH + HEAD..LENGTH + HEAD + 8;

const MORE: u8 = 1;

/// Why bytes are no frames. Each ends the link: behind it nothing can be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A length outside 2 to [`MAX_FRAME`].
    #[error("a frame says that it has {0} bytes; allowed are {HEAD} to {MAX_FRAME}")]
    Length(usize),
    /// A kind that is not in the table.
    #[error("a frame is of the unknown kind {0}")]
    Kind(u8),
    /// The frame is shorter than the fields of its kind.
    #[error("a frame of kind {0} ends inside its fields")]
    Short(u8),
    /// A chunk without a beginning, or a message inside another.
    #[error("a frame of kind {0} stands where it may not")]
    Order(u8),
    /// A message above the limit of this link.
    #[error("a message is longer than the limit of {0} bytes")]
    TooLarge(usize),
}

/// What a frame, or several that make one message, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A call that wants an answer.
    Request {
        /// The caller's number of it.
        call: u64,
        /// Milliseconds for which the caller still waits.
        budget: u32,
        /// Which handler.
        handler: HandlerId,
        /// The message.
        body: Bytes,
    },
    /// A message that wants no answer.
    Notify {
        /// Which handler.
        handler: HandlerId,
        /// The message.
        body: Bytes,
    },
    /// The answer to a call.
    Reply {
        /// The caller's number.
        call: u64,
        /// The reply.
        body: Bytes,
    },
    /// The error that ends a call.
    Fault {
        /// The caller's number.
        call: u64,
        /// Why.
        fault: Fault,
    },
    /// A heartbeat.
    Ping(u64),
    /// Its echo.
    Pong(u64),
    /// The last frame of an end that closes the link on purpose.
    Goodbye(Goodbye),
    /// This end will stop: it answers what it has, and wants no more.
    Drain,
    /// The answer to [`Frame::Drain`], behind the last call.
    Drained,
    /// The request behind it is part of a distributed trace. A frame of its own, so that other requests pay nothing.
    Trace {
        /// The caller's number of the request.
        call: u64,
        /// Its place in the trace; in a box, as frames are moved about and few are of this kind.
        context: Box<Context>,
    },
}

/// Why an end closes the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// Its process is stopping.
    Stopping,
    /// Another link took this one's place.
    Replaced,
}

/// The fields of a message's first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Of a request.
    Request {
        /// The caller's number.
        call: u64,
        /// Milliseconds left.
        budget: u32,
        /// Which handler.
        handler: HandlerId,
    },
    /// Of a notification.
    Notify {
        /// Which handler.
        handler: HandlerId,
    },
    /// Of a reply.
    Reply {
        /// The caller's number.
        call: u64,
    },
    /// Of a fault.
    Fault {
        /// The caller's number.
        call: u64,
    },
}

impl Head {
    const REQUEST: u8 = 1;
    const NOTIFY: u8 = 2;
    const REPLY: u8 = 3;
    const FAULT: u8 = 4;

    /// The number of its kind of frame.
    #[inline]
    pub(crate) const fn kind(self) -> u8 {
        match self {
            Self::Request { .. } => Self::REQUEST,
            Self::Notify { .. } => Self::NOTIFY,
            Self::Reply { .. } => Self::REPLY,
            Self::Fault { .. } => Self::FAULT,
        }
    }

    /// Reads the fields of a kind; gives them and how many bytes they take.
    fn parse(kind: u8, mut from: &[u8]) -> Result<(Self, usize), Broken> {
        let fields = match kind {
            Self::REQUEST => REQUEST,
            Self::NOTIFY => 4,
            Self::REPLY | Self::FAULT => REPLY,
            other => return Err(Broken::Kind(other)),
        };
        if from.len() < fields {
            return Err(Broken::Short(kind));
        }
        let head = match kind {
            Self::REQUEST => Self::request(from.first_chunk().ok_or(Broken::Short(kind))?),
            Self::NOTIFY => Self::Notify {
                handler: HandlerId(from.get_u32()),
            },
            Self::REPLY => Self::Reply { call: from.get_u64() },
            _ => Self::Fault { call: from.get_u64() },
        };
        Ok((head, fields))
    }

    /// Reads the fields of a request.
    #[inline]
    fn request(fields: &[u8; REQUEST]) -> Self {
        let mut fields = &fields[..];
        Self::Request {
            call: fields.get_u64(),
            budget: fields.get_u32(),
            handler: HandlerId(fields.get_u32()),
        }
    }

    fn frame(self, body: Bytes) -> Result<Frame, Broken> {
        Ok(match self {
            Self::Request {
                call,
                budget,
                handler,
            } => Frame::Request {
                call,
                budget,
                handler,
                body,
            },
            Self::Notify { handler } => Frame::Notify { handler, body },
            Self::Reply { call } => Frame::Reply { call, body },
            Self::Fault { call } => Frame::Fault {
                call,
                fault: take_fault(body)?,
            },
        })
    }
}
