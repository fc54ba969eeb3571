//! The segments of a journal and their records, as bytes. Pure: it knows neither files nor time.
//!
//! A segment is a head and any number of records; all numbers are little-endian.
//!
//! ```text
//! head    0  "LMPJ"            record   0  length of the body, u32, 1 to MAX_BODY
//!         4  version, u8 = 1            4  CRC-32 of the body and the segment's number, u32
//!         5  three zeros                8  body
//!         8  segment's number, u64
//!        16  CRC-32 of the above, u32
//! ```
//!
//! The body is a change, see [`super::body`].
//!
//! Behind the last record of a segment that is being written stand eight zeros ([`END`]), and then whatever the file
//! held before: zeros, or records of the segment that it was. The number of the segment in the checksum keeps those from
//! being read as its own. A record that is not whole ends the segment: see [`Rest`].

use super::body::{Of, Reader, put_change, take_change};
use crate::change::{Change, Op};

/// Length of a segment's head in bytes.
pub(crate) const HEAD: usize = 20;
/// Longest body of a record in bytes.
pub(crate) const MAX_BODY: usize = 16 << 20;

const MAGIC: [u8; 4] = *b"LMPJ";
const VERSION: u8 = 1;
const FRAME: usize = 8;
/// Stands behind the last record, until there is another one.
pub(crate) const END: [u8; FRAME] = [0; FRAME];

/// The head of a segment.
pub(crate) fn head(segment: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&MAGIC);
    head[4] = VERSION;
    head[8..16].copy_from_slice(&segment.to_le_bytes());
    let sum = crc32fast::hash(&head[..16]);
    head[16..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// Appends a record, as yet without its sum, or leaves `out` as it was and says why it cannot be written.
pub(crate) fn put_record(change: &Change, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let of = Of {
        table: &change.table,
        key_column: &change.key_column,
        key: &change.key,
        fence: change.fence,
    };
    put_record_of(&of, &change.op, |name| name, out)
}

/// The same, `name` giving the names of the columns.
pub(crate) fn put_record_of<C>(
    of: &Of<'_>,
    op: &Op<C>,
    name: impl Fn(&C) -> &str,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let start = out.len();
    out.extend([0; FRAME]);
    let written = put_change(of, op, name, out);
    let body = out.len() - start - FRAME;
    if written.is_none() || body > MAX_BODY {
        out.truncate(start);
        return Err("the row is too large for the journal");
    }
    // The cast cannot cut: MAX_BODY is far below.
    out[start..start + 4].copy_from_slice(&(body as u32).to_le_bytes());
    Ok(())
}

/// Makes records those of a segment: fills in their sums.
pub(crate) fn seal(mut records: &mut [u8], segment: u64) {
    while let Some((frame, rest)) = records.split_first_chunk_mut::<FRAME>() {
        let [a, b, c, d, sum @ ..] = frame;
        let (body, behind) = rest.split_at_mut(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        *sum = checksum(body, segment).to_le_bytes();
        records = behind;
    }
}

fn checksum(body: &[u8], segment: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(&segment.to_le_bytes());
    hasher.finalize()
}

/// What stands in a segment.
#[derive(Debug, PartialEq)]
pub(crate) struct Scan {
    /// The changes, oldest first.
    pub(crate) changes: Vec<Change>,
    /// How many bytes of the segment are whole.
    pub(crate) whole: usize,
    /// What is behind them.
    pub(crate) rest: Rest,
}

/// What is behind the records of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    None,
    /// The mark of the end, and room for records to come. Only the newest segment may have it.
    Room,
    /// Something else. In the newest segment that is a write which was cut off by a crash, and was never
    /// acknowledged; in an older one it is damage.
    Torn,
}

impl Rest {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::None,
            bytes if bytes.iter().take(FRAME).all(|byte| *byte == 0) => Self::Room,
            _ => Self::Torn,
        }
    }
}

/// Reads a segment.
///
/// # Errors
/// It is none of this program's: another format, another version, another number.
pub(crate) fn scan(bytes: &[u8], segment: u64) -> Result<Scan, String> {
    let mut scan = Scan {
        changes: Vec::new(),
        whole: 0,
        rest: Rest::of(bytes),
    };
    let Some(found) = bytes.get(..HEAD) else {
        return Ok(scan);
    };
    if found[..4] == MAGIC && found[4] != VERSION {
        return Err(format!(
            "version {} of the journal's format; this program reads {VERSION}",
            found[4]
        ));
    }
    if found != head(segment) {
        // A head is synced before its segment is used, so a torn one has nothing behind it.
        return if bytes.len() == HEAD {
            Ok(scan)
        } else {
            Err("the head is damaged".to_owned())
        };
    }
    let mut rest = &bytes[HEAD..];
    while let Some((change, behind)) = take_record(rest, segment) {
        scan.changes.push(change);
        rest = behind;
    }
    scan.whole = bytes.len() - rest.len();
    scan.rest = Rest::of(rest);
    Ok(scan)
}

fn take_record(bytes: &[u8], segment: u64) -> Option<(Change, &[u8])> {
    let mut bytes = Reader(bytes);
    let (length, sum) = (bytes.u32()? as usize, bytes.u32()?);
    if length == 0 || length > MAX_BODY {
        return None;
    }
    let body = bytes.take(length)?;
    if checksum(body, segment) != sum {
        return None;
    }
    let mut body = Reader(body);
    let change = take_change(&mut body).filter(|_| body.0.is_empty())?;
    Some((change, bytes.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Name;
    use crate::journal::body::KINDS;
    use crate::value::{Key, Value};

    /// A small generator of numbers that are the same on each run (xorshift).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % bound as u64) as usize
        }

        fn change(&mut self) -> Change {
            let text = "größe".repeat(self.below(4));
            let values = [
                Value::Null(KINDS[self.below(5)]),
                Value::Int(i64::MIN + self.below(9) as i64),
                Value::Real(-0.5),
                Value::Bool(self.below(2) == 1),
                Value::Text(text),
                Value::Blob(vec![0, 255, 7]),
            ];
            let mut columns = Vec::new();
            for at in 0..self.below(5) {
                columns.push((Name::Owned(format!("c{at}")), values[self.below(6)].clone()));
            }
            let op = match self.below(3) {
                0 => Op::Put(columns),
                1 => Op::Set(columns),
                _ => Op::Delete,
            };
            let key = if self.below(2) == 0 {
                Key::Int(-7)
            } else {
                Key::from("key")
            };
            Change {
                table: "players".into(),
                key_column: "id".into(),
                key,
                fence: self.below(99) as i64,
                op,
            }
        }
    }

    fn segment(changes: &[Change]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = head(3).to_vec();
        let mut ends = Vec::new();
        for change in changes {
            put_record(change, &mut bytes).unwrap();
            ends.push(bytes.len());
        }
        seal(&mut bytes[HEAD..], 3);
        (bytes, ends)
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut dice = Dice(11);
        let changes: Vec<Change> = (0..500).map(|_| dice.change()).collect();
        let (bytes, _) = segment(&changes);
        let scan = scan(&bytes, 3).unwrap();
        assert_eq!(
            (scan.changes, scan.whole, scan.rest),
            (changes, bytes.len(), Rest::None)
        );
    }

    #[test]
    fn a_segment_that_is_torn_at_any_byte_keeps_what_is_whole() {
        for seed in 1..20 {
            let mut dice = Dice(seed);
            let changes: Vec<Change> = (0..6).map(|_| dice.change()).collect();
            let (bytes, ends) = segment(&changes);
            for cut in 0..bytes.len() {
                let scan = scan(&bytes[..cut], 3).unwrap();
                let whole = ends.iter().filter(|end| **end <= cut).count();
                assert_eq!(scan.changes, changes[..whole], "cut at {cut}, seed {seed}");
                let kept = if cut < HEAD {
                    0
                } else {
                    ends[..whole].last().copied().unwrap_or(HEAD)
                };
                assert_eq!(
                    (scan.whole, scan.rest == Rest::None),
                    (kept, kept == cut),
                    "cut at {cut}, seed {seed}"
                );
            }
        }
    }

    #[test]
    fn a_record_with_any_byte_changed_is_not_read() {
        let mut dice = Dice(5);
        let changes: Vec<Change> = (0..4).map(|_| dice.change()).collect();
        let (bytes, ends) = segment(&changes);
        for at in HEAD..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << dice.below(8);
            let scan = scan(&bytes, 3).unwrap();
            let before = ends.iter().filter(|end| **end <= at).count();
            assert_eq!(scan.changes, changes[..before], "byte {at}");
            assert_eq!(scan.rest, Rest::Torn, "byte {at}");
        }
    }

    #[test]
    fn room_and_noise_behind_the_records_are_told_apart() {
        let (bytes, ends) = segment(&[Dice(1).change()]);
        let noise = bytes[HEAD..].iter().map(|byte| byte ^ 9).collect();
        let half_a_record_in_its_room = [&bytes[HEAD..HEAD + 9], &[0; 4096]].concat();
        let behind_the_mark = [&END, &bytes[HEAD..]].concat();
        let mut of_an_older_segment = bytes[HEAD..].to_vec();
        seal(&mut of_an_older_segment, 2);
        for (tail, rest) in [
            (vec![0; 4096], Rest::Room),
            (vec![0; 3], Rest::Room),
            (behind_the_mark, Rest::Room),
            (of_an_older_segment, Rest::Torn),
            (vec![255; 100], Rest::Torn),
            (noise, Rest::Torn),
            (half_a_record_in_its_room, Rest::Torn),
        ] {
            let scan = scan(&[bytes.clone(), tail].concat(), 3).unwrap();
            assert_eq!((scan.changes.len(), scan.whole, scan.rest), (1, ends[0], rest));
        }
    }

    #[test]
    fn other_formats_versions_and_segments_are_refused() {
        let (mut bytes, _) = segment(&[Dice(2).change()]);
        assert!(scan(&bytes, 4).is_err(), "another segment's");
        assert!(scan(b"something else that is no journal", 3).is_err());
        bytes[4] = 2;
        assert!(scan(&bytes, 3).unwrap_err().contains("version 2"));
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace() {
        let mut out = vec![1, 2, 3];
        let mut change = Dice(3).change();
        change.op = Op::Put(vec![("big".into(), Value::Blob(vec![0; MAX_BODY]))]);
        assert!(put_record(&change, &mut out).is_err());
        assert_eq!(out, [1, 2, 3]);
    }
}
