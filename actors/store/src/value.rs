//! What a column can hold, and how the fields of a struct become columns.

use std::fmt;

/// A text. One of up to 24 bytes takes no memory of its own, which makes it the type for keys: an entity is copied for
/// each change, and most that a change costs is to read memory that was not read for a while.
pub use compact_str::CompactString as Text;

use crate::error::StoreError;

/// Longest key in the form of text, in bytes: it is part of the index of the leases.
pub const MAX_KEY: usize = 128;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A signed number of 64 bits.
    Int,
    /// A number with a fraction, of 64 bits.
    Real,
    /// True or false.
    Bool,
    /// Text in UTF-8.
    Text,
    /// Bytes.
    Blob,
}

/// One column of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing; databases want to know what it is that is absent.
    Null(Kind),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Real(f64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// The primary key of an entity, or the foreign one: a number or a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A number.
    Int(i64),
    /// A text of at most [`MAX_KEY`] bytes.
    Text(Text),
}

impl Key {
    /// # Errors
    /// [`StoreError::BadKey`] for a text that is empty or too long, or has a NUL in it.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Text(text) if text.is_empty() => Err(StoreError::BadKey("it is empty".to_owned())),
            Self::Text(text) if text.len() > MAX_KEY => Err(StoreError::BadKey(format!(
                "it has {} bytes, more than {MAX_KEY}",
                text.len()
            ))),
            Self::Text(text) if text.contains('\0') => Err(StoreError::BadKey("it has a NUL".to_owned())),
            _ => Ok(()),
        }
    }

    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text.to_string()),
        }
    }

    pub(crate) fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Int(number) => Ok(Self::Int(number)),
            Value::Text(text) => Ok(Self::Text(text.into())),
            other => Err(format!("{other:?} is no key")),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Text> for Key {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&Text> for Key {
    fn from(text: &Text) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&String> for Key {
    fn from(text: &String) -> Self {
        Self::Text(text.as_str().into())
    }
}

/// A type that a field of an entity can have.
pub trait Field: Sized {
    /// The type of its column.
    const KIND: Kind;
    /// Whether its column may hold nothing.
    const NULLABLE: bool = false;

    /// The field as a column.
    fn to_value(&self) -> Value;

    /// Whether both are the same column.
    fn same(&self, other: &Self) -> bool {
        self.to_value() == other.to_value()
    }

    /// The column as a field.
    ///
    /// # Errors
    /// What does not fit.
    fn from_value(value: Value) -> Result<Self, String>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Field for $number {
            const KIND: Kind = Kind::Int;

            fn to_value(&self) -> Value {
                Value::Int(i64::from(*self))
            }

            fn from_value(value: Value) -> Result<Self, String> {
                match value {
                    Value::Int(number) => {
                        Self::try_from(number).map_err(|_| format!("{number} is no {}", stringify!($number)))
                    }
                    other => Err(format!("{other:?} is no number")),
                }
            }
        }

        impl From<$number> for Key {
            fn from(number: $number) -> Self {
                Self::Int(i64::from(number))
            }
        }
    )*};
}

numbers!(i64, i32, i16, i8, u32, u16, u8);

impl Field for f64 {
    const KIND: Kind = Kind::Real;

    fn to_value(&self) -> Value {
        Value::Real(*self)
    }

    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Real(number) => Ok(number),
            other => Err(format!("{other:?} is no number with a fraction")),
        }
    }
}

impl Field for bool {
    const KIND: Kind = Kind::Bool;

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Bool(truth) => Ok(truth),
            other => Err(format!("{other:?} is neither true nor false")),
        }
    }
}

impl Field for String {
    const KIND: Kind = Kind::Text;

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn same(&self, other: &Self) -> bool {
        self == other
    }

    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(format!("{other:?} is no text")),
        }
    }
}

impl Field for Text {
    const KIND: Kind = Kind::Text;

    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }

    fn same(&self, other: &Self) -> bool {
        self == other
    }

    fn from_value(value: Value) -> Result<Self, String> {
        String::from_value(value).map(Self::from)
    }
}

impl Field for Vec<u8> {
    const KIND: Kind = Kind::Blob;

    fn to_value(&self) -> Value {
        Value::Blob(self.clone())
    }

    fn same(&self, other: &Self) -> bool {
        self == other
    }

    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Blob(bytes) => Ok(bytes),
            other => Err(format!("{other:?} are no bytes")),
        }
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null(T::KIND), Field::to_value)
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(one), Some(other)) => one.same(other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Null(_) => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<F: Field + PartialEq + fmt::Debug>(field: F, value: Value) {
        assert_eq!(field.to_value(), value);
        assert_eq!(F::from_value(value), Ok(field));
    }

    #[test]
    fn fields_become_columns_and_columns_fields() {
        there_and_back(5_u8, Value::Int(5));
        there_and_back(true, Value::Bool(true));
        there_and_back(0.5, Value::Real(0.5));
        there_and_back(vec![0_u8, 1], Value::Blob(vec![0, 1]));
        there_and_back(Some("owls".to_owned()), Value::Text("owls".into()));
        there_and_back(None::<Text>, Value::Null(Kind::Text));
        for text in [
            "",
            "ann",
            "one that is longer than what stands in the entity itself",
            "éß€😀",
        ] {
            there_and_back(Text::from(text), Value::Text(text.into()));
            assert_eq!(Key::from(Text::from(text)), Key::from(text));
            assert_eq!(Key::of(Value::Text(text.into())), Ok(Key::from(text.to_owned())));
        }
        assert!(u8::from_value(Value::Int(256)).is_err() && Text::from_value(Value::Int(1)).is_err());
    }

    #[test]
    fn a_key_is_neither_empty_nor_long_nor_cut_short_by_a_nul() {
        let is_fine = |text: &str| Key::from(text).check().is_ok();
        assert!(is_fine("ann") && is_fine(&"a".repeat(MAX_KEY)));
        assert!(!is_fine("") && !is_fine(&"a".repeat(MAX_KEY + 1)) && !is_fine("a\0b"));
    }
}
