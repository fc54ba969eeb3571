//! Bytes inside a message that nobody on the way needs to read or copy.
//!
//! While [`decode`](super::decode) runs, the body it reads from is known to this thread, so a [`Payload`] field
//! becomes a slice of it instead of a copy. Elsewhere (JSON, a plain rmp-serde call) it is copied.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use serde::{Serialize, Serializer};

thread_local! {
    /// The body that is being decoded on this thread.
    static SOURCE: RefCell<Option<Bytes>> = const { RefCell::new(None) };
    /// Bytes on their way from [`give`] to the payload that asked for them.
    static GIVEN: Cell<Option<Bytes>> = const { Cell::new(None) };
}

/// The name by which a [`Payload`] asks a deserializer of this crate for bytes to keep.
pub(super) const NAME: &str = "$lampyris::Payload";

/// Gives bytes to a visitor that asked for them by [`NAME`]: the way of serde has no place for them.
pub(super) fn give<'de, V: Visitor<'de>, E: Error>(bytes: Bytes, visitor: V) -> Result<V::Value, E> {
    GIVEN.with(|given| {
        given.set(Some(bytes));
        let value = visitor.visit_unit();
        given.set(None);
        value
    })
}

/// Ends the sharing when decoding ends, also by a panic.
pub(super) struct Shared;

/// Lets payloads that are decoded on this thread, until the guard is dropped, be slices of `body`.
pub(super) fn share(body: &Bytes) -> Shared {
    SOURCE.set(Some(body.clone()));
    Shared
}

impl Drop for Shared {
    fn drop(&mut self) {
        SOURCE.set(None);
    }
}

/// Opaque bytes: a game client's payload, a blob. MessagePack `bin`; text is accepted as well.
///
/// Cheap to clone. A gate that only hands a payload on neither decodes nor copies it when it arrives.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Payload(Bytes);

impl Payload {
    /// The bytes of a body that is exactly one payload, without serde; `None` when it is anything else.
    pub fn of_body(body: &[u8]) -> Option<&[u8]> {
        if let [0xc4, length, bytes @ ..] = body {
            return (bytes.len() == usize::from(*length)).then_some(bytes);
        }
        let (width, rest) = match body.split_first()? {
            (0xc5, rest) => (2, rest),
            (0xc6, rest) => (4, rest),
            _ => return None,
        };
        let (length, bytes) = rest.split_at_checked(width)?;
        let length = length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
        (bytes.len() == length).then_some(bytes)
    }

    /// The bytes, without a copy.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The payload as text, if it is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Into<Bytes>> From<T> for Payload {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME, PayloadVisitor)
    }
}

struct PayloadVisitor;

impl PayloadVisitor {
    fn borrowed(bytes: &[u8]) -> Payload {
        SOURCE.with_borrow(|source| match source {
            Some(body) if body.as_ptr_range().contains(&bytes.as_ptr()) => Payload(body.slice_ref(bytes)),
            _ => Payload(Bytes::copy_from_slice(bytes)),
        })
    }
}

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes or text")
    }

    /// The way of every other deserializer.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Payload, D::Error> {
        deserializer.deserialize_byte_buf(self)
    }

    /// What [`give`] gives; nothing in any other case.
    fn visit_unit<E: Error>(self) -> Result<Payload, E> {
        let given = GIVEN.with(Cell::take);
        given
            .map(Payload)
            .ok_or_else(|| E::invalid_type(Unexpected::Unit, &self))
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Payload, E> {
        Ok(Self::borrowed(bytes))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Payload, E> {
        Ok(Self::borrowed(text.as_bytes()))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Payload, E> {
        Ok(Payload(Bytes::copy_from_slice(bytes)))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Payload, E> {
        Ok(Payload(bytes.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Payload, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Payload, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(Payload(bytes.into()))
    }
}
