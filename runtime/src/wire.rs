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
//! └────────┴──────────┴────────────────────────────────────────────────────────────┘
//! ```
//!
//! Bodies and details are MessagePack. A body longer than [`CHUNK`] is cut, so that a ping waits for 64 KiB at
//! most; between its parts only PING, PONG, GOODBYE and DRAIN may stand. What breaks these rules ends the link.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::{ErrorKind, Fault, MAX_MESSAGE};
use crate::name::HandlerId;
use crate::reply::{Write, Wrote};

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
    const fn kind(self) -> u8 {
        match self {
            Self::Request { .. } => 1,
            Self::Notify { .. } => 2,
            Self::Reply { .. } => 3,
            Self::Fault { .. } => 4,
        }
    }

    fn put(self, out: &mut BytesMut) {
        match self {
            Self::Request {
                call,
                budget,
                handler,
            } => {
                out.put_u64(call);
                out.put_u32(budget);
                out.put_u32(handler.0);
            }
            Self::Notify { handler } => out.put_u32(handler.0),
            Self::Reply { call } | Self::Fault { call } => out.put_u64(call),
        }
    }

    /// Reads the fields of a kind; gives them and how many bytes they take.
    fn parse(kind: u8, mut from: &[u8]) -> Result<(Self, usize), Broken> {
        let fields = match kind {
            1 => REQUEST,
            2 => 4,
            3 | 4 => 8,
            other => return Err(Broken::Kind(other)),
        };
        if from.len() < fields {
            return Err(Broken::Short(kind));
        }
        let head = match kind {
            1 => Self::Request {
                call: from.get_u64(),
                budget: from.get_u32(),
                handler: HandlerId(from.get_u32()),
            },
            2 => Self::Notify {
                handler: HandlerId(from.get_u32()),
            },
            3 => Self::Reply { call: from.get_u64() },
            _ => Self::Fault { call: from.get_u64() },
        };
        Ok((head, fields))
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

/// Appends one message whose body `write` appends. A body that fits one frame stands in `out` as a whole frame;
/// of a longer one the body is returned instead, to be cut by [`chunks`], and `out` is as before.
///
/// # Errors
/// What `write` says, or `too_large` above `limit` bytes; `out` is as before.
pub fn put_message(
    head: Head,
    write: Write<'_>,
    limit: usize,
    out: &mut BytesMut,
) -> Result<Option<Bytes>, Fault> {
    let mut undo = Undo {
        start: out.len(),
        out,
        armed: true,
    };
    let (start, out) = (undo.start, &mut *undo.out);
    put_head(out, head.kind(), 0, 0);
    head.put(out);
    let body = out.len();
    // A reply that says nothing is an empty body to a peer; only clients know the difference.
    let _: Wrote = write(out)?;
    let length = out.len() - body;
    if length > limit {
        return Err(Fault::new(
            ErrorKind::TooLarge,
            format!("{length} bytes are more than the link's limit of {limit}"),
        ));
    }
    if length > CHUNK {
        return Ok(Some(out.split_off(body).freeze()));
    }
    patch_length(out, start);
    undo.armed = false;
    Ok(None)
}

/// Cuts a buffer back to where a message began, unless it is done: also when its writer panics.
struct Undo<'a> {
    out: &'a mut BytesMut,
    start: usize,
    armed: bool,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.out.truncate(self.start);
        }
    }
}

/// Cuts a long body into frames: for each the bytes of its head, and its part of the body.
pub fn chunks(head: Head, body: &Bytes) -> impl Iterator<Item = (Bytes, Bytes)> {
    let count = body.len().div_ceil(CHUNK);
    (0..count).map(move |at| {
        let part = body.slice(at * CHUNK..body.len().min((at + 1) * CHUNK));
        let flags = if at + 1 < count { MORE } else { 0 };
        let mut out = BytesMut::with_capacity(LENGTH + HEAD + REQUEST);
        put_head(&mut out, if at == 0 { head.kind() } else { 5 }, flags, 0);
        if at == 0 {
            head.put(&mut out);
        }
        let length = out.len() - LENGTH + part.len();
        out[..LENGTH].copy_from_slice(&u32_of(length).to_be_bytes());
        (out.freeze(), part)
    })
}

/// Appends the body of a fault.
pub fn put_fault(fault: &Fault, out: &mut BytesMut) {
    let mut end = fault.message.len().min(MAX_MESSAGE);
    while !fault.message.is_char_boundary(end) {
        end -= 1;
    }
    out.put_u8(fault.kind.code());
    out.put_u16(u16::try_from(end).expect("because MAX_MESSAGE fits in 16 bits"));
    out.put_slice(&fault.message.as_bytes()[..end]);
    out.put_slice(&fault.detail);
}

fn take_fault(mut body: Bytes) -> Result<Fault, Broken> {
    if body.len() < 3 {
        return Err(Broken::Short(4));
    }
    let code = body.get_u8();
    let length = usize::from(body.get_u16());
    if body.len() < length {
        return Err(Broken::Short(4));
    }
    let text = String::from_utf8_lossy(&body.split_to(length)).into_owned();
    // A kind of a later version: that the call failed is certain, whether it ran is not.
    let kind = ErrorKind::from_code(code).unwrap_or(ErrorKind::Cancelled);
    Ok(Fault {
        kind,
        message: text.into(),
        detail: body,
    })
}

/// Appends a frame that is not a message.
pub fn put_control(frame: &Frame, out: &mut BytesMut) {
    let start = out.len();
    match frame {
        Frame::Ping(token) | Frame::Pong(token) => {
            put_head(out, if matches!(frame, Frame::Ping(_)) { 6 } else { 7 }, 0, 0);
            out.put_u64(*token);
        }
        Frame::Goodbye(reason) => {
            put_head(out, 8, 0, 0);
            out.put_u8(match reason {
                Goodbye::Stopping => 1,
                Goodbye::Replaced => 2,
            });
        }
        Frame::Drain => put_head(out, 9, 0, 0),
        Frame::Drained => put_head(out, 10, 0, 0),
        Frame::Request { .. } | Frame::Notify { .. } | Frame::Reply { .. } | Frame::Fault { .. } => return,
    }
    patch_length(out, start);
}

fn put_head(out: &mut BytesMut, kind: u8, flags: u8, length: u32) {
    out.put_u32(length);
    out.put_u8(kind);
    out.put_u8(flags);
}

fn patch_length(out: &mut BytesMut, start: usize) {
    let length = u32_of(out.len() - start - LENGTH);
    out[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).expect("because a frame is shorter than MAX_FRAME")
}

/// Takes frames out of the bytes of one link, and puts the parts of long messages together.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    long: Option<(Head, BytesMut)>,
}

impl Decoder {
    /// A decoder that refuses messages above `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { limit, long: None }
    }

    /// The next whole frame or message, `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`Broken`]: the link must end.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Broken> {
        while let Some(length) = whole_frame(buffer)? {
            let (kind, flags) = (buffer[LENGTH], buffer[LENGTH + 1]);
            let rest = &buffer[LENGTH + HEAD..LENGTH + length];
            match kind {
                6..=9 => {
                    let frame = control(kind, rest)?;
                    buffer.advance(LENGTH + length);
                    return Ok(Some(frame));
                }
                10 if self.long.is_none() => {
                    buffer.advance(LENGTH + length);
                    return Ok(Some(Frame::Drained));
                }
                5 => {
                    let Some((_, body)) = self.long.as_mut() else {
                        return Err(Broken::Order(kind));
                    };
                    if body.len() + rest.len() > self.limit {
                        return Err(Broken::TooLarge(self.limit));
                    }
                    body.extend_from_slice(rest);
                    buffer.advance(LENGTH + length);
                }
                _ if self.long.is_some() => return Err(Broken::Order(kind)),
                _ => {
                    let (head, fields) = Head::parse(kind, rest)?;
                    if flags & MORE == 0 {
                        // The body is cut out of the read buffer once, and shares its memory.
                        buffer.advance(LENGTH + HEAD + fields);
                        return head
                            .frame(buffer.split_to(length - HEAD - fields).freeze())
                            .map(Some);
                    }
                    // An own buffer, as the parts do not lie side by side in the read buffer.
                    self.long = Some((head, BytesMut::from(&rest[fields..])));
                    buffer.advance(LENGTH + length);
                }
            }
            if flags & MORE == 0
                && let Some((head, body)) = self.long.take()
            {
                return head.frame(body.freeze()).map(Some);
            }
        }
        Ok(None)
    }
}

/// The length of the frame at the front of the buffer, if the whole of it is there.
fn whole_frame(buffer: &BytesMut) -> Result<Option<usize>, Broken> {
    let Some(field) = buffer.first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*field) as usize;
    if !(HEAD..=MAX_FRAME).contains(&length) {
        return Err(Broken::Length(length));
    }
    Ok((buffer.len() >= LENGTH + length).then_some(length))
}

fn control(kind: u8, mut rest: &[u8]) -> Result<Frame, Broken> {
    let short = Broken::Short(kind);
    match kind {
        6 if rest.len() >= 8 => Ok(Frame::Ping(rest.get_u64())),
        7 if rest.len() >= 8 => Ok(Frame::Pong(rest.get_u64())),
        8 => match rest.first() {
            Some(2) => Ok(Frame::Goodbye(Goodbye::Replaced)),
            Some(_) => Ok(Frame::Goodbye(Goodbye::Stopping)),
            None => Err(short),
        },
        9 => Ok(Frame::Drain),
        _ => Err(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: [Head; 4] = [
        Head::Request {
            call: u64::MAX - 1,
            budget: 5_000,
            handler: HandlerId(0xdead_beef),
        },
        Head::Notify {
            handler: HandlerId(7),
        },
        Head::Reply { call: 3 },
        Head::Fault { call: 4 },
    ];

    fn message(head: Head, body: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        let mut write = |out: &mut BytesMut| {
            if let Head::Fault { .. } = head {
                put_fault(&Fault::new(ErrorKind::TooLarge, "no"), out);
            }
            out.extend_from_slice(body);
            Ok(Wrote::Reply)
        };
        assert_eq!(put_message(head, &mut write, CHUNK, &mut out).unwrap(), None);
        out
    }

    #[test]
    fn every_kind_comes_back_however_it_is_split() {
        let mut all = BytesMut::new();
        for head in HEADS {
            all.extend_from_slice(&message(head, b"body"));
        }
        put_control(&Frame::Ping(1), &mut all);
        put_control(&Frame::Pong(2), &mut all);
        put_control(&Frame::Goodbye(Goodbye::Replaced), &mut all);
        put_control(&Frame::Drain, &mut all);
        put_control(&Frame::Drained, &mut all);
        for step in 1..all.len() {
            let (mut buffer, mut decoder, mut frames) = (BytesMut::new(), Decoder::new(CHUNK), Vec::new());
            for part in all.chunks(step) {
                buffer.extend_from_slice(part);
                while let Some(frame) = decoder.next(&mut buffer).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 9);
            assert!(matches!(&frames[0], Frame::Request { budget: 5_000, body, .. } if &body[..] == b"body"));
            assert!(
                matches!(&frames[3], Frame::Fault { call: 4, fault } if fault.kind == ErrorKind::TooLarge)
            );
            let rest = [
                Frame::Ping(1),
                Frame::Pong(2),
                Frame::Goodbye(Goodbye::Replaced),
                Frame::Drain,
                Frame::Drained,
            ];
            assert_eq!(frames[4..], rest);
        }
    }

    #[test]
    fn what_breaks_the_table_is_told_apart() {
        let decode = |bytes: &[u8]| Decoder::new(100).next(&mut BytesMut::from(bytes));
        assert_eq!(decode(&[0, 0, 0, 1, 1]), Err(Broken::Length(1)));
        assert_eq!(decode(&[0xff; 4]), Err(Broken::Length(0xffff_ffff)));
        assert_eq!(decode(&[0, 0, 0, 2, 99, 0]), Err(Broken::Kind(99)));
        assert_eq!(decode(&[0, 0, 0, 2, 1, 0]), Err(Broken::Short(1)));
        assert_eq!(decode(&[0, 0, 0, 2, 5, 0]), Err(Broken::Order(5)));
        assert_eq!(decode(&[0, 0, 0, 2, 6, 0]), Err(Broken::Short(6)));
        assert_eq!(decode(&[0, 0, 0, 2]), Ok(None));
    }

    #[test]
    fn a_message_above_the_limit_is_refused_while_it_comes() {
        let body = Bytes::from(vec![0; 3 * CHUNK]);
        let mut buffer = BytesMut::new();
        for (head, part) in chunks(HEADS[0], &body) {
            buffer.extend_from_slice(&head);
            buffer.extend_from_slice(&part);
        }
        assert_eq!(
            Decoder::new(2 * CHUNK).next(&mut buffer),
            Err(Broken::TooLarge(2 * CHUNK))
        );
    }

    #[test]
    fn a_fault_of_a_later_version_still_ends_its_call() {
        let mut out = message(HEADS[3], b"");
        let code = out.len() - 5;
        assert_eq!(out[code], ErrorKind::TooLarge.code());
        out[code] = 250;
        match Decoder::new(CHUNK).next(&mut out).unwrap() {
            Some(Frame::Fault { fault, .. }) => assert_eq!(fault.kind, ErrorKind::Cancelled),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = 7_u64;
        for _ in 0..20_000 {
            let mut bytes = BytesMut::new();
            for _ in 0..24 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                bytes.extend_from_slice(&[
                    0,
                    0,
                    0,
                    (random >> 58) as u8,
                    (random >> 40) as u8 % 10,
                    (random >> 30) as u8 & 1,
                ]);
            }
            let mut decoder = Decoder::new(64);
            while let Ok(Some(_)) = decoder.next(&mut bytes) {}
        }
    }
}
