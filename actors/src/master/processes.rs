//! The nodes' processes: started, signalled, waited for, each by a task of its own.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use actix::Addr;
use lampyris_runtime::config::{Config, applied_copy};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::sockets::Listeners;
use lampyris_runtime::supervisor::adopted::Adopted;
use lampyris_runtime::supervisor::child::{Child, SpawnError, SpawnSpec};
use lampyris_runtime::supervisor::process::{Process, Sign};
use lampyris_runtime::supervisor::roster::Event;
use lampyris_runtime::supervisor::{output, usage};
use tokio::sync::{mpsc, oneshot};

use super::state::Known;
use super::{Happened, Master};

/// Variables that no node gets: what is secret travels in files.
const SECRET_VARIABLES: [&str; 2] = ["LAMPYRIS_ADMIN_TOKEN", "LAMPYRIS__SECRET"];

/// The variable that tells a node where the text lies that its master has applied: it starts with that, whatever
/// stands in the file by then.
pub(crate) const APPLIED: &str = "LAMPYRIS_APPLIED";

/// Lines of one node's output that may wait for the terminal; a slow terminal slows the reading of the file.
const LINES: usize = 1024;

/// Signals that may wait for one process.
const SIGNS: usize = 16;

/// Lines that a node prints.
pub(super) type Output = mpsc::Receiver<String>;

/// The processes that this master has started.
pub(super) struct Processes {
    config: Arc<Config>,
    program: PathBuf,
    living: HashMap<NodeName, Living>,
    /// Each task of a process holds a clone, so that its receiver learns when the last is gone.
    last: mpsc::Sender<()>,
}

struct Living {
    pid: u32,
    start_time: Option<u64>,
    signs: mpsc::Sender<Sign>,
}

impl Processes {
    pub(super) fn new(config: Arc<Config>, program: PathBuf, last: mpsc::Sender<()>) -> Self {
        Self {
            config,
            program,
            living: HashMap::new(),
            last,
        }
    }

    /// What is started from now on is started by this configuration.
    pub(super) fn go_by(&mut self, config: &Arc<Config>) {
        self.config = Arc::clone(config);
    }

    /// Starts a node, with its listening sockets; its end is told to the master.
    pub(super) fn spawn(
        &mut self,
        name: &NodeName,
        sockets: &Listeners,
        master: Addr<Master>,
    ) -> Result<(u32, Output), SpawnError> {
        let log_file = self.log_file(name);
        if let Err(error) = output::rotate(&log_file, self.config.log.max_size, self.config.log.max_files) {
            tracing::warn!(node = %name, %error, "the log could not be rotated");
        }
        let spec = SpawnSpec {
            program: self.program.clone(),
            args: self.arguments(name),
            env: vec![(APPLIED.to_owned(), applied_copy(&self.config.run_dir).into())],
            env_remove: SECRET_VARIABLES.map(str::to_owned).to_vec(),
            log_file,
            cpus: self
                .config
                .node(name.as_str())
                .map(|node| node.cpu.clone())
                .unwrap_or_default(),
        };
        let child = Child::spawn(&spec, sockets)?;
        Ok((child.pid(), self.keep(name, Process::Child(child), master)))
    }

    /// Takes over a process of an earlier master, if it still lives.
    pub(super) fn adopt(&mut self, known: &Known, master: Addr<Master>) -> io::Result<Option<Output>> {
        let adopted = Adopted::open(known.pid, known.start_time, &self.log_file(&known.name))?;
        Ok(adopted.map(|process| self.keep(&known.name, Process::Adopted(process), master)))
    }

    /// Watches a process; gives the lines that it prints from now on.
    fn keep(&mut self, name: &NodeName, process: Process, master: Addr<Master>) -> Output {
        let pid = process.pid();
        let (signs, wanted) = mpsc::channel(SIGNS);
        let (lines, output) = mpsc::channel(LINES);
        let (ended, end) = oneshot::channel();
        tokio::spawn(output::follow(
            self.log_file(name),
            process.log_start(),
            lines,
            end,
        ));
        let watching = watch(name.clone(), process, wanted, ended, master);
        let last = self.last.clone();
        tokio::spawn(async move {
            watching.await;
            drop(last);
        });
        self.living.insert(
            name.clone(),
            Living {
                pid,
                start_time: usage::start_time(pid),
                signs,
            },
        );
        output
    }

    /// The living processes, for a master that comes after this one.
    pub(super) fn known(&self, restarts: &HashMap<NodeName, u64>) -> Vec<Known> {
        let known = self
            .living
            .iter()
            .filter(|(_, living)| !living.signs.is_closed())
            .filter_map(|(name, living)| {
                let restarts = restarts.get(name).copied().unwrap_or(0);
                Some(Known {
                    name: name.clone(),
                    pid: living.pid,
                    start_time: living.start_time?,
                    restarts,
                })
            });
        let mut known: Vec<_> = known.collect();
        known.sort_by(|left, right| left.name.cmp(&right.name));
        known
    }

    fn log_file(&self, name: &NodeName) -> PathBuf {
        self.config.log.dir.join(format!("{name}.log"))
    }

    fn arguments(&self, name: &NodeName) -> Vec<OsString> {
        let words: [OsString; 4] = [
            "--role".into(),
            name.as_str().into(),
            "--config".into(),
            self.config.file.clone().into(),
        ];
        words.into()
    }

    /// Whether a process is a node that this master watches.
    pub(super) fn is_known(&self, pid: u32) -> bool {
        self.living.values().any(|living| living.pid == pid)
    }

    /// Whether a process is one that this master started for the node.
    pub(super) fn is_own(&self, name: &NodeName, pid: u32) -> bool {
        self.living.get(name).is_some_and(|living| living.pid == pid)
    }

    /// Sends a signal, if the process is still the one that is meant.
    pub(super) fn sign(&self, name: &NodeName, pid: u32, sign: Sign) {
        let Some(living) = self.living.get(name).filter(|_| self.is_own(name, pid)) else {
            return tracing::warn!(node = %name, pid, ?sign, "no such process of ours");
        };
        if living.signs.try_send(sign).is_err() {
            tracing::debug!(node = %name, pid, ?sign, "the process has ended, or has enough signals");
        }
    }
}

/// Waits for the end of a process, and sends it what it is to be sent. When nobody can send any more, because
/// the master's actor is gone, the process is killed: a master that ends by its own will leaves none behind.
async fn watch(
    name: NodeName,
    mut process: Process,
    mut wanted: mpsc::Receiver<Sign>,
    ended: oneshot::Sender<()>,
    master: Addr<Master>,
) {
    let pid = process.pid();
    let exit = loop {
        let sign = tokio::select! {
            exit = process.wait() => break exit,
            sign = wanted.recv() => sign.unwrap_or(Sign::Kill),
        };
        if let Err(error) = process.sign(sign) {
            tracing::warn!(node = %name, pid, ?sign, %error, "a signal could not be sent");
        }
        if wanted.is_closed() && wanted.is_empty() {
            break process.wait().await;
        }
    };
    // The follower may be gone already, with the terminal.
    ended.send(()).unwrap_or(());
    master.do_send(Happened(Event::Exited { name, pid, exit }));
}
