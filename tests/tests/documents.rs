//! The documents are true: links lead somewhere, quoted code stands in the demo, commands are understood by the real
//! program, and what is shown of its output is what it prints.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use cluster_tests::experiments::find;
use cluster_tests::process::command;
use cluster_tests::programs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest time for anything that a process here is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Path and text of every document.
fn documents() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in [".", "docs", "docs/decisions"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "md") {
                let text = fs::read_to_string(&path).expect("a document");
                found.push((path, text));
            }
        }
    }
    found
}

/// Language and text of each block of code.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("\n```").skip(1).step_by(2);
    parts
        .map(|part| part.split_once('\n').expect("a block has lines"))
        .collect()
}

fn blocks_of<'a>(text: &'a str, wanted: &str) -> Vec<&'a str> {
    let blocks = blocks(text).into_iter();
    blocks
        .filter(|(language, _)| *language == wanted)
        .map(|(_, block)| block)
        .collect()
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect()
}

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

fn demo(args: &[&str], folder: &Path) -> Command {
    let mut command = command(programs::demo());
    command.args(args).current_dir(folder);
    command
        .env_remove("LAMPYRIS_CONFIG")
        .env_remove("LAMPYRIS_ADMIN_TOKEN");
    command
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

/// The study's cluster on free ports, in a folder of its own.
struct Cluster {
    folder: tempfile::TempDir,
    master: Child,
    lines: Receiver<String>,
    webport: u16,
}

impl Cluster {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sockets = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let ports = sockets
            .each_ref()
            .map(|socket| socket.local_addr().expect("an address").port());
        let mut config = document("config/config.json");
        for (written, free) in ["9999", "9998", "10000", "10001"].iter().zip(ports) {
            config = config.replace(&format!("port\":{written}"), &format!("port\":{free}"));
        }
        fs::write(folder.path().join("config.json"), config).expect("to write");
        drop(sockets);
        let mut master = demo(&["--config", "config.json"], folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let output = BufReader::new(master.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut lines = output.lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Self {
            folder,
            master,
            lines,
            webport: ports[1],
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.master.id()).expect("the number of a process"))
    }

    /// The lines that it prints, up to one with `last` in it.
    fn lines_until(&self, last: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.last().is_some_and(|line| line.contains(last)) {
            let line = self.lines.recv_timeout(PATIENCE);
            lines.push(line.unwrap_or_else(|_| panic!("no line with {last:?} after {lines:#?}")));
        }
        lines
    }

    /// The status of the answer to a request.
    fn status(&self, method: &str, path: &str, token: Option<&str>) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.webport)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n{}\r\n",
            authorization.unwrap_or_default()
        );
        stream.write_all(head.as_bytes()).expect("to write");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.unwrap_or_else(|| panic!("{method} {path}: {answer}"))
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.master.wait().expect("its end").code()
    }
}

impl Drop for Cluster {
    /// However a test ends, nothing of it goes on: a second signal kills all nodes.
    fn drop(&mut self) {
        for _ in 0..2 {
            if matches!(self.master.try_wait(), Ok(None)) {
                kill(self.pid(), Signal::SIGTERM).ok();
            }
        }
        self.master.wait().ok();
    }
}

/// A line of output with a sign in place of each number behind the node's name.
fn without_numbers(line: &str) -> String {
    let (name, rest) = line.split_at(line.find('|').unwrap_or_default());
    let mut plain = name.to_owned();
    for c in rest.chars() {
        match c.is_ascii_digit() {
            true if plain.ends_with('#') => {}
            true => plain.push('#'),
            false => plain.push(c),
        }
    }
    plain
}

/// Lines that may come in another order: nodes of one level do not wait for each other.
fn as_a_set<'a>(lines: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    // The code that opens the page once is another one each time.
    let without_code = |line: &'a str| line.split("#code=").next().unwrap_or(line);
    lines
        .into_iter()
        .map(|line| without_numbers(without_code(line)))
        .collect()
}

#[test]
fn the_master_prints_what_the_readme_shows() {
    let readme = document("README.md");
    let shown = blocks_of(&readme, "text");
    let mut cluster = Cluster::start();
    let started = cluster.lines_until("master | ready in");
    assert_eq!(
        as_a_set(started.iter().map(String::as_str)),
        as_a_set(shown[0].lines())
    );
    kill(cluster.pid(), Signal::SIGINT).expect("a living master");
    let stopped = cluster.lines_until("all nodes have stopped");
    assert_eq!(stopped, shown[1].lines().collect::<Vec<_>>());
    assert_eq!(cluster.exit_code(), Some(0));
}

#[test]
fn the_requests_in_operations_md_are_answered_as_it_says() {
    let text = document("docs/operations.md");
    let shell: Vec<&str> = blocks_of(&text, "sh").into_iter().flat_map(str::lines).collect();
    let mut cluster = Cluster::start();
    cluster.lines_until("master | ready in");
    let file = shell
        .iter()
        .find_map(|line| line.strip_prefix("TOKEN=$(cat config/")?.strip_suffix(')'));
    let file = cluster.folder.path().join(file.expect("where the token is"));
    let token = fs::read_to_string(file).expect("the token");
    let token = Some(token.trim());
    for (method, path, token, expected) in [
        ("GET", "/api/v1/nodes", None, 401),
        ("GET", "/nothing", None, 404),
        ("POST", "/api/v1/nodes/game9/actions/stop", token, 404),
        ("POST", "/api/v1/nodes/game1/actions/dance", token, 404),
        ("GET", "/api/v1/cluster/actions/stop", token, 405),
    ] {
        assert_eq!(cluster.status(method, path, token), expected, "{method} {path}");
    }
    let requests = shell.iter().filter(|line| line.starts_with("curl "));
    for line in requests.clone() {
        let (_, path) = line.split_once("127.0.0.1:9998").expect("the port of the study");
        let (method, expected) = match line.contains("-X POST") {
            // Done when it is answered.
            true if line.contains("cluster/actions/reload") => ("POST", 200),
            true => ("POST", 202),
            false => ("GET", 200),
        };
        let token = token.filter(|_| line.contains("$TOKEN"));
        assert_eq!(cluster.status(method, path, token), expected, "{line}");
    }
    assert_eq!(requests.count(), 13);
    cluster.lines_until("all nodes have stopped");
    assert_eq!(cluster.exit_code(), Some(0));
}
