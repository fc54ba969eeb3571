//! The configuration as written: a tree of values, each with the spot where it stands.
//!
//! It does not know what any key means, nor which format the text had.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::finding::{Code, Finding, Findings, Origin, Place, Stretch, quoted};

/// Longest list that a finding shows element by element.
const MAX_SHOWN_LIST: usize = 8;

/// Where a key or a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spot {
    /// Bytes of the file.
    File(Range<usize>),
    /// An environment variable.
    Env(Arc<str>),
}

/// One value.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) spot: Spot,
    pub(super) kind: Kind,
    /// Whether it came from a variable, where numbers and booleans can only be written as text.
    pub(super) loose: bool,
}

/// What a value is.
#[derive(Clone)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Integer(i128),
    Text(String),
    /// A fraction, or a number beyond all bounds: as written.
    Number(String),
    /// A date of TOML: as written.
    Date(String),
    List(Vec<Node>),
    Table(Table),
    /// Already reported; it counts as given, and nothing more is said about it.
    Faulty,
}

impl Node {
    pub(super) fn new(spot: Spot, kind: Kind) -> Self {
        let loose = matches!(spot, Spot::Env(_));
        Self { spot, kind, loose }
    }

    /// The table that this value is, if it is one.
    pub(super) fn as_table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether both say the same, wherever they stand.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool(a), Kind::Bool(b)) => a == b,
            (Kind::Integer(a), Kind::Integer(b)) => a == b,
            (Kind::Text(a), Kind::Text(b)) => a == b,
            (Kind::Number(a), Kind::Number(b)) | (Kind::Date(a), Kind::Date(b)) => a == b,
            (Kind::List(a), Kind::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says_the_same(b))
            }
            (Kind::Table(a), Kind::Table(b)) => a.says_the_same(b),
            _ => false,
        }
    }

    /// The value as a finding shows it.
    pub(super) fn shown(&self) -> String {
        match &self.kind {
            Kind::Null => "null".to_owned(),
            Kind::Faulty => "nothing".to_owned(),
            Kind::Bool(value) => value.to_string(),
            Kind::Integer(value) => value.to_string(),
            Kind::Text(text) => quoted(text),
            Kind::Number(text) | Kind::Date(text) => quoted(text).trim_matches('"').to_owned(),
            Kind::List(elements) if elements.len() <= MAX_SHOWN_LIST => {
                let shown: Vec<String> = elements.iter().map(Self::shown).collect();
                quoted(&format!("[{}]", shown.join(", ")))
                    .trim_matches('"')
                    .replace("\\\"", "\"")
            }
            Kind::List(_) => "a list".to_owned(),
            Kind::Table(_) => "{…}".to_owned(),
        }
    }
}

/// A key with its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_spot: Spot,
    pub(super) value: Node,
}

/// Keys with their values in the order of the file, no key twice.
#[derive(Clone, Default)]
pub(super) struct Table(Vec<Entry>);

impl Table {
    /// The entry of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    /// All entries.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// All values, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.0.iter_mut().map(|entry| &mut entry.value)
    }

    /// The value of a key, to be changed; `make` makes it when it is absent.
    pub(super) fn get_or_insert(&mut self, key: &str, make: impl FnOnce() -> Node) -> &mut Node {
        let at = self
            .0
            .iter()
            .position(|entry| entry.key == key)
            .unwrap_or_else(|| {
                let value = make();
                self.0.push(Entry {
                    key: key.to_owned(),
                    key_spot: value.spot.clone(),
                    value,
                });
                self.0.len() - 1
            });
        &mut self.0[at].value
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|(a, b)| a.key == b.key && a.value.says_the_same(&b.value))
    }
}

/// Builds a [`Table`]; a key that comes again is reported, and the first one stays.
pub(super) struct TableBuilder<'a> {
    path: &'a str,
    entries: Vec<Entry>,
    index: HashMap<String, usize>,
}

impl<'a> TableBuilder<'a> {
    /// An empty table that will stand at `path`.
    pub(super) fn at(path: &'a str) -> Self {
        Self {
            path,
            entries: Vec::new(),
            index: HashMap::new(),
        }
    }

    /// Takes one more entry.
    pub(super) fn add(&mut self, entry: Entry, source: &Source, findings: &Findings) {
        let Some(first) = self.index.get(&entry.key).and_then(|at| self.entries.get(*at)) else {
            self.index.insert(entry.key.clone(), self.entries.len());
            self.entries.push(entry);
            return;
        };
        if !findings.full() {
            findings.add(self.given_twice(first, &entry, source));
        }
    }

    fn given_twice(&self, first: &Entry, again: &Entry, source: &Source) -> Finding {
        let place = source.place(&again.key_spot);
        let also = source.place(&first.key_spot);
        let line = |place: &Place| place.stretch.map_or(0, |at| at.line);
        let both = format!(
            "{} on line {} and on line {}",
            quoted(&again.key),
            line(&also),
            line(&place)
        );
        let key = join(self.path, &again.key);
        let finding = if self.path == "servers" {
            Finding::fault(Code::DuplicateNode, place, key).allowed("a name of its own for each node")
        } else if first.value.says_the_same(&again.value) {
            Finding::warning(Code::DuplicateKey, place, key)
                .allowed("each key once; both lines say the same, so it is used")
                .help("delete one of the two".to_owned())
        } else {
            Finding::fault(Code::DuplicateKey, place, key).allowed("each key once; the two lines differ")
        };
        finding.found(both).also(Some(also))
    }

    /// The table.
    pub(super) fn finish(self) -> Table {
        Table(self.entries)
    }
}

/// `a.b`, or `b` at the top.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The text of the configuration file, and how its bytes become lines and columns.
#[derive(Clone)]
pub(super) struct Source {
    origin: Origin,
    text: Arc<str>,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl fmt::Debug for Source {
    /// The text may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.origin)
    }
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        let begins = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            origin: Origin::File(path.into()),
            text: text.into(),
            lines: std::iter::once(0).chain(begins).collect(),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The file as a whole.
    pub(super) fn whole(&self) -> Place {
        Place {
            origin: self.origin.clone(),
            stretch: None,
        }
    }

    /// Lines and columns of a spot. A spot outside the text is moved to its end.
    pub(super) fn place(&self, spot: &Spot) -> Place {
        match spot {
            Spot::Env(variable) => Place {
                origin: Origin::Env(variable.clone()),
                stretch: None,
            },
            Spot::File(bytes) => Place {
                origin: self.origin.clone(),
                stretch: Some(self.stretch(bytes.clone())),
            },
        }
    }

    fn stretch(&self, bytes: Range<usize>) -> Stretch {
        let start = floor_char(&self.text, bytes.start);
        let line = self.lines.partition_point(|begin| *begin <= start).max(1);
        let begin = self.lines.get(line - 1).copied().unwrap_or(0);
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |at| start + at);
        let end = floor_char(&self.text, bytes.end).clamp(start, line_end);
        Stretch {
            line,
            column: self.text[begin..start].chars().count() + 1,
            width: self.text[start..end].chars().count().max(1),
        }
    }
}

/// The nearest boundary of a character at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, bytes: Range<usize>) -> (usize, usize, usize) {
        let at = Source::new(Path::new("c.json"), text).stretch(bytes);
        (at.line, at.column, at.width)
    }

    #[test]
    fn bytes_become_lines_and_characters() {
        assert_eq!(place("", 0..0), (1, 1, 1));
        assert_eq!(place("ab\ncd", 3..5), (2, 1, 2));
        assert_eq!(place("ab\ncd", 4..5), (2, 2, 1));
        assert_eq!(place("é\"x\"", 2..5), (1, 2, 3));
        assert_eq!(place("ab\ncd\n", 1..5), (1, 2, 1), "not beyond the line");
        assert_eq!(
            place("é", 1..9),
            (1, 1, 1),
            "inside of a character, beyond the end"
        );
        assert_eq!(place("a\n", 2..2), (2, 1, 1));
    }
}
