//! The text protocol of memcached, as far as it is needed: `get`, `set`, `delete`.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use super::line::{Stream, nonsense};

/// Longest value that is read, in bytes; memcached's own limit is 1 MiB.
const MAX_VALUE: usize = 16 << 20;
/// Longest line.
const MAX_LINE: u64 = 2048;

pub(super) async fn get(stream: &mut Stream, key: &str) -> io::Result<Option<Vec<u8>>> {
    stream.write_all(format!("get {key}\r\n").as_bytes()).await?;
    stream.flush().await?;
    let line = line(stream).await?;
    if line == "END" {
        return Ok(None);
    }
    // VALUE KEY FLAGS LENGTH
    let words: Vec<&str> = line.split(' ').collect();
    let length = match words.as_slice() {
        ["VALUE", found, _, length] if *found == key => length.parse().ok(),
        _ => None,
    };
    let length = length
        .filter(|length| *length <= MAX_VALUE)
        .ok_or_else(|| nonsense("no value"))?;
    let mut value = vec![0; length];
    stream.read_exact(&mut value).await?;
    let mut end = [0; 7];
    stream.read_exact(&mut end).await?;
    if end != *b"\r\nEND\r\n" {
        return Err(nonsense("no end of the value"));
    }
    Ok(Some(value))
}

pub(super) async fn put(
    stream: &mut Stream,
    key: &str,
    value: Option<&[u8]>,
    ttl: Duration,
) -> io::Result<()> {
    match value {
        Some(value) => {
            let head = format!("set {key} 0 {} {}\r\n", ttl.as_secs().max(1), value.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(value).await?;
            stream.write_all(b"\r\n").await?;
        }
        None => stream.write_all(format!("delete {key}\r\n").as_bytes()).await?,
    }
    stream.flush().await?;
    match line(stream).await?.as_str() {
        "STORED" | "DELETED" | "NOT_FOUND" => Ok(()),
        other => Err(nonsense(other)),
    }
}

/// A line without its end.
async fn line(stream: &mut Stream) -> io::Result<String> {
    let mut line = Vec::new();
    (&mut *stream).take(MAX_LINE).read_until(b'\n', &mut line).await?;
    let text = line.strip_suffix(b"\r\n").ok_or_else(|| nonsense("no line"))?;
    String::from_utf8(text.to_vec()).map_err(|_| nonsense("no text"))
}
