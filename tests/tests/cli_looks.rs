//! The commands that look: in every form, for people, pipes and programs.

use std::io::Write;
use std::os::fd::AsFd;
use std::process::Stdio;

use cluster_tests::Cluster;
use cluster_tests::process::{End, kill_pid, signal_pid};
use cluster_tests::wait::until;
use nix::sys::signal::Signal;
use serde_json::Value;

/// The process of game1, once it has been ready for so long that its end is no failed start.
fn proven(cluster: &Cluster) -> u32 {
    let admin = cluster.admin();
    admin.until_proven();
    admin.pid("game1")
}

#[test]
fn status_has_a_form_for_people_one_for_lines_and_one_for_programs() {
    let cluster = Cluster::study();
    cluster.start();
    let table = cluster.run(&["status"]);
    assert_eq!(table.end(), End::Code(0), "{}", table.output());
    let said = table.stdout();
    assert!(said.starts_with("NODE "), "{said}");
    assert!(said.ends_with("Healthy: 3 of 3 nodes ready\n"), "{said}");
    let plain = cluster.run(&["status", "--format", "plain", "game1"]);
    assert_eq!(plain.end(), End::Code(0));
    let pid = cluster.admin().pid("game1").to_string();
    let words: Vec<String> = plain
        .stdout()
        .trim_end_matches('\n')
        .split('\t')
        .map(str::to_owned)
        .collect();
    assert_eq!(words, ["game1", "ready", &pid, "0", "app.game1server", ""]);
    let json = cluster.run(&["status", "--format", "json"]);
    assert_eq!(json.end(), End::Code(0));
    let seen: Value = serde_json::from_str(&json.stdout()).expect("one object");
    assert_eq!(seen["cluster"]["verdict"]["health"], "healthy");
    assert_eq!(seen["nodes"].as_array().map(Vec::len), Some(3));
    let watched = cluster.run(&["status", "--watch", "--format", "plain"]);
    watched.line("game1\tready");
    kill_pid(proven(&cluster));
    watched.lines("game1\tready", 2);
    watched.signal(Signal::SIGINT);
    assert_eq!(watched.end(), End::Signal(2));
    let top = cluster.run(&["top", "--once", "--page", "nodes"]);
    assert_eq!(top.end(), End::Code(0), "{}", top.output());
    assert!(
        top.stdout().contains("Healthy: 3 of 3 nodes ready"),
        "{}",
        top.stdout()
    );
    let no_terminal = cluster.run(&["top"]);
    assert_eq!(no_terminal.end(), End::Code(2));
}

#[test]
fn colours_are_for_terminals_and_those_who_ask_for_them() {
    let mut cluster = Cluster::study();
    cluster.start();
    let has_colours = |cluster: &Cluster, arguments: &[&str]| {
        let run = cluster.run(arguments);
        assert_eq!(run.end(), End::Code(0), "{}", run.output());
        run.stdout().contains("\x1b[")
    };
    assert!(!has_colours(&cluster, &["status"]), "a pipe is no terminal");
    assert!(has_colours(&cluster, &["status", "--color", "always"]));
    assert!(has_colours(&cluster, &["logs", "--color", "always"]));
    // A terminal that `script` lends.
    let on_terminal = |cluster: &Cluster, more: &str| {
        let mut command = cluster.command("script");
        let program = cluster.program().display();
        let config = cluster.folder().join("config.json");
        let line = format!("{program} status {more} --config {}", config.display());
        command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null());
        let run = cluster.run_command("script", command);
        assert_eq!(run.end(), End::Code(0), "{}", run.output());
        assert!(run.stdout().contains("Healthy"), "{}", run.stdout());
        run.stdout().contains("\x1b[32m")
    };
    cluster.variable("TERM", "xterm").without_variable("NO_COLOR");
    assert!(on_terminal(&cluster, ""));
    assert!(!on_terminal(&cluster, "--color never"));
    cluster.variable("NO_COLOR", "1");
    assert!(!on_terminal(&cluster, ""));
    cluster.variable("NO_COLOR", "").variable("TERM", "dumb");
    assert!(!on_terminal(&cluster, ""));
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let cluster = Cluster::study();
    cluster.start();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    for arguments in [
        &["status"][..],
        &["logs"],
        &["logs", "-f"],
        &["events"],
        &["events", "-f"],
        &["top", "--once"],
    ] {
        let mut command = cluster.command(cluster.program());
        let out = writer.as_fd().try_clone_to_owned().expect("a copy");
        command.args(arguments).arg("--config").arg(cluster.config_file());
        // The line of the shell gives the command a standard output of which the other end is closed.
        let errors = cluster.folder().join("errors");
        let file = std::fs::File::create(&errors).expect("the folder is ours");
        command.stdin(Stdio::null()).stdout(out).stderr(file);
        let mut child = command.spawn().expect("the program runs");
        let status = until(&format!("the end of {arguments:?}"), || {
            child.try_wait().expect("our child")
        });
        assert_eq!(status.code(), Some(0), "{arguments:?}");
        let said = std::fs::read_to_string(&errors).expect("the file is there");
        assert_eq!(said, "", "{arguments:?}");
    }
}

#[test]
fn logs_are_merged_followed_filtered_and_there_without_a_master() {
    let cluster = Cluster::study();
    let master = cluster.start();
    let all = cluster.run(&["logs", "-n", "1000"]);
    assert_eq!(all.end(), End::Code(0), "{}", all.output());
    let said = all.stdout();
    for name in ["gate   | ", "net    | ", "game1  | ", "master | "] {
        assert!(said.contains(name), "{name} in {said}");
    }
    let times: Vec<&str> = said.lines().filter_map(|line| line.get(9..36)).collect();
    assert!(times.is_sorted(), "{said}");
    let few = cluster.run(&["logs", "game1", "-n", "1", "--no-prefix", "--grep", "link up"]);
    assert_eq!(few.end(), End::Code(0));
    assert_eq!(few.stdout().lines().count(), 1, "{}", few.stdout());
    assert!(few.stdout().contains("link up"));
    let old = cluster.run(&["logs", "--since", "0s"]);
    assert_eq!((old.end(), old.stdout()), (End::Code(0), String::new()));

    let followed = cluster.run(&["logs", "-f", "-n", "0", "game1", "master"]);
    let remote = cluster.run(&[
        "logs",
        "-f",
        "-n",
        "1",
        "--addr",
        &cluster.webport().to_string(),
        "game1",
    ]);
    remote.line("game1");
    kill_pid(proven(&cluster));
    followed.line("master | ");
    followed.line("game1  | ");
    remote.line("ready handlers=");

    kill_pid(master.pid());
    master.end();
    remote.end();
    let json = cluster.run(&["logs", "master", "--json", "-n", "5"]);
    assert_eq!(json.end(), End::Code(0), "{}", json.output());
    for line in json.stdout().lines() {
        let line: Value = serde_json::from_str(line).expect("an object a line");
        assert_eq!(line["node"], "master");
    }
    let events = cluster.run(&["events", "-n", "3"]);
    assert_eq!(events.end(), End::Code(0), "{}", events.output());
    assert!(events.stderr().contains("no master runs"), "{}", events.stderr());
    assert_eq!(events.stdout().lines().count(), 3);
    // Lines that were there before are told once.
    let told = followed.stdout();
    let mut lines: Vec<&str> = told.lines().filter(|line| line.contains("Z  INFO")).collect();
    let count = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), count, "{told}");
}

#[test]
fn logs_of_a_master_elsewhere_are_filtered_before_they_are_cut() {
    let cluster = Cluster::study();
    cluster.start();
    let path = cluster.run_dir().join("logs/gate.log");
    let mut log = std::fs::OpenOptions::new()
        .append(true)
        .open(path)
        .expect("the log");
    let mut text = "2096-01-01T00:00:00.000000Z ERROR needle & thread\n".to_owned();
    for second in 0..6_000 {
        let (minute, second) = (second / 60, second % 60);
        let (hour, minute) = (1 + minute / 60, minute % 60);
        text += &format!("2096-01-01T{hour:02}:{minute:02}:{second:02}.000000Z  INFO hay\n");
    }
    log.write_all(text.as_bytes()).expect("room for it");
    let web = cluster.webport().to_string();
    for filter in [["--grep", "needle & thread"], ["--level", "error"]] {
        for place in [&[][..], &["--addr", &web]] {
            let arguments = [&["logs", "gate", "--no-prefix"], &filter[..], place].concat();
            let found = cluster.run(&arguments);
            assert_eq!(found.end(), End::Code(0), "{}", found.output());
            assert!(
                found.stdout().contains("needle & thread"),
                "{arguments:?}: {}",
                found.output()
            );
        }
    }
    let none = cluster.run(&["logs", "gate", "-n", "0", "--addr", &web]);
    assert_eq!((none.end(), none.stdout()), (End::Code(0), String::new()));
}

#[test]
fn events_are_followed_over_the_death_of_a_master() {
    let cluster = Cluster::study();
    let master = cluster.start();
    let followed = cluster.run(&["events", "-f", "-n", "0"]);
    kill_pid(proven(&cluster));
    followed.line("ended: killed by SIGKILL");
    kill_pid(master.pid());
    master.end();
    followed.line("waiting for one that answers");
    cluster.start();
    assert_eq!(cluster.run(&["drain", "game1"]).end(), End::Code(0));
    followed.line("drain, by admin");
    let json = cluster.run(&["events", "game1", "--json", "-n", "1"]);
    assert_eq!(json.end(), End::Code(0));
    let event: Value = serde_json::from_str(&json.stdout()).expect("an object");
    assert_eq!(event["node"], "game1");
}

#[test]
fn top_gives_the_terminal_back_when_a_signal_ends_it() {
    let mut cluster = Cluster::study();
    cluster.start();
    cluster.variable("TERM", "xterm");
    let written = cluster.folder().join("typescript");
    let mut command = cluster.command("script");
    let (program, config) = (cluster.program().display(), cluster.folder().join("config.json"));
    // A terminal that nobody looks at has no size of its own.
    let line = format!(
        "stty cols 80 rows 24; exec {program} top --config {}",
        config.display()
    );
    command.args(["-qefc", &line]).arg(&written).stdin(Stdio::null());
    let run = cluster.run_command("script", command);
    let shown = || String::from_utf8_lossy(&std::fs::read(&written).unwrap_or_default()).into_owned();
    until("the picture", || {
        (shown().contains("\x1b[?1049h") && shown().contains("Healthy")).then_some(())
    });
    let is_top = |pid: &u32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).nth(1) == Some(b"top")
    };
    let pid = cluster.processes().into_iter().find(is_top).expect("it runs");
    signal_pid(pid, Signal::SIGTERM);
    assert_eq!(run.end(), End::Code(143), "{}", shown());
    assert!(shown().contains("\x1b[?1049l"), "the screen of before is back");
}
