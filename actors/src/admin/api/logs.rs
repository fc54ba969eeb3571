//! The lines that nodes have written, out of their files: several nodes merged by time, filtered, bounded.

use std::path::Path;

use actix_web::web::{self, Data, Json, Query};
use lampyris_runtime::supervisor::output;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::admin::auth::Viewer;
use crate::admin::problem::Problem;
use crate::admin::seat::Seat;

/// Lines of one answer, unless a number is given.
const PAGE: usize = 200;

/// Most lines of one answer.
const MOST: usize = 5_000;

/// How much of the end of each file is looked through, in bytes.
const LOOK: u64 = 4 * 1024 * 1024;

/// How severe a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::admin) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

const LEVELS: [(&str, Level); 5] = [
    ("TRACE", Level::Trace),
    ("DEBUG", Level::Debug),
    ("INFO", Level::Info),
    ("WARN", Level::Warn),
    ("ERROR", Level::Error),
];

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct LogsQuery {
    /// Names of nodes with commas between, or `master`; all nodes if it is absent.
    node: Option<String>,
    /// Only lines that are at least so severe. A line without a level counts with the one before.
    #[param(inline)]
    level: Option<Level>,
    /// Only lines that contain this.
    q: Option<String>,
    /// Only lines before this time, as lines have it.
    before: Option<String>,
    /// How many, the newest.
    #[param(minimum = 1, maximum = 5000)]
    lines: Option<usize>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::admin) struct LogLine {
    /// Who wrote it.
    pub(in crate::admin) node: String,
    /// When, as the line has it; of a line without a time, that of the line before.
    at: Option<String>,
    /// How severe it is; of a line that does not say, that of the line before.
    level: Option<Level>,
    /// The whole line, with control characters escaped; at most 4096 bytes.
    text: String,
}

/// The last lines of the logs, oldest first.
#[utoipa::path(get, path = "/api/v1/logs", tag = "logs", params(LogsQuery),
    responses((status = 200, body = [LogLine])))]
pub(in crate::admin) async fn logs(
    _: Viewer,
    seat: Data<Seat>,
    query: Query<LogsQuery>,
) -> Result<Json<Vec<LogLine>>, Problem> {
    let most = query.lines.unwrap_or(PAGE);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::bad_request(format!(
            "lines is {most}; allowed are 1 to {MOST}"
        )));
    }
    let names = names(&seat, query.node.as_deref())?;
    let (folder, query) = (seat.config().log.dir.clone(), query.into_inner());
    let read = move || {
        let mut all = Vec::new();
        for name in names {
            all.extend(lines_of(&folder, &name, &query, most));
        }
        // Stable, so that lines of one node stay as they were.
        all.sort_by(|left, right| left.at.cmp(&right.at));
        all.split_off(all.len().saturating_sub(most))
    };
    let lines = web::block(read).await.map_err(|_| Problem::unavailable())?;
    Ok(Json(lines))
}

/// The nodes that are named, each of which there is.
pub(in crate::admin) fn names(seat: &Seat, list: Option<&str>) -> Result<Vec<String>, Problem> {
    let config = seat.config();
    let known = |name: &str| name == "master" || config.node(name).is_some();
    let Some(list) = list else {
        return Ok(config.nodes.iter().map(|node| node.name.to_string()).collect());
    };
    let check = |name: &str| match known(name) {
        true => Ok(name.to_owned()),
        false => Err(Problem::no_such_node(name)),
    };
    let mut names = list.split(',').map(check).collect::<Result<Vec<_>, _>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn lines_of(folder: &Path, name: &str, query: &LogsQuery, most: usize) -> Vec<LogLine> {
    let mut reader = Reader::new(name);
    let mut found = std::collections::VecDeque::new();
    let read = output::tail(&folder.join(format!("{name}.log")), LOOK, 1, |text| {
        let line = reader.read(text.to_owned());
        if fits(&line, query) {
            if found.len() == most {
                found.pop_front();
            }
            found.push_back(line);
        }
        false
    });
    if let Err(error) = read {
        tracing::warn!(node = name, %error, "a log cannot be read");
    }
    found.into()
}

fn fits(line: &LogLine, query: &LogsQuery) -> bool {
    query
        .level
        .is_none_or(|least| line.level.is_some_and(|level| level >= least))
        && query
            .q
            .as_ref()
            .is_none_or(|text| line.text.contains(text.as_str()))
        && query
            .before
            .as_ref()
            .is_none_or(|before| line.at.as_ref().is_some_and(|at| at < before))
}

/// Finds time and level in the lines of one node, in either format.
pub(in crate::admin) struct Reader {
    node: String,
    at: Option<String>,
    level: Option<Level>,
}

impl Reader {
    pub(in crate::admin) fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            at: None,
            level: None,
        }
    }

    pub(in crate::admin) fn read(&mut self, text: String) -> LogLine {
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
