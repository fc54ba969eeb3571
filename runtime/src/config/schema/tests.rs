//! The schema beside the loader: what loads is accepted, and what a schema can see is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::*;
use crate::config::RULES;
use crate::config::toml;
use crate::config::tree::{Kind, Node};

fn validator() -> Validator {
    jsonschema::draft7::new(&schema()).unwrap()
}

/// What a file says, as JSON; `None` if it breaks the rules of its format.
fn content(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    let (source, findings) = (Source::new(path, &text), Findings::default());
    let root = match path.extension()?.to_str()? {
        "json" => reader::parse(&source, &findings),
        _ => toml::parse(&source, &findings),
    };
    root.map(|node| value(&node))
}

fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Null | Kind::Faulty => Value::Null,
        Kind::Bool(value) => json!(value),
        Kind::Integer(value) => {
            i64::try_from(*value).map_or_else(|_| json!(*value as f64), |value| json!(value))
        }
        Kind::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Kind::Text(text) | Kind::Date(text) => json!(text),
        Kind::List(elements) => elements.iter().map(value).collect(),
        Kind::Table(table) => {
            let entry = |entry: &crate::config::tree::Entry| (entry.key.clone(), value(&entry.value));
            Value::Object(table.entries().iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "json" || e == "toml") && path.is_file())
        .collect();
    files.sort();
    files
}

#[test]
fn every_key_is_declared_and_explained_and_no_other() {
    let declared: BTreeSet<String> = outline().0.into_iter().map(|(key, _)| key).collect();
    let explained: BTreeSet<String> = meanings::MEANINGS
        .iter()
        .map(|(key, _)| (*key).to_owned())
        .collect();
    let whole_node = BTreeSet::from(["servers.NAME".to_owned()]);
    assert_eq!(
        declared.union(&whole_node).cloned().collect::<BTreeSet<_>>(),
        explained
    );
    let ruled: BTreeSet<String> = RULES.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert!(ruled.is_subset(&explained), "{:?}", ruled.difference(&explained));
}

#[test]
fn every_value_has_a_form() {
    for (key, shape) in outline().0 {
        let form = forms::form(&key, &shape);
        assert!(shape == Shape::Section || form != json!({}), "{key}");
    }
}

#[test]
fn defaults_are_those_of_the_model() {
    let schema = schema();
    let node = &schema["properties"]["servers"]["additionalProperties"]["properties"];
    assert_eq!(node["call_timeout"]["default"], "5s");
    assert_eq!(node["max_clients"]["default"], 10_000);
    assert_eq!(node["netbind"]["default"], "0.0.0.0");
    assert_eq!(node["restart"]["default"], "permanent");
    assert_eq!(node["netport"].get("default"), None);
    assert_eq!(
        schema["properties"]["master"]["properties"]["rootport"]["default"],
        9999
    );
    assert_eq!(
        schema["properties"]["link"]["properties"]["held_bytes"]["default"],
        "8MiB"
    );
    assert_eq!(
        schema["properties"]["journal"]["properties"]["sync"]["default"],
        "always"
    );
    let validator = validator();
    let defaults =
        json!({"master": {"rootport": 9999}, "servers": {"a": {"app": "x", "restart": "permanent"}}});
    assert!(validator.is_valid(&defaults));
}

#[test]
fn the_samples_are_accepted() {
    let validator = validator();
    let samples = files("../config");
    assert!(samples.len() >= 4, "{samples:?}");
    for sample in samples {
        let content = content(&sample).unwrap();
        let complaints: Vec<String> = validator.iter_errors(&content).map(|e| e.to_string()).collect();
        assert!(complaints.is_empty(), "{}: {complaints:#?}", sample.display());
    }
}

/// Faults that stand in one value, or in the presence of keys.
const SEEN: [&str; 17] = [
    "E008", "E009", "E010", "E011", "E014", "E016", "E020", "E023", "E024", "E025", "E027", "E031", "E032",
    "E033", "E035", "E037", "many",
];

/// Of those, what a schema cannot see all the same, or sees nothing of in the file itself.
const UNSEEN: [&str; 4] = [
    // The variables have the fault.
    "E008_unknown_variable.json",
    "E009_wrong_type_of_a_variable.json",
    // Whether one is needed depends on other keys, whether it is known on others' files.
    "E027_no_secret_off_loopback.json",
    "E027_sample_secret.json",
];

/// Faults of other kinds that it sees by the way.
const SEEN_BY_THE_WAY: [&str; 5] = [
    "E007_two_values.toml",
    "E017_unknown_parent.json",
    "E026_two_databases.toml",
    "E026_two_secrets.json",
    "E039_certificates.json",
];

#[test]
fn of_the_bad_examples_those_are_refused_whose_fault_a_schema_can_see() {
    let validator = validator();
    let (mut refused, mut wrong) = (0, Vec::new());
    for file in files("tests/config") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let Some(content) = content(&file) else { continue };
        let seen = SEEN.iter().any(|code| name.starts_with(code)) && !UNSEEN.contains(&name.as_str());
        let expected = seen || SEEN_BY_THE_WAY.contains(&name.as_str());
        let complaints: Vec<String> = validator.iter_errors(&content).map(|e| e.to_string()).collect();
        refused += usize::from(!complaints.is_empty());
        if complaints.is_empty() == expected {
            wrong.push(format!("{name}: {complaints:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(refused >= 20, "{refused}");
}
