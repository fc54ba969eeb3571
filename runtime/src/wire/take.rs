//! Bytes to frames.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::{Broken, CHUNK, Frame, Goodbye, HEAD, Head, LENGTH, MAX_FRAME, MORE, REPLY, REQUEST};
use crate::error::{ErrorKind, Fault};
use crate::trace::Context;

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

    /// A request or a reply at the front of the bytes that is there as a whole and in one frame: its fields, and where its
    /// body is, with which the frame ends. What is no such message, or breaks the rules, is for [`Decoder::next`].
    ///
    /// Nearly all frames are such; of those that came together the buffer is cut once.
    #[inline]
    pub fn short(&self, bytes: &[u8]) -> Option<(Head, Range<usize>)> {
        let &[a, b, c, d, kind, 0] = bytes.first_chunk()? else {
            return None;
        };
        let fields = &bytes[LENGTH + HEAD..];
        let (head, start) = match kind {
            Head::REQUEST => (Head::request(fields.first_chunk()?), LENGTH + HEAD + REQUEST),
            Head::REPLY => {
                let call = u64::from_be_bytes(*fields.first_chunk()?);
                (Head::Reply { call }, LENGTH + HEAD + REPLY)
            }
            _ => return None,
        };
        let body = start..LENGTH + u32::from_be_bytes([a, b, c, d]) as usize;
        let is_whole = (start..=bytes.len()).contains(&body.end);
        let fits = body.len() <= self.limit.min(CHUNK);
        (is_whole && fits && self.long.is_none()).then_some((head, body))
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
                11 if self.long.is_none() => {
                    let frame = trace(rest)?;
                    buffer.advance(LENGTH + length);
                    return Ok(Some(frame));
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
                    // A fault is bounded by its frame: it must come through however small the messages are.
                    if rest.len() - fields > self.limit && !matches!(head, Head::Fault { .. }) {
                        return Err(Broken::TooLarge(self.limit));
                    }
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

fn trace(mut rest: &[u8]) -> Result<Frame, Broken> {
    if rest.len() < 8 + 16 + 8 {
        return Err(Broken::Short(11));
    }
    let call = rest.get_u64();
    let (trace, span) = (rest.get_u128(), rest.get_u64());
    let context = Box::new(Context { trace, span });
    Ok(Frame::Trace { call, context })
}

pub(super) fn take_fault(mut body: Bytes) -> Result<Fault, Broken> {
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
