//! MessagePack: the bodies of messages.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use lampyris_runtime::codec::{Payload, decode, encode, scan};
use serde::{Deserialize, Serialize};

use super::{Target, nothing_kept};

/// The one function that makes values of bytes from outside.
pub const MESSAGE_PACK: Target = Target {
    name: "message_pack",
    run: message_pack,
    seeds,
    end: nothing_kept,
};

/// Types that are all a decoder can stumble over: recursion through variants, options, maps, payloads, tuples.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Text(String),
    Node(Box<Tree>),
    Many(Vec<Tree>),
    Named {
        left: Box<Tree>,
        right: Option<Box<Tree>>,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    number: u64,
    #[serde(default)]
    small: i8,
    ratio: Option<f32>,
    name: String,
    blob: Payload,
    pair: (u8, bool),
    by_name: BTreeMap<String, Vec<u16>>,
    tree: Option<Tree>,
    letter: char,
}

/// What is no whole value is refused by all types; what was read can be written, and is then the same.
fn message_pack(input: &[u8]) {
    let body = Bytes::copy_from_slice(input);
    let whole = scan(&body).is_ok();
    same_again::<Tree>(&body, whole);
    same_again::<Everything>(&body, whole);
    same_again::<Vec<u64>>(&body, whole);
    same_again::<Payload>(&body, whole);
    payloads(&body);
    // Skipping is a way of its own through the bytes, and a dynamic value one of the deepest.
    let skipped = decode::<serde::de::IgnoredAny>(&body).is_ok();
    assert!(whole || !skipped, "half a value was skipped");
    let any = decode::<serde_json::Value>(&body).is_ok();
    assert!(whole || !any, "half a value was read");
}

/// A payload is the same by each way to it: the short one past serde, the ordinary one, and by JSON.
fn payloads(body: &Bytes) {
    if let Some(plain) = Payload::of_body(body) {
        let read = decode::<Payload>(body).expect("because it is one");
        assert_eq!(&*read, plain);
        assert_eq!(read.as_text(), std::str::from_utf8(plain).ok());
        assert_eq!(read.into_bytes(), plain);
    }
    // The reader of JSON takes more for a run of bytes than for a text: control characters, and bytes that are none.
    if let Ok(payload) = serde_json::from_slice::<Payload>(body)
        && let Ok(value) = serde_json::from_slice::<serde_json::Value>(body)
    {
        let again = serde_json::from_value::<Payload>(value).ok();
        assert!(
            again.is_none_or(|again| again == payload),
            "by way of JSON it is another one"
        );
    }
}

fn same_again<T: Serialize + for<'a> Deserialize<'a> + PartialEq + std::fmt::Debug>(
    body: &Bytes,
    whole: bool,
) {
    let Ok(value) = decode::<T>(body) else { return };
    assert!(whole, "half a value was read");
    let mut out = BytesMut::new();
    if encode(&value, &mut out).is_ok()
        && let Ok(again) = decode::<T>(&out.freeze())
    {
        // What is not equal to itself has a number that is none.
        assert!(again == value || !is_itself(&value), "{value:?} became {again:?}");
    }
}

fn is_itself<T: PartialEq>(value: &T) -> bool {
    let same = value;
    value == same
}

fn seeds() -> Vec<Vec<u8>> {
    let tree = || Tree::Named {
        left: Box::new(Tree::Node(Box::new(Tree::Text("x".into())))),
        right: Some(Box::new(Tree::Many(vec![Tree::Leaf, Tree::Leaf]))),
    };
    let everything = Everything {
        number: u64::MAX,
        small: -7,
        ratio: Some(0.5),
        name: "name".into(),
        blob: Payload::from("blob"),
        pair: (1, true),
        by_name: BTreeMap::from([("a".into(), vec![1, 300])]),
        tree: Some(tree()),
        letter: 'ß',
    };
    let bytes = |value: &dyn Fn(&mut BytesMut)| {
        let mut out = BytesMut::new();
        value(&mut out);
        out.to_vec()
    };
    vec![
        bytes(&|out| encode(&tree(), out).expect("because it has a length")),
        bytes(&|out| encode(&everything, out).expect("because it has a length")),
        bytes(&|out| encode(&vec![1_u64, 2, 1 << 40], out).expect("because it has a length")),
        b"\xc4\x02hi".to_vec(),
        b"\xc5\x00\x02hi".to_vec(),
        b"\xc6\x00\x00\x00\x02hi".to_vec(),
        b"[104, 105]".to_vec(),
        b"\"hi\"".to_vec(),
        [vec![0x91; 10_000], vec![0xc0]].concat(),
        b"\x81\xa4Node".repeat(5000),
        b"\xdf\xff\xff\xff\xff\x01\x02".to_vec(),
        b"\xdd\xff\xff\xff\xff".to_vec(),
        vec![0xc1; 64 * 1024],
        b"\xc9\x00\x00\x00\x02\x05ab".to_vec(),
        b"\xd6\xff\x00\x00\x00\x01".to_vec(),
    ]
}
