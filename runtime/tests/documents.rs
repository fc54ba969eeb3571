//! What the documents say of configuration, errors and bytes is what the code does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use bytes::BytesMut;
use lampyris_runtime::config::{Config, Machine, RULES, Rule};
use lampyris_runtime::error::ErrorKind;
use lampyris_runtime::name::{HandlerId, NodeName};
use lampyris_runtime::packet::{Decoded, Dialect, Firefly};
use lampyris_runtime::supervisor::roster::{NodeSpec, Roster};
use lampyris_runtime::{codec, link, wire};

const MACHINE: Machine = Machine {
    lowest_port: 1024,
    open_files: 20_000,
};

/// A block of code in a document.
struct Block {
    language: String,
    text: String,
}

fn document(name: &str) -> String {
    let path = Path::new("..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(language), false) => {
                inside = true;
                blocks.push(Block {
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), true) => inside = false,
            (None, true) => {
                let block = blocks.last_mut().expect("because a block has begun");
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!inside, "a block of code has no end");
    blocks
}

/// The cells of the table under the heading row that begins with `first`.
fn table(text: &str, first: &str) -> Vec<Vec<String>> {
    let row = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    let rows: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {first} |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(row)
        .collect();
    assert!(!rows.is_empty(), "no table begins with {first}");
    rows
}

/// All documents with their names.
fn documents() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned()];
    for entry in fs::read_dir("../docs").expect("the folder") {
        let name = entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names
        .into_iter()
        .map(|name| (name.clone(), document(&name)))
        .collect()
}

#[test]
fn every_whole_configuration_in_the_documents_loads_and_the_rest_is_json() {
    let mut loaded = 0;
    for (name, text) in documents() {
        for block in blocks(&text) {
            let is_config = block.text.contains("servers") && block.text.contains("master");
            match block.language.as_str() {
                "json" | "toml" if is_config => {
                    let folder = tempfile::tempdir().expect("a folder");
                    let file = folder.path().join(format!("config.{}", block.language));
                    fs::write(&file, &block.text).expect("to write");
                    if let Err(rejected) = Config::load_on(&MACHINE, &file, std::iter::empty()) {
                        panic!("{name}:\n{rejected}");
                    }
                    loaded += 1;
                }
                "json" => {
                    let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block.text);
                    assert!(parsed.is_ok(), "{name}: {parsed:?} in\n{}", block.text);
                }
                "toml" => panic!("{name}: a part of a configuration, which nothing checks"),
                _ => {}
            }
        }
    }
    assert!(loaded >= 2, "the guide and firefly.md have one each");
}

#[test]
fn the_study_s_configuration_stands_in_firefly_md_as_it_is() {
    let text = document("docs/firefly.md");
    let study = document("config/config.json");
    let json = blocks(&text).into_iter().find(|block| block.language == "json");
    assert_eq!(json.expect("a block of JSON").text.trim(), study.trim());
}

#[test]
fn errors_md_lists_every_error_with_its_code_and_whether_it_ran() {
    let text = document("docs/errors.md");
    let real: Vec<Vec<String>> = ErrorKind::ALL
        .iter()
        .map(|kind| {
            vec![
                kind.name().to_owned(),
                kind.code().to_string(),
                kind.ran().name().to_owned(),
            ]
        })
        .collect();
    assert_eq!(table(&text, "error"), real);
    let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let names: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(headings, names);
}

#[test]
fn configuration_md_says_of_every_key_what_a_reload_does() {
    let text = document("docs/configuration.md");
    for (row, rule) in table(&text, "a changed key holds").iter().zip([
        Rule::AtOnce,
        Rule::Node,
        Rule::EveryNode,
        Rule::Master,
    ]) {
        let real = RULES.iter().filter(|(_, of)| *of == rule);
        let real: Vec<String> = real.map(|(key, _)| format!("`{key}`")).collect();
        assert_eq!(row[0], rule.text());
        assert_eq!(format!("`{}`", row[1]), real.join(", "));
    }
    // And these are the keys that the other tables explain.
    for (section, keys) in [
        ("master", "`master`"),
        ("link", "`link`"),
        ("log", "`log`"),
        ("servers.NAME", "`servers.NAME`"),
    ] {
        let part = text.split(&format!("## {keys}\n")).nth(1).expect("the section");
        let part = part.split("\n## ").next().expect("its text");
        for line in part.lines().filter(|line| line.starts_with("| `")) {
            let cell = line.split('|').nth(1).expect("a cell");
            for key in cell.split(',').map(|key| key.trim().trim_matches('`')) {
                let path = format!("{section}.{key}");
                let known = RULES.iter().any(|(rule, _)| *rule == path);
                let part_of_another = key.starts_with("remoteport[]") || path == "servers.NAME.name";
                assert!(known || part_of_another, "{path} has no rule");
            }
        }
    }
}

#[test]
fn the_frame_in_protocol_md_is_command_100_with_msgdata() {
    let text = document("docs/protocol.md");
    let hex = blocks(&text).remove(0).text;
    let bytes = hex
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("hex"));
    let mut buffer: BytesMut = bytes.collect();
    match Firefly::default().decode(&mut buffer, 64 * 1024) {
        Ok(Decoded::Packet(packet)) => {
            assert_eq!((packet.command, &packet.payload[..]), (100, &b"msgdata"[..]));
        }
        other => panic!("{other:?}"),
    }
    assert!(buffer.is_empty());
}

#[test]
fn the_numbers_in_protocol_md_are_those_of_the_code() {
    let text = document("docs/protocol.md");
    for row in table(&text, "handler") {
        assert_eq!(
            row[1],
            format!("0x{:08x}", HandlerId::of(&row[0]).0),
            "{}",
            row[0]
        );
    }
    let defaults = link::LinkSettings::default();
    for said in [
        format!("2 to {}", wire::MAX_FRAME),
        format!("at most {} arrays and maps", codec::MAX_DEPTH),
        format!("at most {}:", link::handshake::MAX_MESSAGE),
        format!("`link.heartbeat` ({} ms)", defaults.heartbeat.as_millis()),
        format!(
            "`link.suspect_after` ({} s)",
            defaults.suspect_after.as_secs_f64()
        ),
        format!("`link.down_after` ({} s)", defaults.down_after.as_secs()),
        format!("`link.max_message` ({} MiB)", defaults.max_message >> 20),
        format!("`link.handshake_timeout` ({} s)", defaults.handshake.as_secs()),
    ] {
        assert!(text.contains(&said), "protocol.md does not say {said:?}");
    }
    // The picture of a frame is that of the source, but for the length, which is a number there.
    let source = document("runtime/src/wire/mod.rs");
    for line in source.lines().filter_map(|line| line.strip_prefix("//! │")) {
        let said = line.contains("MAX_FRAME") || text.contains(line);
        assert!(said, "protocol.md lacks the line {line}");
    }
}

#[test]
fn the_error_frame_in_protocol_md_speaks_of_the_closed_list() {
    let text = document("docs/protocol.md");
    let block = blocks(&text).into_iter().find(|block| block.language == "json");
    let frame: serde_json::Value = serde_json::from_str(&block.expect("the error frame").text).expect("JSON");
    let kind = ErrorKind::ALL
        .iter()
        .find(|kind| frame["error"] == kind.name())
        .expect("an error of the list");
    assert_eq!(frame["ran"], kind.ran().name());
    let keys: Vec<_> = frame.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(
        BTreeSet::from_iter(keys),
        BTreeSet::from(["command", "error", "ran", "message"].map(str::to_owned))
    );
}

#[test]
fn the_node_in_operations_md_has_the_keys_of_a_snapshot() {
    let text = document("docs/operations.md");
    let is_node = |text: &str| text.contains("\"last_exits\"");
    let block = blocks(&text)
        .into_iter()
        .find(|block| block.language == "json" && is_node(&block.text));
    let shown: serde_json::Value = serde_json::from_str(&block.expect("a node").text).expect("JSON");
    let now = Instant::now();
    let spec = NodeSpec::new(NodeName::new("game1").expect("a name"));
    let roster = Roster::new(now, vec![spec], 0).expect("a tree");
    let mut real = serde_json::to_value(&roster.snapshot(now)[0]).expect("JSON");
    // What the admin adds.
    for key in ["app", "rss", "host", "lost_lines", "warnings"] {
        real[key] = serde_json::Value::Null;
    }
    let keys = |value: &serde_json::Value| -> BTreeSet<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(keys(&shown), keys(&real));
    assert_eq!(keys(&shown["restart_window"]), keys(&real["restart_window"]));
}
