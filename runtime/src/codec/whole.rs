//! A message that is one payload and nothing else, as a gate hands it on: its bytes become the payload's as they are.

use bytes::{Buf, Bytes};
use rmp_serde::decode::Error;
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::payload;

/// Reads a body whose only value is a `bin` that begins at `start`.
pub(super) struct Whole<'a> {
    /// Empty once it has been given away.
    pub(super) body: &'a mut Bytes,
    pub(super) start: usize,
}

impl<'de> Deserializer<'de> for Whole<'_> {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(&self.body[self.start..])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name != payload::NAME {
            return visitor.visit_newtype_struct(self);
        }
        let mut bytes = std::mem::take(self.body);
        bytes.advance(self.start);
        payload::give(bytes, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}
