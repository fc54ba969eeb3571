//! Frames of game clients.

use bytes::BytesMut;
use lampyris_runtime::packet::{Decoded, Dialect, Firefly, Packet, Refused};
use lampyris_runtime::reply::Wrote;

use super::{Target, nothing_kept, pieces};

/// Longest frame, so that the limit is met often.
const LIMIT: usize = 4096;

/// More memory than this for bytes that wait would mean that a length was believed.
const ROOM: usize = 64 * 1024;

/// The decoder of the clients' port.
pub const FRAMES: Target = Target {
    name: "client_frame",
    run: frames,
    seeds,
    end: nothing_kept,
};

/// Reads what comes in pieces and at once alike, and each frame is written as it was read.
fn frames(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    // Most games keep the zeros of the original in front.
    let dialect = match first {
        0..128 => Firefly::default(),
        _ => Firefly::new(*b"GAME", 1, 7),
    };
    let whole = read(&dialect, [bytes].into_iter());
    assert_eq!(
        whole,
        read(&dialect, pieces(bytes, *first)),
        "in pieces it is something else"
    );
    let mut again = BytesMut::new();
    for packet in &whole.0 {
        let mut write = |out: &mut BytesMut| {
            out.extend_from_slice(&packet.payload);
            Ok(Wrote::Reply)
        };
        let written = dialect.encode(packet.command, &mut write, LIMIT, &mut again);
        written.expect("because it was within the limit");
        leaves_no_trace(&dialect, packet, &mut again);
    }
    assert_eq!(&bytes[..again.len()], &again[..], "written otherwise than read");
}

/// What is too long, or is nothing, is not written.
fn leaves_no_trace(dialect: &Firefly, packet: &Packet, out: &mut BytesMut) {
    let before = out.len();
    for (wrote, limit) in [(Wrote::Reply, 3), (Wrote::Nothing, LIMIT)] {
        let mut write = |out: &mut BytesMut| {
            out.extend_from_slice(&packet.payload);
            Ok(wrote)
        };
        let written = dialect.encode(packet.command, &mut write, limit, out);
        assert!(written.is_err() || wrote == Wrote::Nothing);
        assert_eq!(out.len(), before, "half a frame is left");
    }
}

/// The frames, and what ended them.
fn read<'a>(dialect: &Firefly, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Packet>, Option<Refused>) {
    let mut buffer = BytesMut::new();
    let mut packets = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match dialect.decode(&mut buffer, LIMIT) {
                Ok(Decoded::Packet(packet)) => packets.push(packet),
                Ok(Decoded::Partial(size)) => {
                    assert!(size.is_none_or(|size| size <= 13 + LIMIT && size > buffer.len()));
                    break;
                }
                Err(refused) => return (packets, Some(refused)),
            }
        }
        assert!(
            buffer.capacity() <= ROOM + 2 * piece.len(),
            "a length was believed"
        );
    }
    (packets, None)
}

fn seeds() -> Vec<Vec<u8>> {
    let frame = |payload: &[u8]| {
        let length = u32::try_from(payload.len() + 4).expect("because it is short");
        [
            &[0; 9],
            &length.to_be_bytes()[..],
            &100_u32.to_be_bytes(),
            payload,
        ]
        .concat()
    };
    let lengths = [0, 1, 3, 4, 5, 4096, 4097, 1 << 31, u32::MAX];
    let lying =
        lengths.map(|length: u32| [&[9], &[0; 9][..], &length.to_be_bytes(), b"\0\0\0\x01xy"].concat());
    let many: Vec<u8> = (0..20)
        .flat_map(|n| frame(&vec![n; usize::from(n) * 13]))
        .collect();
    let mut seeds = vec![
        [&[3], &frame(b"msgdata")[..]].concat(),
        [&[60], &many[..]].concat(),
        b"\x80GAME\x01\0\0\0\x07\0\0\0\x06\0\0\0\x64hi".to_vec(),
    ];
    seeds.extend(lying);
    seeds
}
