//! The protocol of redis, as far as it is needed: `AUTH`, `SELECT`, `GET`, `SET`, `DEL`.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use super::line::{Stream, nonsense};
use crate::settings::Hidden;

/// Longest value that is read, in bytes.
const MAX_VALUE: usize = 16 << 20;
/// Longest line.
const MAX_LINE: u64 = 2048;

/// What is to be said on each new connection.
pub(super) fn login(user: Option<&str>, password: Option<&Hidden>, database: u32) -> Vec<Vec<Vec<u8>>> {
    let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
    let mut login = Vec::new();
    match (user, password) {
        (Some(user), Some(password)) => login.push(words(&["AUTH", user, &password.0])),
        (None, Some(password)) => login.push(words(&["AUTH", &password.0])),
        _ => {}
    }
    if database > 0 {
        login.push(words(&["SELECT", &database.to_string()]));
    }
    login
}

pub(super) async fn log_in(stream: &mut Stream, login: &[Vec<Vec<u8>>]) -> io::Result<()> {
    for words in login {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        ask(stream, &words).await?;
    }
    Ok(())
}

pub(super) async fn get(stream: &mut Stream, key: &str) -> io::Result<Option<Vec<u8>>> {
    ask(stream, &[b"GET", key.as_bytes()]).await
}

pub(super) async fn put(
    stream: &mut Stream,
    key: &str,
    value: Option<&[u8]>,
    ttl: Duration,
) -> io::Result<()> {
    let millis = ttl.as_millis().max(1).to_string();
    let answered = match value {
        Some(value) => ask(stream, &[b"SET", key.as_bytes(), value, b"PX", millis.as_bytes()]).await,
        None => ask(stream, &[b"DEL", key.as_bytes()]).await,
    };
    answered.map(drop)
}

/// Says words and gives the answer, `None` for nil.
async fn ask(stream: &mut Stream, words: &[&[u8]]) -> io::Result<Option<Vec<u8>>> {
    stream
        .write_all(format!("*{}\r\n", words.len()).as_bytes())
        .await?;
    for word in words {
        stream
            .write_all(format!("${}\r\n", word.len()).as_bytes())
            .await?;
        stream.write_all(word).await?;
        stream.write_all(b"\r\n").await?;
    }
    stream.flush().await?;
    let mut line = Vec::new();
    (&mut *stream).take(MAX_LINE).read_until(b'\n', &mut line).await?;
    let line = line.strip_suffix(b"\r\n").ok_or_else(|| nonsense("no line"))?;
    match line.split_first() {
        Some((b'+' | b':', rest)) => Ok(Some(rest.to_vec())),
        Some((b'$', b"-1")) => Ok(None),
        Some((b'$', length)) => {
            let length = std::str::from_utf8(length)
                .ok()
                .and_then(|length| length.parse().ok());
            let length = length
                .filter(|length| *length <= MAX_VALUE)
                .ok_or_else(|| nonsense("no length"))?;
            let mut value = vec![0; length + 2];
            stream.read_exact(&mut value).await?;
            value.truncate(length);
            Ok(Some(value))
        }
        // An error, whose text may tell what was said.
        _ => Err(nonsense("redis refuses")),
    }
}
