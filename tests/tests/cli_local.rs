//! The commands that need no running cluster say what they say: transcripts in `cli/local`, and what no transcript can
//! show. `TRYCMD=overwrite cargo test -p cluster-tests --test cli_local` writes the transcripts anew.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Output, Stdio};

use cluster_tests::process::{command, tool};
use cluster_tests::programs;
use serde_json::Value;

fn run(args: &[&str]) -> Output {
    let mut demo = command(programs::demo());
    demo.args(args).env_remove("LAMPYRIS_CONFIG");
    demo.output().expect("because the program was built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A configuration with these ports, in a folder of its own.
fn written(rootport: u16, webport: u16) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let text = format!(
        "[master]\nrootport = {rootport}\nwebport = {webport}\n[servers.gate]\napp = \"app.gateserver\"\n[servers.game1]\napp \
         = \"app.game1server\"\n"
    );
    fs::write(&file, text).expect("to write");
    let file = file
        .to_str()
        .expect("because temporary folders have plain names")
        .to_owned();
    (folder, file)
}

/// Two ports that nobody has: a moment later somebody might, so nothing hangs on their being free.
fn free_ports() -> [u16; 2] {
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    sockets.map(|socket| socket.local_addr().expect("an address").port())
}

#[test]
fn the_transcripts_are_what_is_printed() {
    let cases = trycmd::TestCases::new();
    cases
        .register_bin("demo", programs::demo())
        .env("NO_COLOR", "1")
        .case("cli/local/*.trycmd");
}

#[test]
fn the_schema_is_a_schema_that_names_its_draft() {
    let output = run(&["schema"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let netport = &schema["properties"]["servers"]["additionalProperties"]["properties"]["netport"];
    assert_eq!(netport["description"], "port for game clients");
}

#[test]
fn what_holds_is_told_in_json_as_by_the_admin_api() {
    let [rootport, webport] = free_ports();
    let (_folder, file) = written(rootport, webport);
    let output = run(&["config", "show", "--format", "json", "--config", &file]);
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown["file"], file);
    let gate = shown["nodes"]["gate"].as_array().expect("a list");
    let app = gate
        .iter()
        .find(|one| one["key"] == "servers.gate.app")
        .expect("the app");
    assert_eq!(app["value"], "app.gateserver");
    assert!(
        app["origin"]
            .as_str()
            .is_some_and(|origin| origin.ends_with("config.toml:5:7")),
        "{app}"
    );
}

#[test]
fn a_taken_port_is_found_by_a_deep_check_and_by_the_doctor() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let (_folder, file) = written(port, free_ports()[0]);
    let shallow = run(&["check-config", &file]);
    assert_eq!(shallow.status.code(), Some(0), "{}", text(&shallow.stderr));
    let deep = run(&["check-config", &file, "--deep", "--format", "json"]);
    assert_eq!(deep.status.code(), Some(78));
    let findings: Value = serde_json::from_slice(&deep.stdout).expect("JSON");
    let fault = findings
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["key"] == "master.rootport");
    let fault = fault.expect("the port");
    assert_eq!(
        (&fault["code"], &fault["place"]["line"]),
        (&"E041".into(), &2.into())
    );
    let pid = format!("pid {}", std::process::id());
    assert!(
        fault["found"].as_str().is_some_and(|found| found.contains(&pid)),
        "{fault}"
    );
    let doctor = run(&["doctor", "--config", &file, "--format", "json"]);
    assert_eq!(doctor.status.code(), Some(4));
    let remarks: Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
    let remarks = remarks.as_array().expect("a list");
    assert!(
        remarks
            .iter()
            .any(|one| one["about"] == "ports" && one["grade"] == "bad"),
        "{remarks:?}"
    );
    for remark in remarks {
        assert_eq!(remark["fix"].is_null(), remark["grade"] == "ok", "{remark}");
    }
}

#[test]
fn colours_are_for_those_who_want_them() {
    let bad = "cli/local/check.in/bad.toml";
    let plain = run(&["check-config", bad]);
    assert!(!plain.stderr.contains(&0x1b), "a pipe is no terminal");
    let always = run(&["check-config", bad, "--color", "always"]);
    assert!(
        text(&always.stderr).contains("\u{1b}[31merror\u{1b}[0m[E"),
        "{}",
        text(&always.stderr)
    );
    let never = run(&["--color", "never", "check-config", bad]);
    assert_eq!(plain.stderr, never.stderr);
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    for arguments in [
        vec![&b"expl\xffain"[..]],
        vec![b"explain", b"E0\xff"],
        vec![b"new", b"\xff"],
    ] {
        let mut demo = command(programs::demo());
        demo.args(arguments.iter().map(|bytes| OsStr::from_bytes(bytes)));
        let output = demo.output().expect("because the program was built");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output.stderr).starts_with("error: "),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_complain() {
    for args in [
        &["schema"][..],
        &["explain"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let mut demo = command(programs::demo());
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        demo.args(args).stdout(writer).stderr(Stdio::piped());
        let output = demo.output().expect("because the program was built");
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new()),
            "{args:?}"
        );
    }
}

/// Loads the script in the shell after `before`, runs `what` there, and gives the words that it prints.
fn complete(shell: &str, before: &str, what: &str) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let script = run(&["completions", shell]);
    assert!(script.status.success());
    let file = folder.path().join("script");
    fs::write(&file, script.stdout).expect("to write");
    let program = programs::demo();
    let bin = program.parent().map(Path::to_owned).unwrap_or_default();
    let (_folder, config) = written(9999, 9998);
    let text = format!(
        "{before}\nexport PATH={}:$PATH LAMPYRIS_CONFIG={config}\nsource {}\n{what}\n",
        bin.display(),
        file.display()
    );
    let output = tool(shell, &["-c", &text])?;
    assert!(output.status.success(), "{}", self::text(&output.stderr));
    assert_eq!(self::text(&output.stderr), "");
    Some(
        self::text(&output.stdout)
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    )
}

/// What bash completes for these words, the last of which is being typed.
fn in_bash(words: &[&str]) -> Vec<String> {
    let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
    let what = format!(
        "COMP_WORDS=({}); COMP_CWORD={}; _demo_with_nodes demo '{last}' '{before}'; echo \"${{COMPREPLY[@]}}\"",
        words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" "),
        words.len() - 1
    );
    complete("bash", "", &what).expect("because bash is there")
}

#[test]
fn bash_completes_commands_options_words_and_nodes() {
    assert_eq!(in_bash(&["demo", "check"]), ["check-config"]);
    assert_eq!(in_bash(&["demo", "check-config", "--de"]), ["--deep"]);
    assert_eq!(in_bash(&["demo", "graph", "--format", "m"]), ["mermaid"]);
    assert_eq!(in_bash(&["demo", "--role", "ga"]), ["gate", "game1"]);
    assert_eq!(in_bash(&["demo", "--role", "m"]), ["master"]);
    let program = complete("bash", "", "complete -p demo").expect("because bash is there");
    assert!(program.contains(&"_demo_with_nodes".to_owned()), "{program:?}");
}

#[test]
fn zsh_and_fish_complete_as_well_where_they_are_installed() {
    let in_zsh = "compadd() { print -l ${(P)2} }; words=(demo); _demo_nodes; whence -w _demo";
    match complete("zsh", "autoload -U compinit; compinit -u -D", in_zsh) {
        None => println!("skipped: zsh is not installed"),
        Some(words) => assert_eq!(words, ["gate", "game1", "_demo:", "function"]),
    }
    match complete(
        "fish",
        "",
        "complete -C 'demo check'; complete -C 'demo --role ga'",
    ) {
        None => println!("skipped: fish is not installed"),
        Some(words) => {
            for word in ["check-config", "gate", "game1"] {
                assert!(words.contains(&word.to_owned()), "{words:?}");
            }
        }
    }
}
