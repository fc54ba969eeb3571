//! Every kind, split anywhere; what breaks the table; random bytes.

use bytes::BytesMut;

use super::*;
use crate::error::ErrorKind;
use crate::reply::Wrote;

const HEADS: [Head; 4] = [
    Head::Request {
        call: u64::MAX - 1,
        budget: 5_000,
        handler: HandlerId(0xdead_beef),
    },
    Head::Notify {
        handler: HandlerId(7),
    },
    Head::Reply { call: 3 },
    Head::Fault { call: 4 },
];

fn message(head: Head, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    let mut write = |out: &mut BytesMut| {
        if let Head::Fault { .. } = head {
            put_fault(&Fault::new(ErrorKind::TooLarge, "no"), out);
        }
        out.extend_from_slice(body);
        Ok(Wrote::Reply)
    };
    assert_eq!(put_message(head, &mut write, CHUNK, &mut out).unwrap(), None);
    out
}

#[test]
fn every_kind_comes_back_however_it_is_split() {
    let mut all = BytesMut::new();
    for head in HEADS {
        all.extend_from_slice(&message(head, b"body"));
    }
    put_control(&Frame::Ping(1), &mut all);
    put_control(&Frame::Pong(2), &mut all);
    put_control(&Frame::Goodbye(Goodbye::Replaced), &mut all);
    put_control(&Frame::Drain, &mut all);
    put_control(&Frame::Drained, &mut all);
    let traced = Frame::Trace {
        call: 5,
        context: Box::new(Context {
            trace: u128::MAX - 8,
            span: 9,
        }),
    };
    put_control(&traced, &mut all);
    for step in 1..all.len() {
        let (mut buffer, mut decoder, mut frames) = (BytesMut::new(), Decoder::new(CHUNK), Vec::new());
        for part in all.chunks(step) {
            buffer.extend_from_slice(part);
            while let Some(frame) = decoder.next(&mut buffer).unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(frames.len(), 10);
        assert!(matches!(&frames[0], Frame::Request { budget: 5_000, body, .. } if &body[..] == b"body"));
        assert!(matches!(&frames[3], Frame::Fault { call: 4, fault } if fault.kind == ErrorKind::TooLarge));
        let rest = [
            Frame::Ping(1),
            Frame::Pong(2),
            Frame::Goodbye(Goodbye::Replaced),
            Frame::Drain,
            Frame::Drained,
            traced.clone(),
        ];
        assert_eq!(frames[4..], rest);
    }
}

#[test]
fn a_whole_short_request_or_reply_is_found_where_it_stands_and_nothing_else() {
    let decoder = Decoder::new(4);
    for head in [HEADS[0], HEADS[2]] {
        let message = message(head, b"body");
        let (found, body) = decoder.short(&message).unwrap();
        assert_eq!((found, &message[body.clone()]), (head, &b"body"[..]));
        assert_eq!(body.end, message.len());
        for length in 0..message.len() {
            assert_eq!(decoder.short(&message[..length]), None, "a part of it");
        }
        assert_eq!(Decoder::new(3).short(&message), None, "longer than is allowed");
        let mut short = message.clone();
        let fields = message.len() - LENGTH - b"body".len();
        for length in 0..fields as u8 {
            short[3] = length;
            assert_eq!(decoder.short(&short), None, "ends inside its fields");
        }
        let long = Bytes::from(vec![0; CHUNK + 1]);
        let (start, part) = chunks(head, &long).next().unwrap();
        let mut start = BytesMut::from(&start[..]);
        start.extend_from_slice(&part);
        let mut within = Decoder::new(2 * CHUNK);
        assert_eq!(within.short(&start), None, "there is more of it");
        assert_eq!(within.next(&mut start), Ok(None));
        assert_eq!(within.short(&message), None, "in the middle of another message");
    }
    for head in [HEADS[1], HEADS[3]] {
        assert_eq!(decoder.short(&message(head, b"body")), None, "{head:?}");
    }
}

#[test]
fn what_breaks_the_table_is_told_apart() {
    let decode = |bytes: &[u8]| Decoder::new(100).next(&mut BytesMut::from(bytes));
    assert_eq!(decode(&[0, 0, 0, 1, 1]), Err(Broken::Length(1)));
    assert_eq!(decode(&[0xff; 4]), Err(Broken::Length(0xffff_ffff)));
    assert_eq!(decode(&[0, 0, 0, 2, 99, 0]), Err(Broken::Kind(99)));
    assert_eq!(decode(&[0, 0, 0, 2, 1, 0]), Err(Broken::Short(1)));
    assert_eq!(decode(&[0, 0, 0, 2, 5, 0]), Err(Broken::Order(5)));
    assert_eq!(decode(&[0, 0, 0, 2, 6, 0]), Err(Broken::Short(6)));
    assert_eq!(decode(&[0, 0, 0, 2, 11, 0]), Err(Broken::Short(11)));
    assert_eq!(decode(&[0, 0, 0, 2]), Ok(None));
}

#[test]
fn a_message_above_the_limit_is_refused_while_it_comes() {
    let body = Bytes::from(vec![0; 3 * CHUNK]);
    let mut buffer = BytesMut::new();
    for (head, part) in chunks(HEADS[0], &body) {
        buffer.extend_from_slice(&head);
        buffer.extend_from_slice(&part);
    }
    assert_eq!(
        Decoder::new(2 * CHUNK).next(&mut buffer),
        Err(Broken::TooLarge(2 * CHUNK))
    );
}

#[test]
fn the_limit_holds_for_a_message_of_one_frame_too_but_not_for_a_fault() {
    let decode = |head, length| {
        let mut buffer = message(head, &vec![0; length]);
        Decoder::new(100).next(&mut buffer)
    };
    let notify = Head::Notify {
        handler: HandlerId(1),
    };
    assert!(decode(notify, 100).unwrap().is_some());
    assert_eq!(decode(notify, 101), Err(Broken::TooLarge(100)));
    assert_eq!(decode(Head::Reply { call: 1 }, 101), Err(Broken::TooLarge(100)));
    assert!(decode(Head::Fault { call: 1 }, 101).unwrap().is_some());
}

#[test]
fn a_fault_of_a_later_version_still_ends_its_call() {
    let mut out = message(HEADS[3], b"");
    let code = out.len() - 5;
    assert_eq!(out[code], ErrorKind::TooLarge.code());
    out[code] = 250;
    match Decoder::new(CHUNK).next(&mut out).unwrap() {
        Some(Frame::Fault { fault, .. }) => assert_eq!(fault.kind, ErrorKind::Cancelled),
        other => panic!("{other:?}"),
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = 7_u64;
    for _ in 0..20_000 {
        let mut bytes = BytesMut::new();
        for _ in 0..24 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.extend_from_slice(&[
                0,
                0,
                0,
                (random >> 58) as u8,
                (random >> 40) as u8 % 10,
                (random >> 30) as u8 & 1,
            ]);
        }
        let mut decoder = Decoder::new(64);
        while let Ok(Some(_)) = decoder.next(&mut bytes) {}
    }
}
