//! The bytes of the configuration file as text, or the one reason why there is none.
//!
//! It does not look into the text.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::finding::{Code, Finding, Findings, quoted};
use super::tree::{Source, Spot};

/// Longest configuration file, in bytes. A cluster of a thousand nodes needs a quarter of it.
const MAX_FILE: u64 = 1024 * 1024;

/// In which language the file is written, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Toml,
}

/// Reads the file at `path`, or a copy of it that lies elsewhere. The text is there for showing it even when it cannot be used.
pub(super) fn open(path: &Path, from: &Path, findings: &Findings) -> (Source, Option<Format>) {
    let nothing = Source::new(path, "");
    let Some(format) = format_of(path, &nothing, findings) else {
        return (nothing, None);
    };
    let Some(bytes) = bytes_of(from, &nothing, findings) else {
        return (nothing, None);
    };
    let source = Source::new(path, &String::from_utf8_lossy(&bytes));
    let sound = is_text(&bytes, &source, findings);
    (source, sound.then_some(format))
}

fn format_of(path: &Path, source: &Source, findings: &Findings) -> Option<Format> {
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_lowercase();
    match ending.as_str() {
        "json" => return Some(Format::Json),
        "toml" => return Some(Format::Toml),
        _ if path.is_dir() => findings.add(no_config(source, "a folder")),
        _ => findings.add(no_config(
            source,
            format!("a name that ends in {}", quoted(&ending)),
        )),
    }
    None
}

fn no_config(source: &Source, found: impl Into<String>) -> Finding {
    Finding::fault(Code::NoConfigFile, source.whole(), "")
        .found(found)
        .allowed("a file of at most 1 MiB whose name ends in .json or .toml")
}

fn bytes_of(path: &Path, source: &Source, findings: &Findings) -> Option<Vec<u8>> {
    match read(path) {
        Ok(Ok(bytes)) => return Some(bytes),
        Ok(Err(found)) => findings.add(no_config(source, found)),
        Err(error) => {
            let (code, allowed) = match error.kind() {
                ErrorKind::NotFound => (Code::Missing, "the path of a .json or .toml file"),
                _ => (Code::Unreadable, "a file that this user may read"),
            };
            findings.add(
                Finding::fault(code, source.whole(), "")
                    .found(error.to_string())
                    .allowed(allowed),
            );
        }
    }
    None
}

/// The bytes, or in a few words why it is no file to be read.
fn read(path: &Path) -> io::Result<Result<Vec<u8>, &'static str>> {
    // Asked before opening: to open a pipe would wait for its writer.
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Ok(Err(if meta.is_dir() {
            "a folder"
        } else {
            "a pipe, socket or device"
        }));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    let fits = bytes.len() as u64 <= MAX_FILE;
    Ok(if fits {
        Ok(bytes)
    } else {
        Err("a file of more than 1 MiB")
    })
}

/// Whether the bytes are a text that is not empty.
fn is_text(bytes: &[u8], source: &Source, findings: &Findings) -> bool {
    let encoding = |at: usize, found: String| {
        let fault = Finding::fault(Code::Encoding, source.place(&Spot::File(at..at)), "").found(found);
        findings.add(fault.allowed("UTF-8 without a byte order mark"));
    };
    if bytes.starts_with(b"\xef\xbb\xbf") {
        encoding(0, "a byte order mark".to_owned());
        return false;
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        encoding(
            at,
            format!("the byte 0x{:02x}", bytes.get(at).copied().unwrap_or_default()),
        );
        return false;
    }
    if bytes.trim_ascii().is_empty() {
        let fault = Finding::fault(Code::Empty, source.whole(), "").found("nothing");
        findings.add(fault.allowed("at least the sections `master` and `servers`"));
        return false;
    }
    true
}
