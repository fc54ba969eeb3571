//! The bytes of a journal. Pure: it knows neither files nor time.
//!
//! A segment is a head and any number of records; all numbers are little-endian.
//!
//! ```text
//! head    0  "LMPJ"            record   0  length of the body, u32, 1 to MAX_BODY
//!         4  version, u8 = 1            4  CRC-32 of the body and the segment's number, u32
//!         5  three zeros                8  body
//!         8  segment's number, u64
//!        16  CRC-32 of the above, u32
//!
//! body    kind, u8: 1 put, 2 set, 3 delete     text    length, u16, and UTF-8
//!         table, text                          key     1 and i64, or 2 and text
//!         key's column, text                   value   0 null, then its type's number
//!         key                                          1 i64, 2 f64, 3 bool as u8,
//!         fence, i64                                   4 text and 5 bytes with a length of u32
//!         count of columns, u16
//!         column, text, and value; for each
//! ```
//!
//! The number of the segment in the checksum keeps a record of an older file, whose blocks the file system gave to
//! this one, from being read as one of it. A record that is not whole ends the segment: see [`Rest`].

use crate::change::{Change, Name, Op};
use crate::value::{Key, Kind, Value};

/// Length of a segment's head in bytes.
pub(crate) const HEAD: usize = 20;
/// Longest body of a record in bytes.
pub(crate) const MAX_BODY: usize = 16 << 20;

const MAGIC: [u8; 4] = *b"LMPJ";
const VERSION: u8 = 1;
const FRAME: usize = 8;
const KINDS: [Kind; 5] = [Kind::Int, Kind::Real, Kind::Bool, Kind::Text, Kind::Blob];

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

/// Appends a record, or leaves `out` as it was and says why it cannot be written.
pub(crate) fn put_record(change: &Change, segment: u64, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let start = out.len();
    out.extend([0; FRAME]);
    let written = put_change(change, out);
    let body = out.len() - start - FRAME;
    if written.is_none() || body > MAX_BODY {
        out.truncate(start);
        return Err("the row is too large for the journal");
    }
    let sum = checksum(&out[start + FRAME..], segment);
    // The cast cannot cut: MAX_BODY is far below.
    out[start..start + 4].copy_from_slice(&(body as u32).to_le_bytes());
    out[start + 4..start + FRAME].copy_from_slice(&sum.to_le_bytes());
    Ok(())
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
    /// Zeros: room that was made for records to come. Only the newest segment has it.
    Room,
    /// Something else. In the newest segment that is a write which was cut off by a crash, and was never
    /// acknowledged; in an older one it is damage.
    Torn,
}

impl Rest {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::None,
            bytes if bytes.iter().all(|byte| *byte == 0) => Self::Room,
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

fn put_change(change: &Change, out: &mut Vec<u8>) -> Option<()> {
    let (kind, columns): (u8, &[_]) = match &change.op {
        Op::Put(columns) => (1, columns),
        Op::Set(columns) => (2, columns),
        Op::Delete => (3, &[]),
    };
    out.push(kind);
    put_text(&change.table, out)?;
    put_text(&change.key_column, out)?;
    match &change.key {
        Key::Int(number) => {
            out.push(1);
            out.extend(number.to_le_bytes());
        }
        Key::Text(text) => {
            out.push(2);
            put_text(text, out)?;
        }
    }
    out.extend(change.fence.to_le_bytes());
    out.extend(u16::try_from(columns.len()).ok()?.to_le_bytes());
    for (name, value) in columns {
        put_text(name, out)?;
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

fn take_change(from: &mut Reader<'_>) -> Option<Change> {
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
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
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

    fn u32(&mut self) -> Option<u32> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            put_record(change, 3, &mut bytes).unwrap();
            ends.push(bytes.len());
        }
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
        for (tail, rest) in [
            (vec![0; 4096], Rest::Room),
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
        assert!(put_record(&change, 1, &mut out).is_err());
        assert_eq!(out, [1, 2, 3]);
    }
}
