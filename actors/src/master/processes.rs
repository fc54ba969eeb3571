//! The nodes' processes: started, signalled, waited for, each by a task of its own.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use actix::Addr;
use lampyris_runtime::config::{Config, applied_copy};
use lampyris_runtime::name::{Incarnation, NodeName};
use lampyris_runtime::sockets::Listeners;
use lampyris_runtime::supervisor::adopted::Adopted;
use lampyris_runtime::supervisor::child::{Child, SpawnError, SpawnSpec, Waiting};
use lampyris_runtime::supervisor::exit::Exit;
use lampyris_runtime::supervisor::oom::OomKills;
use lampyris_runtime::supervisor::process::{Process, Sign};
use lampyris_runtime::supervisor::roster::{Event, NodeSnapshot};
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
    /// By their numbers: a node has two processes while one takes the other's place.
    living: HashMap<u32, Living>,
    oom: Arc<OomKills>,
    /// For each node the end of whoever follows its log, which all its processes write to: it is dropped with the
    /// last of them.
    followers: HashMap<NodeName, Weak<oneshot::Sender<()>>>,
    /// Each task of a process holds a clone, so that its receiver learns when the last is gone.
    last: mpsc::Sender<()>,
}

struct Living {
    name: NodeName,
    /// Until the next master can know of it.
    waiting: Option<Waiting>,
    start_time: Option<u64>,
    signs: mpsc::Sender<Sign>,
}

impl Processes {
    pub(super) fn new(config: Arc<Config>, program: PathBuf, last: mpsc::Sender<()>) -> Self {
        Self {
            config,
            program,
            living: HashMap::new(),
            oom: Arc::new(OomKills::here()),
            followers: HashMap::new(),
            last,
        }
    }

    /// What is started from now on is started by this configuration.
    pub(super) fn go_by(&mut self, config: &Arc<Config>) {
        self.config = Arc::clone(config);
    }

    /// Starts a node, with its listening sockets; its end is told to the master. It waits until [`Processes::let_go`].
    /// There is no output of a second process of a node: it is followed already.
    pub(super) fn spawn(
        &mut self,
        name: &NodeName,
        succeeds: Option<Incarnation>,
        sockets: &Listeners,
        master: Addr<Master>,
    ) -> Result<(u32, Option<Output>), SpawnError> {
        let log_file = self.log_file(name);
        if let Err(error) =
            output::rotation::rotate(&log_file, self.config.log.max_size, self.config.log.max_files)
        {
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
        let (child, waiting) = Child::spawn_node(&spec, sockets, succeeds)?;
        let pid = child.pid();
        Ok((pid, self.keep(name, Process::Child(child), Some(waiting), master)))
    }

    /// Lets the processes go on that have been started: the next master would find them.
    pub(super) fn let_go(&mut self) {
        for waiting in self
            .living
            .values_mut()
            .filter_map(|living| living.waiting.take())
        {
            waiting.let_go();
        }
    }

    /// Forgets a process that has ended, unless its number is another's already.
    pub(super) fn forget(&mut self, pid: u32) {
        if self
            .living
            .get(&pid)
            .is_some_and(|living| living.signs.is_closed())
        {
            self.living.remove(&pid);
        }
    }

    /// Takes over a process of an earlier master, if it still lives; says whether it does.
    pub(super) fn adopt(
        &mut self,
        known: &Known,
        master: Addr<Master>,
    ) -> io::Result<Option<Option<Output>>> {
        let adopted = Adopted::open(known.pid, known.start_time, &self.log_file(&known.name))?;
        Ok(adopted.map(|process| self.keep(&known.name, Process::Adopted(process), None, master)))
    }

    /// Watches a process; gives the lines that the node prints from now on, if they are not followed yet.
    fn keep(
        &mut self,
        name: &NodeName,
        process: Process,
        waiting: Option<Waiting>,
        master: Addr<Master>,
    ) -> Option<Output> {
        let pid = process.pid();
        let (signs, wanted) = mpsc::channel(SIGNS);
        let (following, output) = self.follow(name, process.log_start());
        let watching = watch(name.clone(), process, wanted);
        let (node, oom, last) = (name.clone(), Arc::clone(&self.oom), self.last.clone());
        tokio::spawn(async move {
            let mut exit = watching.await;
            if exit.may_be_oom() {
                exit.oom_kills = oom.take();
            }
            // The follower may be gone already, with the terminal.
            drop(following);
            master.do_send(Happened(Event::Exited {
                name: node,
                pid,
                exit,
            }));
            drop(last);
        });
        let living = Living {
            name: name.clone(),
            waiting,
            start_time: usage::start_time(pid),
            signs,
        };
        self.living.insert(pid, living);
        output
    }

    /// Has the log of a node followed, until nobody has what this gives any more.
    fn follow(&mut self, name: &NodeName, start: u64) -> (Arc<oneshot::Sender<()>>, Option<Output>) {
        if let Some(following) = self.followers.get(name).and_then(Weak::upgrade) {
            return (following, None);
        }
        let (lines, output) = mpsc::channel(LINES);
        let (ended, end) = oneshot::channel();
        tokio::spawn(output::follow(self.log_file(name), start, lines, end));
        let following = Arc::new(ended);
        self.followers.insert(name.clone(), Arc::downgrade(&following));
        (following, Some(output))
    }

    /// The living processes, for a master that comes after this one.
    pub(super) fn known(&self, nodes: &[NodeSnapshot]) -> Vec<Known> {
        let known = self
            .living
            .iter()
            .filter(|(_, living)| !living.signs.is_closed())
            .filter_map(|(pid, living)| {
                let node = nodes.iter().find(|node| node.name == living.name);
                let beside = node.and_then(|node| node.beside.as_ref());
                Some(Known {
                    name: living.name.clone(),
                    pid: *pid,
                    start_time: living.start_time?,
                    restarts: node.map_or(0, |node| node.restarts),
                    beside: beside
                        .filter(|beside| beside.pid == Some(*pid))
                        .map(|beside| beside.role),
                })
            });
        let mut known: Vec<_> = known.collect();
        known.sort_by(|left, right| (&left.name, left.pid).cmp(&(&right.name, right.pid)));
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
        self.living.contains_key(&pid)
    }

    /// Whether a process is one that this master started for the node.
    pub(super) fn is_own(&self, name: &NodeName, pid: u32) -> bool {
        self.living.get(&pid).is_some_and(|living| living.name == *name)
    }

    /// Sends a signal, if the process is still the one that is meant.
    pub(super) fn sign(&self, name: &NodeName, pid: u32, sign: Sign) {
        let Some(living) = self.living.get(&pid).filter(|living| living.name == *name) else {
            return tracing::warn!(node = %name, pid, ?sign, "no such process of ours");
        };
        if living.signs.try_send(sign).is_err() {
            tracing::debug!(node = %name, pid, ?sign, "the process has ended, or has enough signals");
        }
    }
}

/// Waits for the end of a process, and sends it what it is to be sent. When nobody can send any more, because
/// the master's actor is gone, the process is killed: a master that ends by its own will leaves none behind.
async fn watch(name: NodeName, mut process: Process, mut wanted: mpsc::Receiver<Sign>) -> Exit {
    let pid = process.pid();
    loop {
        let sign = tokio::select! {
            exit = process.wait() => return exit,
            sign = wanted.recv() => sign.unwrap_or(Sign::Kill),
        };
        if let Err(error) = process.sign(sign) {
            tracing::warn!(node = %name, pid, ?sign, %error, "a signal could not be sent");
        }
        if wanted.is_closed() && wanted.is_empty() {
            return process.wait().await;
        }
    }
}
