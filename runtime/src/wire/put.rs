//! Frames to bytes.

use bytes::{BufMut, Bytes, BytesMut};

use super::{CHUNK, Frame, Goodbye, HEAD, Head, LENGTH, MORE, REPLY, REQUEST};
use crate::error::{ErrorKind, Fault, MAX_MESSAGE};
use crate::reply::{Write, Wrote};

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
    put_fields(head, 0, out);
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
        match at {
            0 => put_fields(head, flags, &mut out),
            _ => put_head(&mut out, 5, flags),
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

/// Appends a frame that is not a message.
pub fn put_control(frame: &Frame, out: &mut BytesMut) {
    let start = out.len();
    match frame {
        Frame::Ping(token) | Frame::Pong(token) => {
            put_head(out, if matches!(frame, Frame::Ping(_)) { 6 } else { 7 }, 0);
            out.put_u64(*token);
        }
        Frame::Goodbye(reason) => {
            put_head(out, 8, 0);
            out.put_u8(match reason {
                Goodbye::Stopping => 1,
                Goodbye::Replaced => 2,
            });
        }
        Frame::Drain => put_head(out, 9, 0),
        Frame::Drained => put_head(out, 10, 0),
        Frame::Trace { call, context } => {
            put_head(out, 11, 0);
            out.put_u64(*call);
            out.put_u128(context.trace);
            out.put_u64(context.span);
        }
        Frame::Request { .. } | Frame::Notify { .. } | Frame::Reply { .. } | Frame::Fault { .. } => return,
    }
    patch_length(out, start);
}

/// Appends the head of a frame whose length is not known yet.
fn put_head(out: &mut BytesMut, kind: u8, flags: u8) {
    out.put_slice(&[0, 0, 0, 0, kind, flags]);
}

/// Appends the head of a message and its fields, in one piece whose size is known: copying it takes no call.
fn put_fields(head: Head, flags: u8, out: &mut BytesMut) {
    let kind = head.kind();
    match head {
        Head::Request {
            call,
            budget,
            handler,
        } => {
            let mut piece = begun::<{ LENGTH + HEAD + REQUEST }>(kind, flags);
            let fields = &mut piece[LENGTH + HEAD..];
            fields[..8].copy_from_slice(&call.to_be_bytes());
            fields[8..12].copy_from_slice(&budget.to_be_bytes());
            fields[12..].copy_from_slice(&handler.0.to_be_bytes());
            out.put_slice(&piece);
        }
        Head::Notify { handler } => {
            let mut piece = begun::<{ LENGTH + HEAD + 4 }>(kind, flags);
            piece[LENGTH + HEAD..].copy_from_slice(&handler.0.to_be_bytes());
            out.put_slice(&piece);
        }
        Head::Reply { call } | Head::Fault { call } => {
            let mut piece = begun::<{ LENGTH + HEAD + REPLY }>(kind, flags);
            piece[LENGTH + HEAD..].copy_from_slice(&call.to_be_bytes());
            out.put_slice(&piece);
        }
    }
}

/// The first bytes of a frame, whose length is not known yet.
#[inline]
fn begun<const SIZE: usize>(kind: u8, flags: u8) -> [u8; SIZE] {
    let mut piece = [0; SIZE];
    (piece[LENGTH], piece[LENGTH + 1]) = (kind, flags);
    piece
}

fn patch_length(out: &mut BytesMut, start: usize) {
    let length = u32_of(out.len() - start - LENGTH);
    out[start..start + LENGTH].copy_from_slice(&length.to_be_bytes());
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).expect("because a frame is shorter than MAX_FRAME")
}
