//! Every kind of fault in a configuration is found and told with its place.
//!
//! `tests/config` has one input for each case, named after the code it is about, perhaps an `.env` file with the
//! variables beside it, and the expected text. `BLESS=1 cargo test -p lampyris-runtime --test config_faults` writes
//! the expected texts anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lampyris_runtime::config::{Code, Config, Finding, Machine, refused_while_running, render_human, schema};

/// The machine on which the expected texts hold.
const MACHINE: Machine = Machine {
    lowest_port: 1024,
    open_files: 4096,
};

const FOLDER: &str = "tests/config";

/// Inputs that cannot stand as files in the folder.
const NOT_THERE: [(&str, &str); 2] = [
    ("E001_missing", "tests/config/E001_missing.json"),
    ("E002_below_a_file", "tests/config/E004_empty.json/config.json"),
];

fn cases() -> Vec<(String, PathBuf)> {
    let stem = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let files = fs::read_dir(FOLDER)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path());
    let inputs = files.filter(|path| path.extension().is_some_and(|e| e == "json" || e == "toml"));
    let mut cases: Vec<_> = inputs
        .map(|path| (format!("{}.{}", stem(&path), ending(&path)), path))
        .collect();
    cases.extend(NOT_THERE.map(|(name, path)| (name.to_owned(), PathBuf::from(path))));
    cases.sort();
    cases
}

fn ending(path: &Path) -> String {
    path.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn variables(input: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(input.with_extension("env")).unwrap_or_default();
    let pair = |line: &str| {
        line.split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

fn rendered(input: &Path) -> (Vec<Finding>, String) {
    let here = fs::canonicalize(FOLDER)
        .expect("the folder")
        .display()
        .to_string();
    let (mut findings, text) = match Config::load_on(&MACHINE, input, variables(input).into_iter()) {
        Ok(config) => (config.warnings.clone(), config.source_text().to_owned()),
        Err(rejected) => (rejected.findings.clone(), rejected.source_text().to_owned()),
    };
    findings
        .iter_mut()
        .for_each(|finding| finding.found = finding.found.replace(&here, "FOLDER"));
    let blocks: Vec<String> = findings
        .iter()
        .map(|finding| render_human(finding, &text))
        .collect();
    (findings, blocks.join("\n"))
}

#[test]
fn each_fault_is_told_as_expected() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differing = Vec::new();
    for (name, input) in cases() {
        let (findings, text) = rendered(&input);
        if let Some(code) = name.split('_').next().filter(|code| code.starts_with(['E', 'W'])) {
            assert!(
                findings.iter().any(|finding| finding.code == code),
                "{name} lacks {code}:\n{text}"
            );
        }
        let expected = Path::new(FOLDER).join(format!("{name}.txt"));
        if bless {
            fs::write(&expected, &text).expect("to write");
        }
        if fs::read_to_string(&expected).unwrap_or_default() != text {
            differing.push(format!("== {name}\n{text}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// No file has these alone: they are about what was applied before.
fn faults_of_a_reload() -> Vec<Finding> {
    let load = |port: &str| {
        let variables = [("LAMPYRIS__MASTER__ROOTPORT".to_owned(), port.to_owned())];
        let file = Path::new("../config/config.json");
        Config::load_on(&MACHINE, file, variables.into_iter()).expect("the sample")
    };
    refused_while_running(&load("9999"), &load("9997"))
}

/// These come from who has tried to use what is configured.
fn faults_of_a_deep_check() -> [Finding; 3] {
    let config = Config::load_on(&MACHINE, Path::new("../config/config.json"), std::iter::empty());
    let config = config.expect("the sample");
    [Code::PortInUse, Code::OpenFile, Code::NoAnswer].map(|code| config.fault(code, "master.rootport"))
}

#[test]
fn each_code_has_a_case_and_an_explanation() {
    let told: BTreeSet<String> = cases()
        .iter()
        .flat_map(|(_, input)| rendered(input).0)
        .chain(faults_of_a_reload())
        .chain(faults_of_a_deep_check())
        .map(|finding| finding.code[1..].to_owned())
        .collect();
    for code in Code::ALL {
        let number = format!("{:03}", *code as u32);
        assert!(told.contains(&number), "no case for {number}");
        let explained = code.explanation();
        assert!(explained.contains("**Cure.**"), "{number}: {explained}");
    }
    assert!(Code::parse("E000").is_none() && Code::parse("E99").is_none());
    assert_eq!(Code::parse("w007"), Code::parse("7"));
}

#[test]
fn each_example_in_the_documents_has_the_fault_that_it_stands_under() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let mut examples = 0;
    for code in Code::ALL {
        let text = code.explanation();
        for example in text.split("```toml bad\n").skip(1) {
            let (example, _) = example.split_once("```").expect("an end");
            fs::write(&file, example).expect("to write");
            let findings = match Config::load_on(&MACHINE, &file, std::iter::empty()) {
                Ok(_) => panic!("{text} has no fault"),
                Err(refusal) => refusal.findings,
            };
            let found: Vec<Code> = findings.iter().map(|finding| finding.kind).collect();
            assert_eq!(found, [*code], "{text}");
            examples += 1;
        }
    }
    assert!(examples >= 25, "{examples}");
}

#[test]
fn no_secret_is_told() {
    for (name, input) in cases() {
        let (_, text) = rendered(&input);
        for secret in ["hunter2", "9f3b1c77aa02de41", "changeme"] {
            assert!(!text.contains(secret), "{name} tells {secret}:\n{text}");
        }
    }
}

#[test]
fn findings_are_objects_in_json_too() {
    let (findings, _) = rendered(Path::new("tests/config/E012_port_clash.json"));
    let json = serde_json::to_value(&findings).expect("to serialize");
    let first = &json[0];
    assert_eq!(first["severity"], "fault");
    assert_eq!(first["code"], "E012");
    assert_eq!(first["place"]["origin"], "tests/config/E012_port_clash.json");
    assert_eq!(
        (first["place"]["line"].as_u64(), first["key"].as_str()),
        (Some(2), Some("master.webport"))
    );
    assert_eq!(first["also"][0]["line"], 2);
}

/// A small generator of numbers that are the same on each run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).expect("because it is below a usize")
    }
}

/// One random edit: a byte changed, taken out or put in, a piece deleted, doubled or moved.
fn edited(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    const PIECES: [&[u8]; 14] = [
        b"\"",
        b"{",
        b"}",
        b"[",
        b",",
        b":",
        b"=",
        b"0",
        b"-1",
        b"null",
        b"${X}",
        b"\"name\":\"net\"",
        b"\xff",
        b"\n",
    ];
    let mut out = text.to_vec();
    let at = dice.below(out.len());
    let end = (at + 1 + dice.below(20)).min(out.len());
    match dice.below(6) {
        0 => out[at] = u8::try_from(dice.below(256)).expect("because it is below 256"),
        1 => drop(out.drain(at..end)),
        2 => drop(out.splice(at..at, PIECES[dice.below(PIECES.len())].iter().copied())),
        3 => drop(out.splice(at..end, PIECES[dice.below(PIECES.len())].iter().copied())),
        4 => {
            let piece = out[at..end].to_vec();
            drop(out.splice(at..at, piece));
        }
        _ => {
            let piece: Vec<u8> = out.drain(at..end).collect();
            let to = dice.below(out.len() + 1);
            drop(out.splice(to..to, piece));
        }
    }
    out
}

#[test]
fn ten_thousand_edits_of_good_files_do_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dice = Dice(0x1a3f_5c77_9e02_d841);
    let (mut loaded, mut rejected) = (0, 0);
    let accepts = jsonschema::draft7::new(&schema()).expect("a schema");
    for sample in ["../config/config.json", "../config/config.toml"] {
        let good = fs::read(sample).expect("the sample");
        let path = folder.path().join(Path::new(sample).file_name().expect("a name"));
        for _ in 0..5_000 {
            let text = edited(&good, &mut dice);
            fs::write(&path, &text).expect("to write");
            match Config::load_on(&MACHINE, &path, std::iter::empty()) {
                Ok(config) => {
                    loaded += 1;
                    if sample.ends_with(".json") {
                        let content = serde_json::from_slice(&text).expect("because it has been loaded");
                        let complaint = accepts.validate(&content).err();
                        assert!(complaint.is_none(), "{complaint:?} in {content}");
                    }
                    assert!(!config.nodes.is_empty());
                    assert_eq!(config.start_order().concat().len(), config.nodes.len());
                    assert!(
                        config
                            .nodes
                            .iter()
                            .flat_map(|node| &node.parents)
                            .all(|parent| parent.port > 0)
                    );
                }
                Err(refusal) => {
                    rejected += 1;
                    assert!(!refusal.findings.is_empty() && !refusal.to_string().is_empty());
                }
            }
        }
    }
    assert!(
        loaded > 500 && rejected > 500,
        "{loaded} loaded, {rejected} rejected"
    );
}
