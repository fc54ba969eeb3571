//! The lines that nodes have written, as they stand in their files: whose each is, when and how severe; and the last of a
//! file that somebody wants to see.
//!
//! The admin side and the command line show them. It knows neither.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use clap::ValueEnum;
use lampyris_runtime::supervisor::output;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most lines that somebody gets at once, unless they are in files of his own.
pub(crate) const MOST: usize = 5_000;

/// How much of the end of each file is looked through, in bytes.
const LOOK: u64 = 4 * 1024 * 1024;

/// How severe a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Each step
    Trace,
    /// For whoever looks for a fault
    Debug,
    /// What happens
    Info,
    /// What somebody should look at
    Warn,
    /// What has failed
    Error,
}

const LEVELS: [(&str, Level); 5] = [
    ("TRACE", Level::Trace),
    ("DEBUG", Level::Debug),
    ("INFO", Level::Info),
    ("WARN", Level::Warn),
    ("ERROR", Level::Error),
];

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct LogLine {
    /// Who wrote it.
    pub(crate) node: String,
    /// When, as the line has it; of a line without a time, that of the line before.
    pub(crate) at: Option<String>,
    /// How severe it is; of a line that does not say, that of the line before.
    pub(crate) level: Option<Level>,
    /// The whole line, with control characters escaped; at most 4096 bytes.
    pub(crate) text: String,
}

/// Which lines somebody wants to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Those that are at least so severe. A line without a level counts with the one before.
    pub(crate) level: Option<Level>,
    /// Those that contain this.
    pub(crate) text: Option<String>,
    /// Those of this time or later, as lines have it.
    pub(crate) since: Option<String>,
    /// Those before this time.
    pub(crate) before: Option<String>,
}

impl Wanted {
    /// Whether it is one of them.
    pub(crate) fn fits(&self, line: &LogLine) -> bool {
        let at = line.at.as_deref();
        let contains = |text: &String| line.text.contains(text.as_str());
        self.level
            .is_none_or(|least| line.level.is_some_and(|level| level >= least))
            && self.text.as_ref().is_none_or(contains)
            && self
                .since
                .as_deref()
                .is_none_or(|since| at.is_some_and(|at| at >= since))
            && self
                .before
                .as_deref()
                .is_none_or(|before| at.is_some_and(|at| at < before))
    }
}

/// The last lines of a node, oldest first, at most `most`, of what stands before byte `end` of its file.
///
/// # Errors
/// Its file cannot be read. That there is none is no error.
pub(crate) fn last_lines(
    folder: &Path,
    name: &str,
    wanted: &Wanted,
    most: usize,
    end: u64,
) -> io::Result<Vec<LogLine>> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let (mut reader, mut found) = (Reader::new(name), VecDeque::new());
    output::tail(&folder.join(format!("{name}.log")), end, LOOK, |text| {
        let line = reader.read(text);
        if wanted.fits(&line) {
            if found.len() == most {
                found.pop_front();
            }
            found.push_back(line);
        }
    })?;
    Ok(found.into())
}

/// The newest lines of several nodes, oldest first, at most `most`. Lines of one node stay in their order.
pub(crate) fn newest(mut all: Vec<LogLine>, most: usize) -> Vec<LogLine> {
    all.sort_by(|left, right| left.at.cmp(&right.at));
    all.split_off(all.len().saturating_sub(most))
}

/// Finds time and level in the lines of one node, in either format.
pub(crate) struct Reader {
    node: String,
    at: Option<String>,
    level: Option<Level>,
}

impl Reader {
    pub(crate) fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            at: None,
            level: None,
        }
    }

    pub(crate) fn read(&mut self, text: String) -> LogLine {
        let of_json = || {
            let timestamp = text.strip_prefix("{\"timestamp\":\"")?;
            let (at, rest) = timestamp.split_once('"')?;
            let (_, level) = rest.split_once("\"level\":\"")?;
            Some((at, level.split('"').next()?))
        };
        let of_text = || {
            let mut words = text.split_ascii_whitespace();
            Some((words.next()?, words.next()?))
        };
        if let Some((at, level)) = of_json().or_else(of_text).filter(|(at, _)| is_time(at)) {
            self.at = Some(at.to_owned());
            self.level = LEVELS
                .iter()
                .find(|(word, _)| *word == level)
                .map(|(_, level)| *level);
        }
        LogLine {
            node: self.node.clone(),
            at: self.at.clone(),
            level: self.level,
            text,
        }
    }
}

/// Whether a word is a time such as 2026-01-31T10:00:00.5Z.
fn is_time(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes
            .get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    digits(0..4)
        && bytes.get(4) == Some(&b'-')
        && digits(5..7)
        && bytes.get(10) == Some(&b'T')
        && word.ends_with('Z')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_times_and_levels_in_either_format() {
        let mut reader = Reader::new("gate");
        let human = reader.read("2026-11-22T20:14:10.123456Z  WARN node{name=\"gate\"}: link lost".into());
        assert_eq!(
            (human.level, human.at.as_deref()),
            (Some(Level::Warn), Some("2026-11-22T20:14:10.123456Z"))
        );
        let plain = reader.read("thread 'main' panicked at src/main.rs:1:1:".into());
        assert_eq!((plain.level, &plain.at), (Some(Level::Warn), &human.at));
        let json = reader
            .read("{\"timestamp\":\"2026-11-22T20:14:11.5Z\",\"level\":\"ERROR\",\"message\":\"x\"}".into());
        assert_eq!(
            (json.level, json.at.as_deref()),
            (Some(Level::Error), Some("2026-11-22T20:14:11.5Z"))
        );
        for odd in ["", "{", "{\"timestamp\":\"", "é", "2026-11-22T20:14:11.5Z"] {
            assert_eq!(Reader::new("x").read(odd.into()).level, None, "{odd}");
        }
    }
}
