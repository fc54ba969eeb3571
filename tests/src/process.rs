//! One started program: its output line by line, signals to it, and its end.
//!
//! It must not know what the program is.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::wait::until;

/// A command to run; what it is given is the caller's choice, and its standard input is empty unless the caller says
/// otherwise.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place from which the tests start programs; the ban is for the product"
)]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Runs a tool to its end, and gives its output; `None` if it is not there.
pub fn tool(name: &str, args: &[&str]) -> Option<Output> {
    command(name).args(args).output().ok()
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with a code.
    Code(i32),
    /// Killed by a signal.
    Signal(i32),
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Stdout,
    Stderr,
}

#[derive(Default)]
struct Printed {
    lines: Vec<(From, String)>,
    streams_ended: usize,
}

/// A started program. Killed when this is dropped.
pub struct Process {
    label: String,
    pid: Pid,
    child: Mutex<Child>,
    printed: Arc<Mutex<Printed>>,
}

impl Process {
    /// Starts a command in a process group of its own, with its output kept.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(label: impl Into<String>, mut command: Command) -> Self {
        let label = label.into();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|why| panic!("{label} cannot be started: {why}"));
        let printed = Arc::new(Mutex::default());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        read(From::Stdout, stdout.expect("because it is piped"), &printed);
        read(From::Stderr, stderr.expect("because it is piped"), &printed);
        let pid = i32::try_from(child.id()).expect("because process numbers are small");
        Self {
            label,
            pid: Pid::from_raw(pid),
            child: Mutex::new(child),
            printed,
        }
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// What it is, for messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Says a line to its standard input, which the command must have piped.
    ///
    /// # Panics
    /// When it does not listen.
    #[track_caller]
    pub fn say(&self, line: &str) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let said = child.stdin.as_mut().map(|stdin| writeln!(stdin, "{line}"));
        assert!(
            matches!(said, Some(Ok(()))),
            "{} does not listen: {said:?}",
            self.label
        );
    }

    /// Sends a signal to the process alone.
    ///
    /// # Panics
    /// When it is gone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|why| panic!("{signal} to {}: {why}", self.label));
    }

    /// Sends a signal to its process group, as a terminal does.
    ///
    /// # Panics
    /// When nobody is in it.
    #[track_caller]
    pub fn signal_group(&self, signal: Signal) {
        killpg(self.pid, signal)
            .unwrap_or_else(|why| panic!("{signal} to the group of {}: {why}", self.label));
    }

    /// Waits for its end, and for the end of its output.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn end(&self) -> End {
        let end = until(&format!("the end of {}", self.label), || self.has_ended());
        until(&format!("the end of the output of {}", self.label), || {
            (self.printed().streams_ended == 2).then_some(())
        });
        end
    }

    /// How it ended, if it has.
    pub fn has_ended(&self) -> Option<End> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.try_wait().expect("because it is our child")?;
        match (status.code(), status.signal()) {
            (Some(code), _) => Some(End::Code(code)),
            (None, signal) => Some(End::Signal(signal.unwrap_or_default())),
        }
    }

    /// Waits for a line that contains a text, on either stream, and gives it.
    ///
    /// # Panics
    /// When there is none in time.
    #[track_caller]
    pub fn line(&self, containing: &str) -> String {
        self.lines(containing, 1).remove(0)
    }

    /// Waits until so many lines contain a text, and gives them.
    ///
    /// # Panics
    /// When there are fewer in time.
    #[track_caller]
    pub fn lines(&self, containing: &str, count: usize) -> Vec<String> {
        until(
            &format!("{count} lines of {} with {containing:?}", self.label),
            || {
                let lines: Vec<String> = self
                    .printed()
                    .lines
                    .iter()
                    .filter(|(_, line)| line.contains(containing))
                    .map(|(_, line)| line.clone())
                    .collect();
                (lines.len() >= count).then_some(lines)
            },
        )
    }

    /// What it has printed to standard output.
    pub fn stdout(&self) -> String {
        self.text(|from| from == From::Stdout)
    }

    /// What it has printed to standard error.
    pub fn stderr(&self) -> String {
        self.text(|from| from == From::Stderr)
    }

    /// What it has printed to either.
    pub fn output(&self) -> String {
        self.text(|_| true)
    }

    fn text(&self, wanted: impl Fn(From) -> bool) -> String {
        let printed = self.printed();
        let lines = printed.lines.iter().filter(|(from, _)| wanted(*from));
        lines.map(|(_, line)| format!("{line}\n")).collect()
    }

    fn printed(&self) -> MutexGuard<'_, Printed> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // Both fail only for a process that is gone.
        drop(child.kill());
        drop(child.wait());
    }
}

fn read(from: From, stream: impl Read + Send + 'static, printed: &Arc<Mutex<Printed>>) {
    let printed = Arc::clone(printed);
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            printed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .lines
                .push((from, text));
            line.clear();
        }
        printed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .streams_ended += 1;
    });
}

/// Kills one process by its number. One that is gone is fine.
pub fn kill_pid(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // A process that has ended in the meantime is what is wanted.
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default();
    }
}

/// Sends a signal to a process by its number.
///
/// # Panics
/// When it is gone.
#[track_caller]
pub fn signal_pid(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("because process numbers are small"));
    kill(pid, signal).unwrap_or_else(|why| panic!("{signal} to {pid}: {why}"));
}

/// The living processes that were started, directly or not, with a variable in their environment.
pub fn with_variable(name: &str, value: &Path) -> Vec<u32> {
    let wanted = format!("{name}={}", value.display());
    let has_it = |environment: Vec<u8>| {
        environment
            .split(|byte| *byte == 0)
            .any(|one| one == wanted.as_bytes())
    };
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(has_it))
        .collect()
}
