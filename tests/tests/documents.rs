//! The documents are true: links lead somewhere, quoted code stands in the demo, and commands are understood by the real
//! program.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use cluster_tests::documents::{blocks, blocks_of, demo, document, documents, prose, root};
use cluster_tests::experiments::find;
use cluster_tests::process::command;

/// The anchors of a document: its headings in small letters, spaces as dashes, without other signs.
fn anchors(text: &str) -> BTreeSet<String> {
    let anchor = |line: &str| -> String {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let prose = prose(text);
    prose
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(anchor)
        .collect()
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut checked = 0;
    for (path, text) in documents() {
        let prose = prose(&text);
        let ends = |rest: &str| rest.split_once(')').map(|(link, _)| link.to_owned());
        for link in prose.split("](").skip(1).filter_map(ends) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().expect("a folder").join(file),
            };
            assert!(target.exists(), "{}: {link} leads nowhere", path.display());
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&target).expect("a document"));
                let found = there.contains(anchor);
                assert!(found, "{}: {link}: there are {there:?}", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} links were found");
}

#[test]
fn the_promises_are_all_there_and_name_experiments() {
    let text = document("docs/promises.md");
    for number in 1..=12 {
        let row = format!("\n| S{number} | **");
        assert!(text.contains(&row), "no promise S{number}");
    }
    // Hostile and slow clients have numbers of their own.
    let reserved = 29..=39;
    let numbers = text.split("R-").skip(1).map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits
            .parse::<u32>()
            .unwrap_or_else(|why| panic!("R-{digits}: {why}"))
    });
    let named: BTreeSet<u32> = numbers.collect();
    assert!(named.len() > 20, "{named:?}");
    for number in named.iter().filter(|number| !reserved.contains(*number)) {
        let id = format!("R-{number:02}");
        assert!(find(&id).is_some(), "there is no experiment {id}");
    }
}

#[test]
fn the_rust_in_firefly_md_is_the_demos() {
    let sources = ["main", "net", "gate", "game1"].map(|name| document(&format!("demo/src/{name}.rs")));
    let text = document("docs/firefly.md");
    for quoted in blocks_of(&text, "rust") {
        let stands = sources.iter().any(|source| source.contains(quoted));
        assert!(stands, "not in the demo:\n{quoted}");
    }
    for python in blocks_of(&text, "python") {
        let commands = python
            .lines()
            .filter_map(|line| line.strip_prefix("def netHandle_"));
        for number in commands.filter_map(|line| line.split('(').next()) {
            let there = sources[1].contains(&format!("#[command({number},"));
            assert!(there, "net lacks command {number}");
        }
    }
}

fn run(args: &[&str]) -> Output {
    demo(args, &root()).output().expect("the program runs")
}

/// The arguments in a line of a shell or of a service file, if it starts the demo.
fn arguments<'a>(language: &str, line: &'a str) -> Option<Vec<&'a str>> {
    let words = match language {
        "sh" => line
            .strip_prefix("demo")
            .or_else(|| line.strip_prefix("cargo run -p demo")),
        "ini" => line.strip_prefix("ExecStart=/usr/local/bin/demo"),
        _ => None,
    };
    // What stands in quotes is one word, whatever is in it.
    let quoted = words?.split('\'').enumerate();
    let mut found = Vec::new();
    for (at, part) in quoted {
        match part.split_once(" #") {
            _ if at % 2 == 1 => found.push(part),
            Some((before, _)) => {
                found.extend(before.split_whitespace());
                break;
            }
            None => found.extend(part.split_whitespace()),
        }
    }
    found.retain(|word| *word != "--");
    Some(found)
}

#[test]
fn every_command_line_in_the_documents_is_understood() {
    let mut checked = 0;
    for (path, text) in documents() {
        for (language, block) in blocks(&text) {
            for line in block.lines() {
                let Some(mut args) = arguments(language, line) else {
                    continue;
                };
                // With --help at its end, a line is read as a whole and does nothing.
                args.push("--help");
                let output = run(&args);
                let complaint = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{}: {line}\n{complaint}", path.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "only {checked} were found");
    let unknown = run(&["begin", "--help"]);
    assert!(
        !unknown.status.success(),
        "what is not understood is seen by this test"
    );
}

/// How a line begins that runs experiments.
const EXPERIMENTS: &str = "cargo run --release -p cluster-tests -- ";

#[test]
fn every_command_line_that_runs_experiments_is_understood() {
    for (path, text) in documents() {
        let lines = blocks_of(&text, "sh").into_iter().flat_map(str::lines);
        for line in lines.filter_map(|line| line.strip_prefix(EXPERIMENTS)) {
            let mut command = command(env!("CARGO_BIN_EXE_cluster-tests"));
            let output = command.args(line.split_whitespace()).arg("--help").output();
            let output = output.expect("because it was built for this test");
            assert!(output.status.success(), "{}: {line}", path.display());
        }
    }
}

#[test]
fn every_shell_line_is_one_that_is_tested() {
    let known = [
        "demo",
        "cargo run -p demo",
        "cargo test --workspace",
        EXPERIMENTS,
        "curl ",
        "TOKEN=",
        "LAMPYRIS__",
    ];
    for (path, text) in documents() {
        for line in blocks_of(&text, "sh").into_iter().flat_map(str::lines) {
            let tested = known.iter().any(|begin| line.starts_with(begin));
            assert!(tested, "{}: {line}", path.display());
        }
    }
}
