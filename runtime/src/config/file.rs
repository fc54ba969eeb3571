//! The bytes of the configuration file as text, or the one reason why there is none.
//!
//! It does not look into the text.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::finding::{Code, Finding, quoted};
use super::tree::{Source, Spot};

/// Longest configuration file, in bytes. A cluster of a thousand nodes needs a quarter of it.
const MAX_FILE: u64 = 1024 * 1024;

/// In which language the file is written, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Toml,
}

/// What could be read, for showing it, and either the format of the whole or what is wrong with it.
pub(super) struct Opened {
    pub(super) source: Source,
    pub(super) format: Result<Format, Box<Finding>>,
}

/// Reads the file at `path`.
pub(super) fn open(path: &Path) -> Opened {
    let nothing = Source::new(path, "");
    let outcome = format_of(path, &nothing).and_then(|format| Ok((format, bytes_of(path, &nothing)?)));
    let (format, bytes) = match outcome {
        Ok(read) => read,
        Err(fault) => {
            return Opened {
                source: nothing,
                format: Err(Box::new(fault)),
            };
        }
    };
    let source = Source::new(path, &String::from_utf8_lossy(&bytes));
    let format = check_text(&bytes, &source).map(|()| format).map_err(Box::new);
    Opened { source, format }
}

fn format_of(path: &Path, source: &Source) -> Result<Format, Finding> {
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_lowercase();
    match ending.as_str() {
        "json" => Ok(Format::Json),
        "toml" => Ok(Format::Toml),
        _ if path.is_dir() => Err(no_config(source, "a folder")),
        _ => Err(no_config(
            source,
            format!("a name that ends in {}", quoted(&ending)),
        )),
    }
}

fn no_config(source: &Source, found: impl Into<String>) -> Finding {
    Finding::fault(Code::NoConfigFile, source.whole(), "")
        .found(found)
        .allowed("a file of at most 1 MiB whose name ends in .json or .toml")
}

fn bytes_of(path: &Path, source: &Source) -> Result<Vec<u8>, Finding> {
    let refused = |error: std::io::Error| {
        let (code, allowed) = match error.kind() {
            ErrorKind::NotFound => (Code::Missing, "the path of a .json or .toml file"),
            _ => (Code::Unreadable, "a file that this user may read"),
        };
        Finding::fault(code, source.whole(), "")
            .found(error.to_string())
            .allowed(allowed)
    };
    // Asked before opening: to open a pipe would wait for its writer.
    let meta = std::fs::metadata(path).map_err(refused)?;
    if !meta.is_file() {
        return Err(no_config(
            source,
            if meta.is_dir() {
                "a folder"
            } else {
                "a pipe, socket or device"
            },
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(refused)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(no_config(source, "a file of more than 1 MiB"));
    }
    Ok(bytes)
}

fn check_text(bytes: &[u8], source: &Source) -> Result<(), Finding> {
    let encoding = |at: usize, found: String| {
        Err(
            Finding::fault(Code::Encoding, source.place(&Spot::File(at..at)), "")
                .found(found)
                .allowed("UTF-8 without a byte order mark"),
        )
    };
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return encoding(0, "a byte order mark".to_owned());
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        return encoding(
            at,
            format!("the byte 0x{:02x}", bytes.get(at).copied().unwrap_or_default()),
        );
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Finding::fault(Code::Empty, source.whole(), "")
            .found("nothing")
            .allowed("at least the sections `master` and `servers`"));
    }
    Ok(())
}
