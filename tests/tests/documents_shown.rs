//! What the documents show of a cluster is what it prints, and what it answers.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use cluster_tests::documents::{blocks_of, demo, document};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest time for anything that a process here is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

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
