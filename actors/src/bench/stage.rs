//! The processes that a run starts, and their end.
//!
//! They do not die with this process by themselves, so [`Stage::stop`] must be called however a run ends.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use lampyris_runtime::supervisor::child::{Child, SpawnSpec};

/// How long a process has to end by itself.
const STOP: Duration = Duration::from_secs(15);

/// Everything that was started.
pub(super) struct Stage {
    program: PathBuf,
    folder: PathBuf,
    children: Vec<Child>,
}

impl Stage {
    /// A stage with an empty folder for files, logs and sockets.
    ///
    /// # Errors
    /// The folder cannot be made, or this program cannot be found.
    pub(super) fn new() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("lampyris-bench-{}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", folder.display())))?;
        Ok(Self {
            program: std::env::current_exe()?,
            folder,
            children: Vec::new(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts this program once more, with other arguments; gives the number of the process.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(&mut self, arguments: Vec<OsString>) -> Result<u32, String> {
        self.spawn(self.program.clone(), arguments)
    }

    /// The same at the lowest priority there is, below every process of a usual one.
    ///
    /// # Errors
    /// There is no `chrt` here, which comes with util-linux.
    pub(super) fn start_idle(&mut self, arguments: Vec<OsString>) -> Result<u32, String> {
        let before: [OsString; 3] = ["--idle".into(), "0".into(), self.program.clone().into()];
        self.spawn("chrt".into(), before.into_iter().chain(arguments).collect())
    }

    fn spawn(&mut self, program: PathBuf, args: Vec<OsString>) -> Result<u32, String> {
        // What overrides a configuration has been read, and would override the ports of the copy as well.
        let overrides = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let spec = SpawnSpec {
            program,
            args,
            env: Vec::new(),
            env_remove: overrides.filter(|name| name.starts_with("LAMPYRIS_")).collect(),
            log_file: self.log(),
            cpus: Vec::new(),
        };
        let child = Child::spawn(&spec).map_err(|error| error.to_string())?;
        let pid = child.pid();
        self.children.push(child);
        Ok(pid)
    }

    /// What the processes have printed, for the message of a run that failed.
    pub(super) fn printed(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("output.log")
    }

    /// Ends every process, in the order in which they were started, and removes the folder.
    pub(super) async fn stop(&mut self) {
        for child in &self.children {
            report(child.pid(), child.terminate());
        }
        for child in &mut self.children {
            if tokio::time::timeout(STOP, child.wait()).await.is_err() {
                report(child.pid(), child.kill_group());
                child.wait().await;
            }
        }
        self.children.clear();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::debug!(%error, "the folder of the run is left");
        }
    }
}

fn report(pid: u32, result: io::Result<()>) {
    if let Err(error) = result {
        crate::console::eprint_line(&format!("warning: process {pid} cannot be stopped: {error}"));
    }
}

/// Ports of this host that nobody has right now.
///
/// # Errors
/// There are none.
pub(super) fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<_>>()?;
    listeners
        .iter()
        .map(|listener| listener.local_addr().map(|addr| addr.port()))
        .collect()
}

/// A port of this host.
pub(super) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
