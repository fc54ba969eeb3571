//! One process of the operating system: started, waited for, signalled.
//!
//! It leads a process group of its own, so that a Ctrl-C at the master's terminal reaches the master alone and
//! whatever the node starts dies with it. Its output goes to a file, not a pipe: a dead master neither blocks a
//! node nor breaks its writes. It does not die with the master, which is why nothing here kills on drop.
//!
//! Must not know nodes, links, or when to start again.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::exit::Exit;
use super::output;
use crate::name::Incarnation;
use crate::sockets::{self, Listeners};

/// What to start, and with what around it.
#[derive(Debug, Clone)]
pub struct SpawnSpec {
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments, without the name of the program.
    pub args: Vec<OsString>,
    /// Variables that it gets besides those of the master.
    pub env: Vec<(String, OsString)>,
    /// Variables of the master's environment that it does not get.
    pub env_remove: Vec<String>,
    /// The file that its output is appended to; made with mode 0600 if it is not there.
    pub log_file: PathBuf,
    /// The processors that it may run on, from 0; empty for all. Those that the machine lacks are a warning.
    pub cpus: Vec<usize>,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The file for its output cannot be opened.
    #[error("cannot open the log file {}: {source}", path.display())]
    Log {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The listening sockets cannot be handed to it.
    #[error("cannot hand the listening sockets over: {source}")]
    Sockets {
        /// What the operating system says.
        source: io::Error,
    },
    /// The program cannot be run.
    #[error("cannot run {}: {source}", path.display())]
    Program {
        /// Which program.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl SpawnError {
    /// Whether another attempt may help: a lack of memory passes, a missing program does not.
    pub fn may_pass(&self) -> bool {
        let (Self::Log { source, .. } | Self::Program { source, .. } | Self::Sockets { source }) = self;
        let lasting = [
            Errno::ENOENT,
            Errno::EACCES,
            Errno::EPERM,
            Errno::ENOEXEC,
            Errno::ENOTDIR,
            Errno::EISDIR,
        ];
        !source
            .raw_os_error()
            .is_some_and(|code| lasting.contains(&Errno::from_raw(code)))
    }
}

/// A node that has been started and waits for leave to go on. When this is dropped instead, the node ends.
#[derive(Debug)]
pub struct Waiting(UnixStream);

impl Waiting {
    /// Lets it go on: the master has written down that it has started it.
    pub fn let_go(self) {
        sockets::let_go(self.0);
    }
}

/// A started process. It goes on when this is dropped.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    pid: Pid,
    log_file: PathBuf,
    log: Arc<File>,
    /// Where in the log this life begins, in bytes.
    log_start: u64,
    /// Whether its group has been killed after its end; the number of the group may then be another's.
    swept: bool,
}

impl Child {
    /// Starts a node, with copies of these listening sockets, and the life whose place it is to take, on its standard
    /// input. To be called within a tokio runtime.
    ///
    /// # Errors
    /// As [`Child::spawn`].
    pub fn spawn_node(
        spec: &SpawnSpec,
        sockets: &Listeners,
        succeeds: Option<Incarnation>,
    ) -> Result<(Self, Waiting), SpawnError> {
        let failed = |source| SpawnError::Sockets { source };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        sockets::send_to_node(&ours, sockets, succeeds).map_err(failed)?;
        let child = Self::spawn_with(spec, OwnedFd::from(theirs).into())?;
        Ok((child, Waiting(ours)))
    }

    /// Starts a process with nothing on its standard input. To be called within a tokio runtime.
    ///
    /// # Errors
    /// The log file or the program cannot be used, or the operating system has no room for a process.
    pub fn spawn(spec: &SpawnSpec) -> Result<Self, SpawnError> {
        Self::spawn_with(spec, Stdio::null())
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place where processes are started"
    )]
    fn spawn_with(spec: &SpawnSpec, stdin: Stdio) -> Result<Self, SpawnError> {
        let log_failed = |source| SpawnError::Log {
            path: spec.log_file.clone(),
            source,
        };
        let log = output::open(&spec.log_file).map_err(log_failed)?;
        let log_start = log.metadata().map_err(log_failed)?.len();
        let mut command = tokio::process::Command::new(&spec.program);
        command.args(&spec.args).process_group(0);
        command.stdin(stdin);
        command
            .stdout(log.try_clone().map_err(log_failed)?)
            .stderr(log.try_clone().map_err(log_failed)?);
        command.envs(spec.env.iter().map(|(name, value)| (name, value)));
        for variable in &spec.env_remove {
            command.env_remove(variable);
        }
        let failed = |source| SpawnError::Program {
            path: spec.program.clone(),
            source,
        };
        let process = command.spawn().map_err(failed)?;
        let pid = process.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = Pid::from_raw(pid.expect("a process that nobody waited for has its number"));
        pin(pid, &spec.cpus);
        Ok(Self {
            process,
            pid,
            log_file: spec.log_file.clone(),
            log: Arc::new(log),
            log_start,
            swept: false,
        })
    }

    /// The number of the process, which is that of its group as well.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Where in the log file the output of this life begins, in bytes.
    pub fn log_start(&self) -> u64 {
        self.log_start
    }

    /// Waits for the end of the process, and kills what is left of its group. May be dropped and called again.
    pub async fn wait(&mut self) -> Exit {
        let status = self.process.wait().await;
        self.sweep();
        let (path, log, start) = (self.log_file.clone(), Arc::clone(&self.log), self.log_start);
        let last_lines = tokio::task::spawn_blocking(move || output::last_lines(&path, &log, start)).await;
        let last_lines: Arc<[String]> = match last_lines {
            Ok(Ok(lines)) => lines.into(),
            Ok(Err(error)) => Arc::new([format!("(the log cannot be read: {error})")]),
            Err(_) => Arc::default(),
        };
        match status {
            Ok(status) => Exit {
                last_lines,
                ..describe(status)
            },
            Err(error) => {
                tracing::error!(pid = self.pid(), %error, "the end of a process is not known");
                Exit {
                    last_lines,
                    ..Exit::default()
                }
            }
        }
    }

    /// Asks the process to stop (SIGTERM). Nothing happens if it has ended.
    ///
    /// # Errors
    /// The operating system does not let the master signal it.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Ends the process with a trace of where it was (SIGABRT). Nothing happens if it has ended.
    ///
    /// # Errors
    /// The operating system does not let the master signal it.
    pub fn abort(&self) -> io::Result<()> {
        self.signal(Signal::SIGABRT)
    }

    /// Kills the process and all of its group (SIGKILL). Nothing happens if it has ended.
    ///
    /// # Errors
    /// The operating system does not let the master signal it.
    pub fn kill_group(&self) -> io::Result<()> {
        match self.process.id() {
            Some(_) => gone_is_fine(killpg(self.pid, Signal::SIGKILL)),
            None => Ok(()),
        }
    }

    /// Only while nobody has taken the process's end: until then its number cannot be a stranger's.
    fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.process.id() {
            Some(_) => gone_is_fine(kill(self.pid, signal)),
            None => Ok(()),
        }
    }

    /// Kills what the process has left behind in its group. The number of a group that still has members is not
    /// given away, and that of an empty one not in the moment since its leader's end was taken: numbers go round.
    fn sweep(&mut self) {
        if std::mem::replace(&mut self.swept, true) {
            return;
        }
        if let Err(error) = gone_is_fine(killpg(self.pid, Signal::SIGKILL)) {
            tracing::warn!(pid = self.pid(), %error, "what a node left behind cannot be killed");
        }
    }
}

fn gone_is_fine(result: nix::Result<()>) -> io::Result<()> {
    match result {
        Err(Errno::ESRCH) => Ok(()),
        other => other.map_err(io::Error::from),
    }
}

fn describe(status: ExitStatus) -> Exit {
    Exit {
        code: status.code(),
        signal: status.signal(),
        ..Exit::default()
    }
}

/// Keeps a process on some processors, from right after its start: whatever threads it makes inherit that.
#[cfg(target_os = "linux")]
fn pin(pid: Pid, cpus: &[usize]) {
    use nix::sched::{CpuSet, sched_setaffinity};

    if cpus.is_empty() {
        return;
    }
    let mut set = CpuSet::new();
    let chosen = cpus.iter().try_for_each(|&cpu| set.set(cpu));
    if let Err(error) = chosen.and_then(|()| sched_setaffinity(pid, &set)) {
        tracing::warn!(%pid, ?cpus, %error, "the process runs on any processor");
    }
}

#[cfg(not(target_os = "linux"))]
fn pin(pid: Pid, cpus: &[usize]) {
    if !cpus.is_empty() {
        tracing::warn!(%pid, ?cpus, "processors can be chosen on Linux only");
    }
}

#[cfg(test)]
mod tests;
