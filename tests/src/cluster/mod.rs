//! One cluster: a folder, a configuration and ports of its own, and every process that it starts.
//!
//! Each test has its own. Dropping it kills all its processes, by their numbers: those it started itself and
//! those that these started, which carry a variable with the folder's name. When a test fails, the drop prints
//! what all of them said.

mod said;
mod settings;

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Client, Frame};
use crate::http;
use crate::ports::Port;
use crate::process::{Process, command, kill_pid, with_variable};
use crate::programs;
use crate::wait::{until, within};

/// The variable by which a cluster knows its processes.
const MARK: &str = "CLUSTER_TESTS_FOLDER";

/// The variable with the administrator's token.
pub const TOKEN: &str = "LAMPYRIS_ADMIN_TOKEN";

/// A cluster. Nothing runs before [`Cluster::start`] or [`Cluster::run`].
pub struct Cluster {
    folder: tempfile::TempDir,
    program: PathBuf,
    config: Value,
    ports: Vec<Port>,
    environment: Vec<(String, String)>,
    token: String,
    started: Mutex<Vec<Arc<Process>>>,
}

impl Cluster {
    /// The study's cluster: its program, its configuration, other ports.
    pub fn study() -> Self {
        Self::tree(
            programs::demo(),
            ["app.gateserver", "app.netserver", "app.game1server"],
        )
    }

    /// The same tree with applications made for tests.
    pub fn of_test_apps() -> Self {
        Self::tree(programs::test_apps(), ["test.gate", "test.net", "test.game"])
    }

    fn tree(program: PathBuf, [gate, net, game]: [&str; 3]) -> Self {
        let mut cluster = Self::empty(program);
        let (root, clients) = (cluster.port(), cluster.port());
        cluster.set(
            "servers",
            json!({
                "gate": {"name": "gate", "rootport": root, "app": gate},
                "net": {"name": "net", "netport": clients, "remoteport": [{"rootport": root, "rootname": "gate"}], "app": net},
                "game1": {"name": "game1", "remoteport": [{"rootport": root, "rootname": "gate"}], "app": game},
            }),
        );
        cluster
    }

    /// A master's section and nothing else.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    pub fn empty(program: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("because there is a place for temporary files");
        let token = format!("token-{:016x}", random());
        let mut cluster = Self {
            config: json!({ "run_dir": folder.path().join("run") }),
            folder,
            program,
            ports: Vec::new(),
            environment: vec![(TOKEN.into(), token.clone())],
            token,
            started: Mutex::default(),
        };
        let (root, web) = (cluster.port(), cluster.port());
        cluster.set("master", json!({"rootport": root, "webport": web}));
        cluster
    }

    /// The cluster's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of secret, token, lock and logs.
    pub fn run_dir(&self) -> PathBuf {
        self.folder().join("run")
    }

    /// Has a node of the application `test.exit` exit with a code at its next start, `never` be ready, or be `stuck`.
    ///
    /// # Panics
    /// When the run folder cannot be written to.
    pub fn tell(&self, name: &str, what: &str) {
        // One that others may write to is refused.
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.run_dir());
        made.expect("because the folder is ours");
        let file = self.run_dir().join(format!("exit-{name}"));
        std::fs::write(file, what).expect("because the folder is ours");
    }

    /// The administrator's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Starts the master with all its nodes, and waits until all are ready.
    #[track_caller]
    pub fn start(&self) -> Arc<Process> {
        let master = self.run(&[]);
        master.line("ready in");
        master
    }

    /// Starts the program with these arguments and the cluster's configuration.
    pub fn run(&self, arguments: &[&str]) -> Arc<Process> {
        let file = self.config_file();
        self.run_with(&file, arguments)
    }

    /// Starts a node by hand, and waits until it says that it is ready.
    #[track_caller]
    pub fn run_node(&self, name: &str) -> Arc<Process> {
        let node = self.run(&["--role", name]);
        node.line(" ready handlers=");
        node
    }

    /// Starts the program with these arguments and another configuration.
    pub fn run_with(&self, file: &Path, arguments: &[&str]) -> Arc<Process> {
        let mut command = self.command(&self.program);
        command.args(arguments).arg("--config").arg(file);
        self.run_command(arguments.join(" "), command)
    }

    /// Starts any command as one of the cluster's processes.
    pub fn run_command(&self, label: impl Into<String>, command: Command) -> Arc<Process> {
        let process = Arc::new(Process::start(label, command));
        self.started().push(Arc::clone(&process));
        process
    }

    /// A command with the cluster's variables, for [`Cluster::run_command`].
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = command(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LAMPYRIS") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.folder())
            .env(MARK, self.folder())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Has the cluster run a copy of its program, which [`Cluster::replace_program`] may replace.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn copy_program(&mut self) {
        let copy = self.folder().join("program");
        std::fs::copy(&self.program, &copy).expect("because the folder is ours");
        self.program = copy;
    }

    /// Puts another file in the place of the cluster's own copy, as an installation would; `None` for none.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn replace_program(&self, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else {
            return std::fs::remove_file(&self.program).expect("because the folder is ours");
        };
        let aside = self.folder().join("program.new");
        let written = std::fs::write(&aside, bytes)
            .and_then(|()| std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o755)))
            .and_then(|()| std::fs::rename(&aside, &self.program));
        written.expect("because the folder is ours");
    }

    /// The program under test.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Where clients connect.
    pub fn netport(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port_of("servers.net.netport")).into()
    }

    /// Where the administrator connects.
    pub fn webport(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port_of("master.webport")).into()
    }

    /// The master's API, with the token, once it answers.
    ///
    /// # Panics
    /// When it does not in time.
    #[track_caller]
    pub fn admin(&self) -> Admin {
        until("the admin port", || {
            http::request(self.webport(), "GET", "/healthz", &[]).ok()
        });
        Admin::new(self.webport(), self.token())
    }

    /// A game client.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.netport()).expect("because the net node listens")
    }

    /// A client that has sent one command, and whose answer is to come.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn begin(&self, command: u32, payload: &str) -> Client {
        let mut client = self.client();
        let sent = client.send(command, payload);
        sent.expect("because the net node has just let it in");
        client
    }

    /// One command on a connection of its own.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn ask(&self, command: u32, payload: &str) -> io::Result<Frame> {
        Client::connect(self.netport())?.ask(command, payload)
    }

    /// Asks until the answer is the right one.
    ///
    /// # Panics
    /// When it does not come in time.
    #[track_caller]
    pub fn until_answered(&self, command: u32, payload: &str, answer: &str) {
        let wanted = Frame::new(command, answer);
        until(&format!("{wanted:?}"), || {
            self.ask(command, payload)
                .is_ok_and(|frame| frame == wanted)
                .then_some(())
        });
    }

    /// The living processes of this cluster.
    pub fn processes(&self) -> Vec<u32> {
        with_variable(MARK, self.folder())
    }

    /// Waits until no process of this cluster lives.
    ///
    /// # Panics
    /// When one lives on.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        until("the end of every process", || {
            self.processes().is_empty().then_some(())
        });
    }

    fn started(&self) -> MutexGuard<'_, Vec<Arc<Process>>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.report());
        }
        // A master first, so that it starts no more nodes; then whatever is left.
        for process in self
            .started()
            .drain(..)
            .filter(|process| process.has_ended().is_none())
        {
            kill_pid(process.pid());
        }
        let gone = within(crate::wait::PATIENCE, || {
            let left = self.processes();
            left.iter().for_each(|pid| kill_pid(*pid));
            left.is_empty().then_some(())
        });
        if gone.is_none() {
            eprintln!("processes of {} cannot be killed", self.folder().display());
        }
    }
}

/// A number that is another one each time.
pub fn random() -> u64 {
    use std::hash::BuildHasher;
    std::collections::hash_map::RandomState::new().hash_one(std::process::id())
}
