//! Frames and handshakes of links.

use bytes::{BufMut, Bytes, BytesMut};
use lampyris_runtime::error::MAX_MESSAGE;
use lampyris_runtime::link::Identity;
use lampyris_runtime::link::handshake::{Accepting, Dialing, Refusal, refusal, split};
use lampyris_runtime::name::{Incarnation, NodeName};
use lampyris_runtime::reply::Wrote;
use lampyris_runtime::wire::{Broken, Decoder, Frame, Head, put_control, put_fault, put_message};

use super::{Target, nothing_kept, pieces};

/// Longest message, so that the limit is met often.
const LIMIT: usize = 16 * 1024;

const SECRET: &[u8] = b"a secret of both ends";

/// The decoder of a link.
pub const FRAMES: Target = Target {
    name: "link_frame",
    run: frames,
    seeds: frame_seeds,
    end: nothing_kept,
};

/// Both ends of a handshake, with what strangers say.
pub const HANDSHAKE: Target = Target {
    name: "handshake",
    run: handshake,
    seeds: handshake_seeds,
    end: nothing_kept,
};

/// Reads what comes in pieces and at once alike, and each frame comes back as it was when it is written.
fn frames(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    let whole = read([bytes].into_iter());
    assert_eq!(
        whole,
        read(pieces(bytes, *first)),
        "in pieces it is something else"
    );
    let said: usize = whole.0.iter().map(said).sum();
    assert!(said <= bytes.len(), "it says more than there was");
    for frame in &whole.0 {
        comes_back(frame);
    }
}

/// Written and read again, it is the same.
fn comes_back(frame: &Frame) {
    let mut detail = BytesMut::new();
    let message = match frame {
        Frame::Request {
            call,
            budget,
            handler,
            body,
        } => {
            let (call, budget, handler) = (*call, *budget, *handler);
            Some((
                Head::Request {
                    call,
                    budget,
                    handler,
                },
                body,
            ))
        }
        Frame::Notify { handler, body } => Some((Head::Notify { handler: *handler }, body)),
        Frame::Reply { call, body } => Some((Head::Reply { call: *call }, body)),
        // A longer text is cut.
        Frame::Fault { fault, .. } if fault.message.len() > MAX_MESSAGE => return,
        Frame::Fault { call, fault } => {
            put_fault(fault, &mut detail);
            Some((Head::Fault { call: *call }, &detail.split().freeze()))
        }
        _ => None,
    };
    let mut bytes = BytesMut::new();
    match message {
        None => put_control(frame, &mut bytes),
        Some((head, body)) => {
            let mut write = |out: &mut BytesMut| {
                out.extend_from_slice(body);
                Ok(Wrote::Reply)
            };
            let long =
                put_message(head, &mut write, usize::MAX, &mut bytes).expect("because there is no limit");
            // A fault's detail may be as long as a frame, and then does not fit one behind another text.
            if long.is_some() {
                return;
            }
        }
    }
    let again = Decoder::new(LIMIT).next(&mut bytes);
    assert_eq!(
        again.as_ref(),
        Ok(&Some(frame.clone())),
        "it is another one when it is written"
    );
    assert!(bytes.is_empty(), "more is written than was read");
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<Broken>) {
    let mut decoder = Decoder::new(LIMIT);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.next(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(broken) => return (frames, Some(broken)),
            }
        }
    }
    (frames, None)
}

/// Bytes of a frame that came from outside.
fn said(frame: &Frame) -> usize {
    let body = match frame {
        Frame::Request { body, .. } | Frame::Notify { body, .. } | Frame::Reply { body, .. } => body.len(),
        // Bounded by its frame: it must come through however small the messages are.
        Frame::Fault { fault, .. } => return fault.detail.len(),
        _ => 0,
    };
    assert!(body <= LIMIT, "longer than the limit");
    body
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let frame = |kind: u8, flags: u8, rest: &[u8]| {
        let length = u32::try_from(rest.len() + 2).expect("because it is short");
        [&length.to_be_bytes()[..], &[kind, flags], rest].concat()
    };
    let request = [
        &[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 19, 136, 1, 2, 3, 4][..],
        b"\x91\x01",
    ]
    .concat();
    let fault = [&[0, 0, 0, 0, 0, 0, 0, 9, 4, 0, 4][..], b"text\xc0"].concat();
    let all = [
        frame(1, 0, &request),
        frame(2, 0, b"\x01\x02\x03\x04\xc0"),
        frame(3, 0, b"\0\0\0\0\0\0\0\x09\x01"),
        frame(4, 0, &fault),
        frame(6, 0, &[0; 8]),
        frame(7, 0, &[1; 8]),
        frame(8, 0, &[1]),
        frame(8, 0, &[2]),
        frame(9, 0, &[]),
        frame(10, 0, &[]),
        frame(11, 0, &[5; 32]),
    ];
    let long = [
        frame(1, 1, &request),
        frame(5, 1, &[7; 900]),
        frame(6, 0, &[0; 8]),
        frame(5, 0, &[8; 90]),
    ];
    let too_long = [
        frame(3, 1, &[0; 8]),
        frame(5, 1, &[7; 16_000]),
        frame(5, 1, &[7; 400]),
    ];
    let lying = [0, 1, 2, 65_554, 65_555, 1 << 31, u32::MAX];
    let mut seeds = vec![
        [&[5], &all.concat()[..]].concat(),
        [&[44], &long.concat()[..]].concat(),
        [&[60], &too_long.concat()[..]].concat(),
    ];
    seeds.extend(lying.map(|length: u32| [&[1], &length.to_be_bytes()[..], &[1, 0, 0, 0]].concat()));
    seeds
}

/// The first byte says who is played: an acceptor that hears a stranger, a dialer that does, or two honest ends with
/// somebody between them.
fn handshake(input: &[u8]) {
    match input.split_first() {
        Some((0, said)) => acceptor_hears(said),
        Some((1, said)) => dialer_hears(said),
        Some((_, changes)) => changed_on_the_way(changes),
        None => {}
    }
}

/// Nobody who does not know the secret is let in, whatever he says.
fn acceptor_hears(said: &[u8]) {
    let mut buffer = BytesMut::from(said);
    let Ok(Some(hello)) = split(&mut buffer) else {
        return;
    };
    let Ok((accepting, _)) = Accepting::begin(&identity("gate"), &hello) else {
        return;
    };
    if let Ok(Some(proof)) = split(&mut buffer) {
        assert!(accepting.finish(SECRET, &proof).is_err(), "a stranger was let in");
    }
}

/// Nobody who does not know the secret passes for the parent.
fn dialer_hears(said: &[u8]) {
    let mut buffer = BytesMut::from(said);
    let (dialing, _) = Dialing::begin(&identity("game"), &name("gate")).expect("random bytes");
    let Ok(Some(challenge)) = split(&mut buffer) else {
        return;
    };
    let Ok((proving, _)) = dialing.prove(SECRET, &challenge) else {
        return;
    };
    if let Ok(Some(welcome)) = split(&mut buffer) {
        assert!(
            proving.finish(&welcome).is_err(),
            "a stranger passed for the parent"
        );
    }
}

/// With a byte changed on the way, at most the side that is not told ends the handshake well; unchanged, both do.
fn changed_on_the_way(changes: &[u8]) {
    let mut changes = changes.chunks_exact(4);
    let mut pass = |message: &Bytes| {
        let mut bytes = message.to_vec();
        let mut changed = false;
        if let Some([present, at, other, change]) = changes.next()
            && present % 2 == 1
        {
            let at = usize::from(u16::from_be_bytes([*at, *other])) % bytes.len();
            bytes[at] ^= change;
            changed = *change != 0;
        }
        (BytesMut::from(&bytes[..]), changed)
    };
    let whole = |mut bytes: BytesMut| split(&mut bytes).ok().flatten();
    let (dialing, hello) = Dialing::begin(&identity("game"), &name("gate")).expect("random bytes");
    let (hello, of_hello) = pass(&hello);
    let Some(Ok((accepting, challenge))) =
        whole(hello).map(|hello| Accepting::begin(&identity("gate"), &hello))
    else {
        return assert!(of_hello, "an honest hello was refused");
    };
    let (challenge, of_challenge) = pass(&challenge);
    let Some(Ok((proving, proof))) = whole(challenge).map(|challenge| dialing.prove(SECRET, &challenge))
    else {
        return assert!(of_hello || of_challenge, "an honest challenge was refused");
    };
    let (proof, of_proof) = pass(&proof);
    let accepted = whole(proof).map(|proof| accepting.finish(SECRET, &proof));
    let Some(Ok((_, welcome))) = accepted else {
        return assert!(
            of_hello || of_challenge || of_proof,
            "an honest proof was refused"
        );
    };
    assert!(!of_hello && !of_challenge, "the acceptor did not see the change");
    let (welcome, of_welcome) = pass(&welcome);
    let finished = whole(welcome).is_some_and(|welcome| proving.finish(&welcome).is_ok());
    assert!(finished || of_welcome, "an honest welcome was refused");
}

fn identity(text: &str) -> Identity {
    Identity {
        name: name(text),
        incarnation: Incarnation::from_bytes([7; 16]),
        pid: 7,
        succeeds: None,
    }
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).expect("because it is a name")
}

fn handshake_seeds() -> Vec<Vec<u8>> {
    let (_, hello) = Dialing::begin(&identity("game"), &name("gate")).expect("random bytes");
    let mut whole = BytesMut::from(&hello[..]);
    let alone = split(&mut whole).ok().flatten().expect("because it is whole");
    let (_, challenge) = Accepting::begin(&identity("gate"), &alone).expect("because it is honest");
    let mut proof = BytesMut::new();
    proof.put_slice(&[0, 43, 0x81, 0xa5]);
    proof.put_slice(b"proof");
    proof.put_slice(&[0xc4, 32]);
    proof.put_slice(&[7; 34]);
    vec![
        [&[0], &hello[..], &proof].concat(),
        [&[1], &challenge[..], &proof].concat(),
        [&[1], &refusal(&Refusal::Unauthorized)[..]].concat(),
        [
            &[1],
            &challenge[..],
            &refusal(&Refusal::Duplicate("game lives".into())),
        ]
        .concat(),
        vec![2; 17],
        [&[2], &[0; 16][..]].concat(),
        [&[2], &[1, 0, 40, 1][..]].concat(),
        [&[2], &[0, 0, 0, 0, 1, 0, 60, 4][..]].concat(),
        b"\0\xff\xff".to_vec(),
    ]
}
