//! As much of a client's frame as a load generator and a reference server need: where it ends, and its command. Pure.
//!
//! What a head must contain is the cluster's business; here it is nine bytes like any others.

/// Bytes before the payload.
pub(super) const HEADER: usize = 17;
/// Bytes before the command, which is the first that the length counts.
const UNCOUNTED: usize = 13;
const LENGTH: std::ops::Range<usize> = 9..13;
const COMMAND: std::ops::Range<usize> = 13..17;

/// A longer frame is none: its length is nonsense.
const LONGEST: usize = 64 * 1024 * 1024;

/// The command of frames that teach a reference server its answer, and of the cluster's error frames.
pub(super) const SPECIAL: u32 = 0;

/// What stands at the front of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// A whole frame of so many bytes.
    Whole(usize),
    /// Too little to tell, or the beginning of a frame.
    Part,
    /// A length that cannot be.
    Nonsense,
}

/// Looks for a frame at the front.
pub(super) fn front(bytes: &[u8]) -> Front {
    let Some(length) = number(bytes, LENGTH) else {
        return Front::Part;
    };
    let size = UNCOUNTED + length as usize;
    if !(HEADER..=LONGEST).contains(&size) {
        Front::Nonsense
    } else if bytes.len() < size {
        Front::Part
    } else {
        Front::Whole(size)
    }
}

/// The command of a whole frame; [`SPECIAL`] if it is none.
pub(super) fn command(frame: &[u8]) -> u32 {
    number(frame, COMMAND).unwrap_or(SPECIAL)
}

/// The payload of a whole frame; nothing if it is none.
pub(super) fn payload(frame: &[u8]) -> &[u8] {
    frame.get(HEADER..).unwrap_or_default()
}

/// Appends the answer to a frame: its head and command, and another payload.
pub(super) fn put_answer(frame: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    let Some(header) = frame.get(..HEADER) else { return };
    let length = u32::try_from(HEADER - UNCOUNTED + payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&header[..LENGTH.start]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&header[COMMAND]);
    out.extend_from_slice(payload);
}

fn number(bytes: &[u8], field: std::ops::Range<usize>) -> Option<u32> {
    let field: [u8; 4] = bytes.get(field)?.try_into().ok()?;
    Some(u32::from_be_bytes(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_frame_of_the_same_head_and_command() {
        let request = b"GAME\x01\0\0\0\x02\0\0\0\x06\0\0\x01\x2chi";
        assert_eq!(front(request), Front::Whole(19));
        assert_eq!((command(request), payload(request)), (300, &b"hi"[..]));
        let mut answer = Vec::new();
        put_answer(request, b"done", &mut answer);
        assert_eq!(answer, b"GAME\x01\0\0\0\x02\0\0\0\x08\0\0\x01\x2cdone");
    }

    #[test]
    fn cut_frames_are_waited_for_and_nonsense_is_not() {
        let frame = b"\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x07x";
        for cut in 0..frame.len() {
            assert_eq!(front(&frame[..cut]), Front::Part, "{cut}");
        }
        for length in [0_u32, 3, u32::MAX] {
            let mut bytes = [0; HEADER];
            bytes[LENGTH].copy_from_slice(&length.to_be_bytes());
            assert_eq!(front(&bytes), Front::Nonsense, "{length}");
        }
    }
}
