//! Real processes: a shell that does what a node may do.

use std::time::{Duration, Instant};

use super::*;

struct Shell {
    dir: tempfile::TempDir,
}

impl Shell {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    fn spec(&self, script: &str) -> SpawnSpec {
        SpawnSpec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
            env_remove: Vec::new(),
            log_file: self.dir.path().join("node.log"),
            cpus: Vec::new(),
        }
    }

    fn run(&self, script: &str) -> Child {
        Child::spawn(&self.spec(script)).expect("a shell")
    }

    /// Waits until the log says something, as a node's readiness would.
    async fn says(&self, word: &str) -> String {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let log = std::fs::read_to_string(self.dir.path().join("node.log")).expect("a log");
            if let Some(line) = log.lines().find(|line| line.contains(word)) {
                return line.to_owned();
            }
            assert!(Instant::now() < end, "{word:?} did not come, the log is {log:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn an_exit_has_its_code_and_the_lines_of_this_life() {
    let shell = Shell::new();
    let first = shell.run("echo first life; exit 3").wait().await;
    assert_eq!((first.code, first.signal), (Some(3), None));
    assert_eq!(*first.last_lines, ["first life"]);
    let mut second = shell.run("echo out; echo err >&2; printf 'a\\033[31mred\\tb'");
    assert_eq!(second.log_start(), 11);
    let second = second.wait().await;
    assert!(second.is_success());
    assert_eq!(*second.last_lines, ["out", "err", "a\\u{1b}[31mred\tb"]);
}

#[tokio::test]
async fn only_the_last_twenty_lines_are_kept_and_a_second_wait_says_the_same() {
    let shell = Shell::new();
    let mut child = shell.run("i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1)); done; exit 101");
    let exit = child.wait().await;
    assert_eq!(exit.last_lines.len(), 20);
    assert_eq!(
        (exit.last_lines[0].as_str(), exit.last_lines[19].as_str()),
        ("line 30", "line 49")
    );
    assert_eq!(child.wait().await, exit);
    assert_eq!(exit.to_string(), "exit code 101");
}

#[tokio::test]
async fn a_signal_is_told_from_a_code() {
    let exit = Shell::new().run("kill -SEGV $$").wait().await;
    assert_eq!((exit.code, exit.signal), (None, Some(11)));
    assert_eq!(exit.to_string(), "killed by SIGSEGV");
}

#[tokio::test]
async fn terminate_lets_the_process_end_by_itself() {
    let shell = Shell::new();
    let mut child = shell.run("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    shell.says("up").await;
    child.terminate().expect("a signal");
    let exit = child.wait().await;
    assert!(exit.is_success(), "{exit}");
    assert!(exit.last_lines.contains(&"bye".to_owned()));
    child.terminate().expect("nothing happens after the end");
    child.kill_group().expect("nothing happens after the end");
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed_with_its_group() {
    let shell = Shell::new();
    let mut child = shell.run("trap '' TERM; sleep 600 & echo sleeper $!; wait; wait");
    let sleeper = sleeper(&shell.says("sleeper").await);
    child.terminate().expect("a signal");
    child.kill_group().expect("a signal");
    assert_eq!(child.wait().await.signal, Some(9));
    is_gone(sleeper).await;
}

#[tokio::test]
async fn grandchildren_die_with_their_node() {
    let shell = Shell::new();
    let mut child = shell.run("sleep 600 & echo sleeper $!; exit 0");
    let sleeper = sleeper(&shell.says("sleeper").await);
    assert!(child.wait().await.is_success());
    is_gone(sleeper).await;
}

fn sleeper(line: &str) -> u32 {
    line.rsplit(' ')
        .next()
        .and_then(|pid| pid.parse().ok())
        .expect("a pid")
}

/// A process that nobody has waited for yet is as gone as one that is not there.
async fn is_gone(pid: u32) {
    let end = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < end, "process {pid} lives");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_wait_that_is_given_up_can_be_taken_up_again() {
    let shell = Shell::new();
    let mut child = shell.run("echo up; read never; sleep 600");
    shell.says("up").await;
    assert!(
        tokio::time::timeout(Duration::from_millis(20), child.wait())
            .await
            .is_err()
    );
    child.abort().expect("a signal");
    assert_eq!(child.wait().await.to_string(), "killed by SIGABRT");
}

#[tokio::test]
async fn variables_are_removed_and_processors_chosen() {
    let shell = Shell::new();
    let script = "echo home=$HOME; sleep 0.1; grep Cpus_allowed_list /proc/$$/status";
    let spec = SpawnSpec {
        env_remove: vec!["HOME".into()],
        cpus: vec![0],
        ..shell.spec(script)
    };
    let exit = Child::spawn(&spec).expect("a shell").wait().await;
    assert_eq!(*exit.last_lines, ["home=", "Cpus_allowed_list:\t0"]);
    let spec = SpawnSpec {
        cpus: vec![1_000_000],
        ..shell.spec("exit 4")
    };
    let exit = Child::spawn(&spec).expect("a shell").wait().await;
    assert_eq!(exit.code, Some(4), "a wrong processor keeps no node down");
}

#[tokio::test]
async fn what_cannot_be_run_says_why_and_that_it_lasts() {
    let shell = Shell::new();
    let missing = SpawnSpec {
        program: "/no/such/program".into(),
        ..shell.spec("")
    };
    let error = Child::spawn(&missing).expect_err("no program");
    assert!(
        error
            .to_string()
            .starts_with("cannot run /no/such/program: No such file"),
        "{error}"
    );
    assert!(!error.may_pass());
    let directory = SpawnSpec {
        program: shell.dir.path().into(),
        ..shell.spec("")
    };
    assert!(!Child::spawn(&directory).expect_err("a directory").may_pass());
    let log = SpawnSpec {
        log_file: "/no/such/dir/node.log".into(),
        ..shell.spec("")
    };
    let error = Child::spawn(&log).expect_err("no log");
    assert!(
        matches!(&error, SpawnError::Log { .. }) && !error.may_pass(),
        "{error}"
    );
    let full = SpawnError::Program {
        path: "p".into(),
        source: io::Error::from(Errno::EAGAIN),
    };
    assert!(full.may_pass());
}
