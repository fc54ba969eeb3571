//! A text of TOML to the tree.
//!
//! A key that comes twice is a fault of TOML's own syntax, whatever its values.

use toml_edit::{Document, Item, Table as TomlTable, TableLike, TomlError, Value};

use super::finding::{Code, Finding, Findings};
use super::tree::{Entry, Kind, Node, Source, Spot, TableBuilder};

/// The tree of the file's text. After a fault of syntax there is none.
pub(super) fn parse(source: &Source, findings: &Findings) -> Option<Node> {
    match Document::parse(source.text()) {
        Ok(document) => Some(Builder { source, findings }.root(document.as_table())),
        Err(error) => {
            findings.add(syntax_fault(&error, source));
            None
        }
    }
}

fn syntax_fault(error: &TomlError, source: &Source) -> Finding {
    let spot = Spot::File(error.span().unwrap_or(0..0));
    let code = if error.message().starts_with("duplicate key") {
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
}

impl Builder<'_> {
    fn root(&self, table: &TomlTable) -> Node {
        Node::new(Spot::File(0..0), self.table(table))
    }

    /// `around` is the spot that counts when the item has none of its own: that of its key.
    fn item(&self, item: &Item, around: &Spot) -> Node {
        match item {
            Item::None => Node::new(around.clone(), Kind::Null),
            Item::Value(value) => self.value(value, around),
            Item::Table(table) => Node::new(around.clone(), self.table(table)),
            Item::ArrayOfTables(tables) => {
                let element = |table: &TomlTable| Node::new(spot(table.span(), around), self.table(table));
                Node::new(around.clone(), Kind::List(tables.iter().map(element).collect()))
            }
        }
    }

    fn value(&self, value: &Value, around: &Spot) -> Node {
        let kind = match value {
            Value::String(text) => Kind::Text(text.value().clone()),
            Value::Integer(integer) => Kind::Integer(i128::from(*integer.value())),
            Value::Float(float) => Kind::Number(float.value().to_string()),
            Value::Boolean(boolean) => Kind::Bool(*boolean.value()),
            Value::Datetime(date) => Kind::Date(date.value().to_string()),
            Value::Array(array) => {
                Kind::List(array.iter().map(|element| self.value(element, around)).collect())
            }
            Value::InlineTable(table) => self.table(table),
        };
        Node::new(spot(value.span(), around), kind)
    }

    fn table(&self, table: &dyn TableLike) -> Kind {
        let mut built = TableBuilder::at("");
        for (name, item) in table.iter() {
            let key_spot = spot(table.key(name).and_then(toml_edit::Key::span), &Spot::File(0..0));
            let value = self.item(item, &key_spot);
            built.add(
                Entry {
                    key: name.to_owned(),
                    key_spot,
                    value,
                },
                self.source,
                self.findings,
            );
        }
        Kind::Table(built.finish())
    }
}

fn spot(span: Option<std::ops::Range<usize>>, around: &Spot) -> Spot {
    span.map_or_else(|| around.clone(), Spot::File)
}
