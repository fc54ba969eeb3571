//! Numbers for people, and spans of time as people give them. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::cookie::time::OffsetDateTime;

use crate::clock::unix_ms;

/// Reads `500ms`, `5s`, `2m`, `1h`, `3d`; a bare number is seconds.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 6] = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("", 1_000),
    ];
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = UNITS.iter().find(|(name, _)| *name == unit);
    let millis = unit.and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor));
    let millis = millis.filter(|millis| *millis <= 365 * 86_400_000);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| "a time such as 500ms, 30s, 5m, 2h or 1d, of a year at most".to_owned())
}

/// Seconds as `850ms`, `12s`, `3m20s`, `5h10m`, `2d3h`.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{:.0}ms", seconds.max(0.0) * 1e3);
    }
    let whole = seconds as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", whole % 60),
        (0, ..) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

/// Seconds of a call: `85us`, `3.2ms`, `1.50s`.
pub(super) fn short_time(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.0}us", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.1}ms", seconds * 1e3)
    } else {
        format!("{seconds:.2}s")
    }
}

/// Bytes as `12K`, `34M`, `1.5G`.
pub(super) fn bytes(count: u64) -> String {
    let count = count as f64;
    let kib = 1024.0;
    match count {
        _ if count < kib => format!("{count:.0}B"),
        _ if count < kib * kib => format!("{:.0}K", count / kib),
        _ if count < kib * kib * kib => format!("{:.0}M", count / kib / kib),
        _ => format!("{:.1}G", count / kib / kib / kib),
    }
}

/// A rate: `0`, `3.4`, `120`, `12.3k`.
pub(super) fn rate(count: f64) -> String {
    match count {
        _ if count == 0.0 => "0".to_owned(),
        _ if count < 10.0 => format!("{count:.1}"),
        _ if count < 10_000.0 => format!("{count:.0}"),
        _ => format!("{:.1}k", count / 1e3),
    }
}

/// What is not known is a dash.
pub(super) fn or_dash<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// The time so long ago, in milliseconds of Unix time.
pub(super) fn ago(time: Duration) -> u64 {
    unix_ms(SystemTime::now().checked_sub(time).unwrap_or(UNIX_EPOCH))
}

/// Milliseconds of Unix time as logs have it: `2026-01-31T10:00:00.123Z`.
pub(super) fn timestamp(at_ms: u64) -> String {
    let seconds = i64::try_from(at_ms / 1000).unwrap_or(i64::MAX);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at_ms % 1000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units_and_nonsense_is_refused() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
        ] {
            assert_eq!(parse_time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse_time("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(parse_time("7"), Ok(Duration::from_secs(7)));
        for text in [
            "",
            "s",
            "5 m",
            "-1s",
            "1w",
            "99999999999999999999s",
            "400d",
            "1.5s",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [
                time(0.85),
                time(12.9),
                time(200.0),
                time(18_600.0),
                time(183_600.0)
            ],
            ["850ms", "12s", "3m20s", "5h10m", "2d03h"]
        );
        assert_eq!(
            [short_time(85e-6), short_time(3.2e-3), short_time(1.5)],
            ["85us", "3.2ms", "1.50s"]
        );
        assert_eq!(
            [bytes(10), bytes(12_288), bytes(35_651_584)],
            ["10B", "12K", "34M"]
        );
        assert_eq!(
            [rate(0.0), rate(3.44), rate(120.4), rate(12_300.0)],
            ["0", "3.4", "120", "12.3k"]
        );
    }

    #[test]
    fn moments_are_written_as_logs_have_them() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(1_769_853_600_123), "2026-01-31T10:00:00.123Z");
        assert_eq!(timestamp(u64::MAX), "1970-01-01T00:00:00.615Z");
    }
}
