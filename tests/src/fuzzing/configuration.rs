//! Texts of a configuration.

use std::path::PathBuf;

use lampyris_runtime::config::{Config, Machine, render_human};

use super::{Target, memory, nothing_kept};

/// A file that is called config.json.
pub const JSON: Target = Target {
    name: "config_json",
    run: |input| configuration(input, "json"),
    seeds: || texts(&["config.json"]),
    end: nothing_kept,
};

/// A file that is called config.toml.
pub const TOML: Target = Target {
    name: "config_toml",
    run: |input| configuration(input, "toml"),
    seeds: || texts(&["config.toml", "hosts.toml"]),
    end: nothing_kept,
};

/// Either it is a configuration, or every fault has a place and words for people.
fn configuration(input: &[u8], ending: &str) {
    let machine = Machine {
        lowest_port: 1024,
        open_files: 4096,
    };
    let file = place(ending);
    std::fs::write(&file, input).expect("a file");
    let loaded = Config::load_on(&machine, &file, std::iter::empty());
    std::fs::remove_file(&file).expect("to remove it");
    match loaded {
        Ok(config) => {
            let levels = config.start_order();
            let named: usize = levels.iter().map(Vec::len).sum();
            assert_eq!(named, config.nodes.len(), "a node is never started");
        }
        Err(rejected) => {
            assert!(!rejected.findings.is_empty(), "refused without a reason");
            for finding in &rejected.findings {
                let text = render_human(finding, rejected.source_text());
                assert!(!text.trim().is_empty(), "a fault without words");
            }
        }
    }
}

/// One file for each thread.
fn place(ending: &str) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let number: String = thread.chars().filter(char::is_ascii_digit).collect();
    memory().join(format!("lampyris-fuzz-{}-{number}.{ending}", std::process::id()))
}

fn texts(files: &[&str]) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../config"));
    let text = |file: &&str| std::fs::read(folder.join(file)).expect("a configuration of this repository");
    files.iter().map(text).collect()
}
