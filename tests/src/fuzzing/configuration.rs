//! Texts of a configuration.

use std::path::PathBuf;

use lampyris_runtime::config::{Config, Machine, render_human};

use super::Target;

/// A file that is called config.json.
pub(super) const JSON: Target = Target {
    name: "config_json",
    run: |input| configuration(input, "json"),
    seeds: || texts(&["config.json"]),
};

/// A file that is called config.toml.
pub(super) const TOML: Target = Target {
    name: "config_toml",
    run: |input| configuration(input, "toml"),
    seeds: || texts(&["config.toml", "hosts.toml"]),
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

/// One file for each thread, in memory where there is such a place.
fn place(ending: &str) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    let thread = format!("{:?}", std::thread::current().id());
    let number: String = thread.chars().filter(char::is_ascii_digit).collect();
    folder.join(format!("lampyris-fuzz-{}-{number}.{ending}", std::process::id()))
}

fn texts(files: &[&str]) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../config"));
    let text = |file: &&str| std::fs::read(folder.join(file)).expect("a configuration of this repository");
    files.iter().map(text).collect()
}
