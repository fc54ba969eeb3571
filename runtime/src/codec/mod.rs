//! MessagePack in and out: the one place where bytes from outside become values.
//!
//! [`decode`] first walks the bytes without recursion ([`scan()`]): nesting at most [`MAX_DEPTH`], every element
//! present, no byte left over. Only then serde sees them. So neither a length bomb nor deep nesting (which
//! rmp-serde does not count through enums) can exhaust memory or the stack.
//!
//! Structs are written as maps with field names, so that nodes of two versions understand each other: a field
//! with `#[serde(default)]` may be added anywhere, and an unknown one is skipped.

mod lone;
mod payload;
mod scan;
mod whole;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ErrorKind, Fault};
use lone::Lone;
pub use payload::Payload;
pub use scan::{MAX_DEPTH, Malformed, scan};
use whole::Whole;

/// Reads one value that fills `body` to its last byte. [`Payload`] fields share `body`'s memory.
///
/// # Errors
/// [`ErrorKind::BadPayload`], naming the path of the field that did not fit.
pub fn decode<T: DeserializeOwned>(body: &Bytes) -> Result<T, Fault> {
    scan(body).map_err(|why| Fault::new(ErrorKind::BadPayload, format!("no MessagePack: {why}")))?;
    let _source = payload::share(body);
    let mut reader = rmp_serde::Deserializer::from_read_ref(body);
    reader.set_max_depth(MAX_DEPTH * 2);
    match T::deserialize(&mut reader) {
        Ok(value) => Ok(value),
        Err(_) => Err(explain::<T>(body)),
    }
}

/// The same, of a body that is not needed any more. A message that is one [`Payload`] and nothing else, such as
/// `struct Say(Payload)`, takes it over.
///
/// # Errors
/// As [`decode`].
pub fn read<T: DeserializeOwned>(mut body: Bytes) -> Result<T, Fault> {
    let Some(payload) = Payload::of_body(&body) else {
        return decode(&body);
    };
    let start = body.len() - payload.len();
    let whole = Whole {
        body: &mut body,
        start,
    };
    match T::deserialize(whole) {
        Ok(value) => Ok(value),
        // Something else that bytes can be read as, or a fault that is to be explained.
        Err(_) if !body.is_empty() => decode(&body),
        Err(why) => Err(Fault::new(ErrorKind::BadPayload, why.to_string())),
    }
}

/// Decodes once more, slowly, to name the field that did not fit.
fn explain<T: DeserializeOwned>(body: &Bytes) -> Fault {
    let mut reader = rmp_serde::Deserializer::from_read_ref(body);
    reader.set_max_depth(MAX_DEPTH * 2);
    let text = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => "the value does not fit".to_owned(),
        Err(error) => error.to_string(),
    };
    Fault::new(ErrorKind::BadPayload, text)
}

/// Appends one value. Unless it is nothing but bytes it is asked twice to serialize itself, the first time in vain.
///
/// # Errors
/// [`ErrorKind::BadPayload`] when the value cannot be written as MessagePack, such as a map that does not know
/// its length.
pub fn encode<T: Serialize + ?Sized>(value: &T, out: &mut BytesMut) -> Result<(), Fault> {
    let start = out.len();
    if value.serialize(Lone(out)).is_ok() {
        return Ok(());
    }
    out.truncate(start);
    let mut writer = rmp_serde::Serializer::new(out.writer()).with_struct_map();
    value.serialize(&mut writer).map_err(|why| {
        Fault::new(
            ErrorKind::BadPayload,
            format!("cannot be written as MessagePack: {why}"),
        )
    })
}

/// One value in bytes of its own.
///
/// # Errors
/// As [`encode`].
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Fault> {
    let mut out = BytesMut::with_capacity(64);
    encode(value, &mut out)?;
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Move {
        player: u32,
        to: (i16, i16),
        note: Payload,
    }

    #[derive(Debug, Serialize, Deserialize)]
    enum Deep {
        More(Box<Deep>),
        End,
    }

    #[test]
    fn a_value_comes_back_and_its_payload_is_not_copied() {
        let sent = Move {
            player: 7,
            to: (1, -1),
            note: Payload::from("hello"),
        };
        let body = to_bytes(&sent).unwrap();
        let got: Move = decode(&body).unwrap();
        assert_eq!(got, sent);
        let whole = body.as_ptr() as usize..body.as_ptr() as usize + body.len();
        assert!(
            whole.contains(&(got.note.as_ptr() as usize)),
            "the payload was copied"
        );
    }

    #[test]
    fn a_message_that_is_one_payload_takes_its_bytes_over() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Say(Payload);

        for length in [0, 1, 255, 256, 70_000] {
            let sent = Say(Payload::from(vec![7; length]));
            let body = to_bytes(&sent).unwrap();
            let mut usual = Vec::new();
            sent.serialize(&mut rmp_serde::Serializer::new(&mut usual))
                .unwrap();
            assert_eq!(body, usual, "written otherwise than by the library");
            let end = body.as_ptr_range().end;
            let got: Say = read(body.clone()).unwrap();
            assert_eq!(got, sent);
            assert_eq!(got.0.as_ptr_range().end, end, "the payload was copied");
            assert_eq!(read::<Option<Say>>(body.clone()).unwrap(), Some(sent));
            assert_eq!(read::<Bytes>(body.clone()).unwrap(), got.0.into_bytes());
            assert_eq!(read::<Vec<u8>>(body.clone()).unwrap(), vec![7; length]);
            let fault = read::<Move>(body).unwrap_err();
            assert_eq!(fault.kind, ErrorKind::BadPayload);
        }
        assert_eq!(
            read::<Say>(to_bytes("text").unwrap()).unwrap().0.as_text(),
            Some("text")
        );
        let json: Say = serde_json::from_str("\"text\"").unwrap();
        assert_eq!(json.0.as_text(), Some("text"));
        assert!(serde_json::from_str::<Say>("null").is_err());
    }

    #[test]
    fn a_field_that_does_not_fit_is_named() {
        let body = to_bytes(&serde_json::json!({"player": "seven", "to": [1, 1], "note": "x"})).unwrap();
        let fault = decode::<Move>(&body).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::BadPayload);
        assert!(fault.message.contains("player"), "{}", fault.message);
    }

    #[test]
    fn bytes_behind_the_value_are_refused() {
        assert!(decode::<u32>(&Bytes::from_static(&[1, 2])).is_err());
        assert!(decode::<u32>(&Bytes::new()).is_err());
        assert_eq!(decode::<u32>(&Bytes::from_static(&[1])).unwrap(), 1);
    }

    #[test]
    fn a_recursive_enum_cannot_exhaust_the_stack() {
        let mut bytes = Vec::new();
        for _ in 0..100_000 {
            bytes.extend_from_slice(b"\x81\xa4More");
        }
        bytes.extend_from_slice(b"\xa3End");
        let deep = std::thread::Builder::new().stack_size(2 << 20);
        let ended = deep
            .spawn(move || decode::<Deep>(&Bytes::from(bytes)).is_err())
            .unwrap()
            .join()
            .unwrap();
        assert!(ended);
    }
}
