//! A text of TOML to the tree.
//!
//! TOML itself forbids a key that comes twice, and its parser stops there. Here such a key is given another name and
//! the text is parsed again, so that the tree has both and says whether they differ.

use std::collections::BTreeMap;
use std::ops::Range;

use toml_edit::{Document, Item, Table as TomlTable, TableLike, TomlError, Value};

use super::finding::{Code, Finding, Findings};
use super::tree::{Entry, Kind, Node, Source, Spot, TableBuilder, join};

/// So often a text with keys that come twice is parsed again.
const MAX_RENAMES: u32 = 32;

/// The tree of the file's text. After a fault of syntax there is none.
pub(super) fn parse(source: &Source, findings: &Findings) -> Option<Node> {
    let mut text = source.text().to_owned();
    let mut renamed = BTreeMap::new();
    for attempt in 0..=MAX_RENAMES {
        let error = match Document::parse(text.as_str()) {
            Ok(document) => {
                let builder = Builder {
                    source,
                    findings,
                    renamed,
                };
                return Some(Node::new(
                    Spot::File(0..0),
                    builder.table(document.as_table(), ""),
                ));
            }
            Err(error) => error,
        };
        let Some(key) = twice(&error).filter(|_| attempt < MAX_RENAMES) else {
            findings.add(syntax_fault(&error, source));
            break;
        };
        let original = source.text()[key.clone()].trim_matches(['"', '\'']).to_owned();
        text.replace_range(key.clone(), &stand_in(attempt, key.len()));
        renamed.insert(key.start, original);
    }
    None
}

/// The bytes of a key that comes a second time.
fn twice(error: &TomlError) -> Option<Range<usize>> {
    error
        .span()
        .filter(|span| error.message().starts_with("duplicate key") && !span.is_empty())
}

/// A key of the same length; another one in each attempt, as far as the length allows.
fn stand_in(attempt: u32, length: usize) -> String {
    let number = format!("{attempt:->length$}");
    number[number.len() - length..].to_owned()
}

fn syntax_fault(error: &TomlError, source: &Source) -> Finding {
    let spot = Spot::File(error.span().unwrap_or(0..0));
    let code = if twice(error).is_some() {
        Code::DuplicateKey
    } else {
        Code::Syntax
    };
    Finding::fault(code, source.place(&spot), "")
        .found(error.message())
        .allowed("TOML, each key once")
}

struct Builder<'a> {
    source: &'a Source,
    findings: &'a Findings,
    /// The true names of keys that came twice, by the byte where they stand.
    renamed: BTreeMap<usize, String>,
}

impl Builder<'_> {
    /// `around` is the spot that counts when the item has none of its own: that of its key.
    fn item(&self, item: &Item, around: &Spot, path: &str) -> Node {
        match item {
            Item::None => Node::new(around.clone(), Kind::Null),
            Item::Value(value) => self.value(value, around, path),
            Item::Table(table) => Node::new(around.clone(), self.table(table, path)),
            Item::ArrayOfTables(tables) => {
                let element =
                    |table: &TomlTable| Node::new(spot(table.span(), around), self.table(table, path));
                Node::new(around.clone(), Kind::List(tables.iter().map(element).collect()))
            }
        }
    }

    fn value(&self, value: &Value, around: &Spot, path: &str) -> Node {
        let kind = match value {
            Value::String(text) => Kind::Text(text.value().clone()),
            Value::Integer(integer) => Kind::Integer(i128::from(*integer.value())),
            Value::Float(float) => Kind::Number(float.value().to_string()),
            Value::Boolean(boolean) => Kind::Bool(*boolean.value()),
            Value::Datetime(date) => Kind::Date(date.value().to_string()),
            Value::Array(array) => Kind::List(
                array
                    .iter()
                    .map(|element| self.value(element, around, path))
                    .collect(),
            ),
            Value::InlineTable(table) => self.table(table, path),
        };
        Node::new(spot(value.span(), around), kind)
    }

    fn table(&self, table: &dyn TableLike, path: &str) -> Kind {
        let mut built = TableBuilder::at(path);
        for (name, item) in table.iter() {
            let key_spot = spot(table.key(name).and_then(toml_edit::Key::span), &Spot::File(0..0));
            let renamed = match &key_spot {
                Spot::File(bytes) => self.renamed.get(&bytes.start),
                Spot::Env(_) => None,
            };
            let key = renamed.map_or(name, String::as_str).to_owned();
            let value = self.item(item, &key_spot, &join(path, &key));
            built.add(Entry { key, key_spot, value }, self.source, self.findings);
        }
        Kind::Table(built.finish())
    }
}

fn spot(span: Option<Range<usize>>, around: &Spot) -> Spot {
    span.map_or_else(|| around.clone(), Spot::File)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn findings(text: &str) -> Vec<String> {
        let findings = Findings::default();
        parse(&Source::new(Path::new("c.toml"), text), &findings);
        let told = |finding: Finding| format!("{} {} {}", finding.code, finding.key, finding.place);
        findings.into_sorted().into_iter().map(told).collect()
    }

    #[test]
    fn keys_that_come_twice_are_compared() {
        assert_eq!(
            findings("a = 1\na = 1\nb = 1\n b = 2"),
            ["W007 a c.toml:2:1", "E007 b c.toml:4:2"]
        );
        assert_eq!(findings("a = 1\na = 1\na = 2\na = 3").len(), 3);
        assert_eq!(findings("[s.g]\nx = 1\n[s.g]\nx = 1"), ["W007 s.g c.toml:3:4"]);
        assert_eq!(
            findings("[servers.g]\nx = 1\n[servers.g]\nx = 1"),
            ["E015 servers.g c.toml:3:10"]
        );
        assert_eq!(findings("s = {\"x\" = 1, 'x' = 1}"), ["W007 s.x c.toml:1:15"]);
    }

    #[test]
    fn an_endless_row_of_the_same_key_is_given_up() {
        let found = findings(&"port = 1\n".repeat(1000));
        assert_eq!(found, ["E007  c.toml:34:1"]);
    }
}
