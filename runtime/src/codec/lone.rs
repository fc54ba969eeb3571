//! The other way of [`whole`](super::whole): a message that is one payload and nothing else is written in one piece.

use bytes::{BufMut, BytesMut};
use serde::ser::{Error, Impossible, Serialize, Serializer};

/// The value is something else, or longer than is worth the trouble; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is more than bytes")]
pub(super) struct More;

impl Error for More {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Appends a value that is nothing but bytes.
pub(super) struct Lone<'a>(pub(super) &'a mut BytesMut);

/// Refuses what takes values of these types.
macro_rules! more {
    ($($name:ident($($type:ty),*) -> $ok:ty;)*) => {
        $(fn $name(self, $(_: $type),*) -> Result<$ok, More> {
            Err(More)
        })*
    };
}

type Never = Impossible<(), More>;

impl Serializer for Lone<'_> {
    type Ok = ();
    type Error = More;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), More> {
        let length = u8::try_from(bytes.len()).map_err(|_| More)?;
        self.0.reserve(2 + bytes.len());
        self.0.put_slice(&[0xc4, length]);
        self.0.put_slice(bytes);
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), More> {
        value.serialize(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), More> {
        Err(More)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), More> {
        Err(More)
    }

    more! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }
}
