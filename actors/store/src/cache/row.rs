//! A row as the bytes of a cache entry, checked on the way back. Pure.
//!
//! ```text
//! 0  version, u8 = 1
//! 1  CRC-32 of the key and the values, u32, little-endian
//! 5  the values, as in the journal
//! ```

use crate::journal::body::{Reader, put_value};
use crate::value::{Kind, Value};

const VERSION: u8 = 1;
const HEAD: usize = 5;

/// The bytes of a row; `None` for one that is too large.
pub(super) fn encode(row: &[Value], key: &str) -> Option<Vec<u8>> {
    let mut out = vec![VERSION, 0, 0, 0, 0];
    for value in row {
        put_value(value, &mut out)?;
    }
    let sum = checksum(key, &out[HEAD..]);
    out[1..HEAD].copy_from_slice(&sum.to_le_bytes());
    Some(out)
}

/// The row, if the bytes are one of this key with columns of these kinds.
pub(super) fn decode(bytes: &[u8], key: &str, kinds: &[Kind]) -> Option<Vec<Value>> {
    let (head, body) = bytes.split_at_checked(HEAD)?;
    if head[0] != VERSION || head[1..] != checksum(key, body).to_le_bytes() {
        return None;
    }
    let mut body = Reader(body);
    let row: Vec<Value> = kinds.iter().map(|_| body.value()).collect::<Option<_>>()?;
    let fits = row.iter().zip(kinds).all(|(value, kind)| kind_of(value) == *kind);
    (fits && body.0.is_empty()).then_some(row)
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Null(kind) => *kind,
        Value::Int(_) => Kind::Int,
        Value::Real(_) => Kind::Real,
        Value::Bool(_) => Kind::Bool,
        Value::Text(_) => Kind::Text,
        Value::Blob(_) => Kind::Blob,
    }
}

fn checksum(key: &str, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_row_of_the_key_comes_back() {
        let row = [
            Value::Int(7),
            Value::Text("größe".to_owned()),
            Value::Null(Kind::Blob),
        ];
        let kinds = [Kind::Int, Kind::Text, Kind::Blob];
        let bytes = encode(&row, "a:b:7").unwrap();
        assert_eq!(decode(&bytes, "a:b:7", &kinds).unwrap(), row);
        assert_eq!(decode(&bytes, "a:b:8", &kinds), None);
        assert_eq!(decode(&bytes, "a:b:7", &kinds[..2]), None, "another table");
        assert_eq!(decode(&bytes, "a:b:7", &[Kind::Int, Kind::Text, Kind::Int]), None);
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 4;
            assert_eq!(decode(&bytes, "a:b:7", &kinds), None, "byte {at}");
            assert_eq!(decode(&bytes[..at], "a:b:7", &kinds), None);
        }
    }
}
