//! The keys of a configuration as a JSON Schema, draft 7, for the editors that complete and check while one types.
//!
//! The readers of the configuration declare their keys themselves: they are run over a skeleton that has every
//! section, and what they ask for is noted. Defaults are those of the model. A schema cannot say everything: what
//! depends on several values, or on the machine, is found by [`Config::load`](super::Config::load) alone.

mod forms;
mod meanings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Value, json};

use super::diff::items;
use super::finding::Findings;
use super::load::{Loaded, typed};
use super::shape::{Outline, Shape};
use super::tree::Source;
use super::written::Written;
use super::{Config, json as reader};

/// Every section there is, so that each reader asks for all of its keys. The one node has the name of its section.
const SKELETON: &str = r#"{
    "master": {}, "link": {}, "log": {}, "admin": {"tokens": [{}]}, "trace": {},
    "db": {}, "memcached": {}, "redis": {}, "store": {}, "journal": {},
    "servers": {"node": {"tls": {}, "remoteport": [{}]}}
}"#;

/// The skeleton's node among the keys.
const NODE: &str = "servers.node";

/// Which keys of a section must be given.
const REQUIRED: [(&str, &[&str]); 7] = [
    ("", &["master", "servers"]),
    ("servers.NAME", &["app"]),
    ("servers.NAME.remoteport[0]", &["rootname"]),
    ("servers.NAME.tls", &["cert", "key"]),
    ("admin.tokens[0]", &["name", "role", "token"]),
    ("memcached", &["urls"]),
    ("redis", &["server"]),
];

/// The schema. It accepts every configuration that loads, unless a key that must be given comes from a variable.
pub fn schema() -> Value {
    let (keys, defaults) = outline();
    let mut root = section();
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("Configuration of a Lampyris cluster");
    root["definitions"] = json!({ "variable": forms::variable() });
    for (key, shape) in &keys {
        let mut form = match shape {
            Shape::Section if key == "servers" => forms::servers(section()),
            Shape::Section => section(),
            shape => forms::form(key, shape),
        };
        if matches!(shape, Shape::List(_)) && keys.iter().any(|(other, _)| is_in_list(other, key)) {
            form["items"] = section();
        }
        if let Some(meaning) = meanings::of(key) {
            form["description"] = json!(meaning);
        }
        if let Some(default) = defaults.get(key.as_str()).and_then(|text| default(shape, text)) {
            form["default"] = default;
        }
        *place(&mut root, key) = form;
    }
    for (path, keys) in REQUIRED {
        place(&mut root, path)["required"] = json!(keys);
    }
    forms::exclude(&mut root);
    root
}

/// Every key that a reader asks for, with its shape, and the defaults as they are shown.
fn outline() -> (Vec<(String, Shape)>, HashMap<String, String>) {
    let (outline, findings) = (Outline::default(), Findings::default());
    let path = Path::new("config.json");
    let source = Source::new(path, SKELETON);
    let root = reader::parse(&source, &findings).expect("because the skeleton is JSON");
    let loaded = Loaded {
        from: path.to_owned(),
        variables: BTreeMap::new(),
    };
    // What the skeleton lacks is of no interest.
    let config: Config = typed(path, Written { source, root }, loaded, &findings, Some(&outline));
    let keys = outline.into_keys().into_iter();
    let keys = keys.map(|(key, shape)| (key.replacen(NODE, "servers.NAME", 1), shape));
    let defaults = items(&config)
        .into_iter()
        .filter_map(|item| Some((item.pattern(), item.shown()?)));
    (keys.collect(), defaults.collect())
}

/// Whether a key is one of the tables in a list.
fn is_in_list(key: &str, list: &str) -> bool {
    key.strip_prefix(list).is_some_and(|rest| rest.starts_with("[0]"))
}

/// A section without keys yet.
fn section() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": {} })
}

/// A default as it would be written; `None` where it depends on other things, or is no value of its own.
fn default(shape: &Shape, text: &str) -> Option<Value> {
    match shape {
        Shape::Integer(_) | Shape::Port | Shape::Boolean => serde_json::from_str(text).ok(),
        Shape::Duration(_) | Shape::Size(_) | Shape::Words(_) | Shape::Bind | Shape::Host => {
            Some(json!(text))
        }
        Shape::Own
        | Shape::Text
        | Shape::Server
        | Shape::Secret
        | Shape::Path
        | Shape::List(_)
        | Shape::Section => None,
    }
}

/// Where the schema of a key stands.
fn place<'a>(root: &'a mut Value, path: &str) -> &'a mut Value {
    let parts = path.split('.').filter(|part| !part.is_empty());
    parts.fold(root, |at, part| match part.strip_suffix("[0]") {
        _ if part == "NAME" => &mut at["additionalProperties"],
        Some(list) => &mut at["properties"][list]["items"],
        None => &mut at["properties"][part],
    })
}
