//! A text of strict JSON to the tree: no comments, no commas at the end.
//!
//! It sees every key of the text, also those that come twice.

use jsonc_parser::ast::{Object, ObjectPropName, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::de::IgnoredAny;

use super::finding::{Code, Finding, Findings};
use super::tree::{Entry, Kind, Node, Source, Spot, TableBuilder, join};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The tree of the file's text. After a fault of syntax there is none.
pub(super) fn parse(source: &Source, findings: &Findings) -> Option<Node> {
    match ast(source.text()) {
        Ok(value) => Some(
            Builder {
                source,
                findings,
                spot: &file_spot,
            }
            .node(&value, ""),
        ),
        Err((at, message)) => {
            let place = source.place(&Spot::File(at..at));
            let fault = Finding::fault(Code::Syntax, place, "")
                .found(message)
                .allowed("strict JSON");
            findings.add(fault);
            None
        }
    }
}

/// The tree of a variable's text that is a list in JSON; `None` when it is none.
pub(super) fn parse_list(text: &str, spot: &Spot, source: &Source, findings: &Findings) -> Option<Node> {
    let value = ast(text).ok().filter(|value| matches!(value, Value::Array(_)))?;
    Some(
        Builder {
            source,
            findings,
            spot: &|_| spot.clone(),
        }
        .node(&value, ""),
    )
}

/// Parses strictly, or says at which byte what is wrong.
fn ast(text: &str) -> Result<Value<'_>, (usize, String)> {
    if let Some(at) = too_deep(text) {
        return Err((at, format!("more than {MAX_DEPTH} levels of nesting")));
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT);
    let value = parsed
        .map_err(|e: ParseError| (e.range().start, e.kind().to_string()))?
        .value;
    // The parser with the places lets a few things pass that JSON forbids, such as raw control characters.
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => value.ok_or_else(|| (0, "no value".to_owned())),
        Err(error) => Err((byte_of(text, error.line(), error.column()), error.to_string())),
    }
}

/// The byte at which a bracket opens one level too many. Brackets in strings do not count.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(at);
        }
    }
    None
}

fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    before + column.saturating_sub(1)
}

fn file_spot(range: Range) -> Spot {
    Spot::File(range.start..range.end)
}

struct Builder<'a> {
    source: &'a Source,
    findings: &'a Findings,
    spot: &'a dyn Fn(Range) -> Spot,
}

impl Builder<'_> {
    fn node(&self, value: &Value<'_>, path: &str) -> Node {
        let kind = match value {
            Value::NullKeyword(_) => Kind::Null,
            Value::BooleanLit(literal) => Kind::Bool(literal.value),
            Value::StringLit(literal) => Kind::Text(literal.value.to_string()),
            Value::NumberLit(literal) => match literal.value.parse() {
                Ok(integer) => Kind::Integer(integer),
                Err(_) => Kind::Number(literal.value.to_owned()),
            },
            Value::Array(array) => {
                let element = |(at, value)| self.node(value, &format!("{path}[{at}]"));
                Kind::List(array.elements.iter().enumerate().map(element).collect())
            }
            Value::Object(object) => self.table(object, path),
        };
        Node::new((self.spot)(value.range()), kind)
    }

    fn table(&self, object: &Object<'_>, path: &str) -> Kind {
        let mut table = TableBuilder::at(path);
        for property in &object.properties {
            let (key, range) = match &property.name {
                ObjectPropName::String(literal) => (literal.value.to_string(), literal.range),
                ObjectPropName::Word(literal) => (literal.value.to_owned(), literal.range),
            };
            let value = self.node(&property.value, &join(path, &key));
            let entry = Entry {
                key,
                key_spot: (self.spot)(range),
                value,
            };
            table.add(entry, self.source, self.findings);
        }
        Kind::Table(table.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn fault(text: &str) -> Option<String> {
        let findings = Findings::default();
        let tree = parse(&Source::new(Path::new("c.json"), text), &findings);
        assert_eq!(tree.is_none(), !findings.into_sorted().is_empty(), "{text}");
        ast(text).err().map(|(_, message)| message)
    }

    #[test]
    fn only_strict_json_passes() {
        assert_eq!(fault(r#"{"a": [1, -2.5e3, "xé", true, null, {}]}"#), None);
        let loose = [
            "{a: 1}",
            "{'a': 1}",
            "[1,]",
            "[1 2]",
            "[1] // c",
            "[01]",
            "[.5]",
            "[+1]",
            "[0x1]",
            "[NaN]",
            "[\"\t\"]",
            "{} {}",
            "{",
            "[\"\\x41\"]",
            "[\"\\ud800\"]",
            "",
        ];
        for text in loose {
            assert!(fault(text).is_some(), "{text}");
        }
    }

    #[test]
    fn no_depth_and_no_length_is_too_much() {
        assert!(fault(&"[".repeat(100_000)).is_some_and(|m| m.contains("nesting")));
        assert!(fault(&"{\"a\":".repeat(100_000)).is_some_and(|m| m.contains("nesting")));
        assert_eq!(fault(&format!("[{}1]", "1,".repeat(100_000))), None);
    }
}
