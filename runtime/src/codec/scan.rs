//! The shape of MessagePack without its meaning: is it one whole value, not too deep, with nothing behind it?
//!
//! One pass, no recursion, no allocation. Format: <https://github.com/msgpack/msgpack/blob/master/spec.md>.

/// Deepest nesting of arrays and maps that is accepted.
pub const MAX_DEPTH: usize = 32;

/// What is wrong with the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end inside a value.
    #[error("it ends inside a value")]
    Short,
    /// Bytes follow the value.
    #[error("{0} bytes stand behind the value")]
    Trailing(usize),
    /// More than [`MAX_DEPTH`] arrays and maps inside each other.
    #[error("it is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// The byte 0xc1, which the format never uses.
    #[error("it has the byte 0xc1, which the format does not use")]
    Unused,
}

/// What one marker announces: bytes to skip, then values to read inside it.
struct Head {
    skip: usize,
    values: u64,
}

/// Checks that `bytes` is exactly one value.
///
/// # Errors
/// [`Malformed`] says what is wrong.
pub fn scan(bytes: &[u8]) -> Result<(), Malformed> {
    let mut at = 0;
    let values = value(bytes, &mut at)?;
    // Most bodies on a hot path are one run of bytes.
    if values > 0 {
        contents(bytes, &mut at, values)?;
    }
    if at == bytes.len() {
        Ok(())
    } else {
        Err(Malformed::Trailing(bytes.len() - at))
    }
}

/// Checks the `values` inside an array or map, which may hold others.
fn contents(bytes: &[u8], at: &mut usize, values: u64) -> Result<(), Malformed> {
    let mut left = [0_u64; MAX_DEPTH];
    let mut depth = 0;
    left[0] = values;
    loop {
        while left[depth] == 0 {
            let Some(outer) = depth.checked_sub(1) else {
                return Ok(());
            };
            depth = outer;
        }
        left[depth] -= 1;
        let inside = value(bytes, at)?;
        if inside > 0 {
            depth += 1;
            *left.get_mut(depth).ok_or(Malformed::TooDeep)? = inside;
        }
    }
}

/// Steps over one value, into an array or map; gives how many values are inside.
fn value(bytes: &[u8], at: &mut usize) -> Result<u64, Malformed> {
    let head = head(bytes, at)?;
    *at = at
        .checked_add(head.skip)
        .filter(|end| *end <= bytes.len())
        .ok_or(Malformed::Short)?;
    Ok(head.values)
}

/// Reads the marker at `at` and the length behind it.
fn head(bytes: &[u8], at: &mut usize) -> Result<Head, Malformed> {
    let marker = *bytes.get(*at).ok_or(Malformed::Short)?;
    *at += 1;
    let mut length = |width: usize| -> Result<usize, Malformed> {
        let field = bytes.get(*at..*at + width).ok_or(Malformed::Short)?;
        *at += width;
        Ok(field.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)))
    };
    let skip = |skip| Ok(Head { skip, values: 0 });
    let array = |n: usize| {
        Ok(Head {
            skip: 0,
            values: n as u64,
        })
    };
    let map = |n: usize| {
        Ok(Head {
            skip: 0,
            values: 2 * n as u64,
        })
    };
    match marker {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => skip(0),
        0x80..=0x8f => map(usize::from(marker & 0x0f)),
        0x90..=0x9f => array(usize::from(marker & 0x0f)),
        0xa0..=0xbf => skip(usize::from(marker & 0x1f)),
        0xc1 => Err(Malformed::Unused),
        0xc4 | 0xd9 => length(1).and_then(skip),
        0xc5 | 0xda => length(2).and_then(skip),
        0xc6 | 0xdb => length(4).and_then(skip),
        0xc7 => length(1).and_then(|n| skip(n + 1)),
        0xc8 => length(2).and_then(|n| skip(n + 1)),
        0xc9 => length(4).and_then(|n| skip(n + 1)),
        0xcc | 0xd0 => skip(1),
        0xcd | 0xd1 => skip(2),
        0xca | 0xce | 0xd2 => skip(4),
        0xcb | 0xcf | 0xd3 => skip(8),
        0xd4 => skip(2),
        0xd5 => skip(3),
        0xd6 => skip(5),
        0xd7 => skip(9),
        0xd8 => skip(17),
        0xdc => length(2).and_then(array),
        0xdd => length(4).and_then(array),
        0xde => length(2).and_then(map),
        0xdf => length(4).and_then(map),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marker_is_measured_to_its_end() {
        let cases: &[&[u8]] = &[
            &[0x00],
            &[0x7f],
            &[0xe0],
            &[0xc0],
            &[0x80],
            &[0x81, 0xa1, b'k', 0x01],
            &[0x92, 0x01, 0x02],
            &[0xa2, b'h', b'i'],
            &[0xc4, 1, 0],
            &[0xc5, 0, 1, 0],
            &[0xc6, 0, 0, 0, 1, 0],
            &[0xc7, 1, 9, 0],
            &[0xca, 0, 0, 0, 0],
            &[0xcb, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0xcc, 0],
            &[0xcd, 0, 0],
            &[0xce, 0, 0, 0, 0],
            &[0xcf, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0xd4, 0, 0],
            &[0xd9, 1, b'x'],
            &[0xdc, 0, 1, 0xc0],
            &[0xde, 0, 1, 0xc0, 0xc0],
        ];
        for case in cases {
            assert_eq!(scan(case), Ok(()), "{case:x?}");
            assert_eq!(scan(&case[..case.len() - 1]), Err(Malformed::Short), "{case:x?}");
            assert_eq!(
                scan(&[case, &[0xc0][..]].concat()),
                Err(Malformed::Trailing(1)),
                "{case:x?}"
            );
        }
        assert_eq!(scan(&[0xc1]), Err(Malformed::Unused));
    }

    #[test]
    fn depth_and_lying_lengths_are_refused() {
        let nested = |n: usize| [vec![0x91; n], vec![0xc0]].concat();
        assert_eq!(scan(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(scan(&nested(MAX_DEPTH + 1)), Err(Malformed::TooDeep));
        assert_eq!(scan(&[0xdd, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::Short));
        assert_eq!(scan(&[0xdf, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::Short));
        assert_eq!(scan(&[0xc6, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::Short));
    }
}
