//! Changes and values as bytes. Pure; it knows nothing of records and segments.
//!
//! All numbers are little-endian.
//!
//! ```text
//! change  kind, u8: 1 put, 2 set, 3 delete     text    length, u16, and UTF-8
//!         table, text                          key     1 and i64, or 2 and text
//!         key's column, text                   value   0 null, then its type's number
//!         key                                          1 i64, 2 f64, 3 bool as u8,
//!         fence, i64                                   4 text and 5 bytes with a length of u32
//!         count of columns, u16
//!         column, text, and value; for each
//! ```

use crate::change::{Change, Name, Op};
use crate::value::{Key, Kind, Value};

/// Types by their numbers.
pub(super) const KINDS: [Kind; 5] = [Kind::Int, Kind::Real, Kind::Bool, Kind::Text, Kind::Blob];

/// Whose change a record is.
pub(crate) struct Of<'a> {
    pub(crate) table: &'a str,
    pub(crate) key_column: &'a str,
    pub(crate) key: &'a Key,
    pub(crate) fence: i64,
}

/// Appends a change, `name` giving the names of its columns; `None` when something is too long.
pub(super) fn put_change<C>(
    of: &Of<'_>,
    op: &Op<C>,
    name: impl Fn(&C) -> &str,
    out: &mut Vec<u8>,
) -> Option<()> {
    let (kind, columns): (u8, &[_]) = match op {
        Op::Put(columns) => (1, columns),
        Op::Set(columns) => (2, columns),
        Op::Delete => (3, &[]),
    };
    out.push(kind);
    put_text(of.table, out)?;
    put_text(of.key_column, out)?;
    match of.key {
        Key::Int(number) => {
            out.push(1);
            out.extend(number.to_le_bytes());
        }
        Key::Text(text) => {
            out.push(2);
            put_text(text, out)?;
        }
    }
    out.extend(of.fence.to_le_bytes());
    out.extend(u16::try_from(columns.len()).ok()?.to_le_bytes());
    for (column, value) in columns {
        put_text(name(column), out)?;
        put_value(value, out)?;
    }
    Some(())
}

fn put_text(text: &str, out: &mut Vec<u8>) -> Option<()> {
    out.extend(u16::try_from(text.len()).ok()?.to_le_bytes());
    out.extend(text.as_bytes());
    Some(())
}

/// Appends one value; `None` when it is too long.
pub(crate) fn put_value(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend(u32::try_from(bytes.len()).ok()?.to_le_bytes());
        out.extend(bytes);
        Some(())
    };
    match value {
        Value::Text(text) => return bytes(4, text.as_bytes()),
        Value::Blob(blob) => return bytes(5, blob),
        Value::Null(kind) => {
            let at = KINDS.iter().position(|known| known == kind)?;
            out.extend([0, u8::try_from(at).ok()?]);
        }
        Value::Int(number) => {
            out.push(1);
            out.extend(number.to_le_bytes());
        }
        Value::Real(number) => {
            out.push(2);
            out.extend(number.to_le_bytes());
        }
        Value::Bool(truth) => out.extend([3, u8::from(*truth)]),
    }
    Some(())
}

pub(super) fn take_change(from: &mut Reader<'_>) -> Option<Change> {
    let kind = from.u8()?;
    let (table, key_column) = (from.text()?, from.text()?);
    let key = match from.u8()? {
        1 => Key::Int(from.i64()?),
        2 => Key::Text(from.text()?.into()),
        _ => return None,
    };
    let fence = from.i64()?;
    let count = from.u16()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push((Name::Owned(from.text()?), from.value()?));
    }
    let op = match kind {
        1 => Op::Put(columns),
        2 => Op::Set(columns),
        3 if columns.is_empty() => Op::Delete,
        _ => return None,
    };
    Some(Change {
        table: table.into(),
        key_column: key_column.into(),
        key,
        fence,
        op,
    })
}

/// Bytes that are read from the front; `None` when there are too few, or they mean nothing.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u16()?;
        String::from_utf8(self.take(length.into())?.to_vec()).ok()
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.u32()? as usize;
        self.take(length).map(<[u8]>::to_vec)
    }

    /// One value.
    pub(crate) fn value(&mut self) -> Option<Value> {
        Some(match self.u8()? {
            0 => Value::Null(*KINDS.get(usize::from(self.u8()?))?),
            1 => Value::Int(self.i64()?),
            2 => Value::Real(f64::from_le_bytes(self.array()?)),
            3 => Value::Bool(match self.u8()? {
                0 => false,
                1 => true,
                _ => return None,
            }),
            4 => Value::Text(String::from_utf8(self.bytes()?).ok()?),
            5 => Value::Blob(self.bytes()?),
            _ => return None,
        })
    }
}
