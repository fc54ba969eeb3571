//! Databases and caches of a test's own: from the system's packages, in a folder and on a port of their own.
//!
//! A machine without the package has none: the test says so and is skipped. It must not know who uses them.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

use crate::client::Client;
use crate::ports::Port;
use crate::process::{Process, command};
use crate::wait::until;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// MariaDB, package `mariadb-server`.
    MariaDb,
    /// PostgreSQL, package `postgresql`.
    Postgres,
    /// memcached, package `memcached`.
    Memcached,
    /// redis, package `redis-server`.
    Redis,
}

/// A server. Killed when this is dropped.
pub struct Server {
    kind: Kind,
    program: PathBuf,
    folder: tempfile::TempDir,
    port: Port,
    process: Option<Process>,
}

impl Server {
    /// Starts one; `None` on a machine that does not have it.
    ///
    /// # Panics
    /// When it is there and does not start.
    pub fn start(kind: Kind) -> Option<Self> {
        let program = find(match kind {
            Kind::MariaDb => "mariadbd",
            Kind::Postgres => "postgres",
            Kind::Memcached => "memcached",
            Kind::Redis => "redis-server",
        })?;
        let folder = tempfile::tempdir().expect("because there is a place for temporary files");
        let mut server = Self {
            kind,
            program,
            folder,
            port: Port::draw(),
            process: None,
        };
        server.prepare();
        server.resume_after_kill();
        server.first_steps();
        Some(server)
    }

    /// Its address, `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// The url of its database.
    pub fn url(&self) -> String {
        match self.kind {
            Kind::MariaDb => format!("mysql://root@{}/game", self.address()),
            Kind::Postgres => format!("postgres://game@{}/postgres", self.address()),
            Kind::Memcached | Kind::Redis => self.address(),
        }
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            // The children of PostgreSQL end by themselves once their parent is gone.
            process.signal(Signal::SIGKILL);
            process.end();
        }
    }

    /// Has it stand still, or go on.
    pub fn pause(&self, still: bool) {
        let Some(process) = &self.process else { return };
        let signal = if still { Signal::SIGSTOP } else { Signal::SIGCONT };
        // PostgreSQL has a process for each connection; they may end at any moment.
        for pid in children_of(process.pid()).into_iter().chain([process.pid()]) {
            kill(Pid::from_raw(pid.cast_signed()), signal).unwrap_or_default();
        }
    }

    /// Starts it again on the same data, and waits until it answers.
    pub fn resume_after_kill(&mut self) {
        let (folder, port) = (self.folder.path(), self.port.number().to_string());
        let mut command = self.command(&self.program);
        let data = self.data();
        match self.kind {
            Kind::MariaDb => {
                command
                    .arg("--no-defaults")
                    .arg(with("--datadir=", &data))
                    .arg(format!("--port={port}"));
                command.args([
                    "--bind-address=127.0.0.1",
                    "--skip-log-bin",
                    "--innodb-buffer-pool-size=32M",
                ]);
                command
                    .arg(with("--socket=", &folder.join("socket")))
                    .arg(format!("--user={}", own_name()));
                command.arg(with("--pid-file=", &data.join("pid")));
            }
            Kind::Postgres => {
                // Its lock would tell of the number of a process that is another one's by now.
                drop(std::fs::remove_file(data.join("postmaster.pid")));
                command
                    .arg("-D")
                    .arg(&data)
                    .args(["-p", &port, "-h", "127.0.0.1", "-k"])
                    .arg(&data);
            }
            Kind::Memcached => {
                command.args(["-l", "127.0.0.1", "-U", "0", "-p", &port, "-u", &own_name()]);
            }
            Kind::Redis => {
                command.args([
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--port",
                    &port,
                ]);
                command.arg("--dir").arg(folder);
            }
        }
        let process = Process::start(format!("{:?}", self.kind), command);
        until(&format!("{:?} listens", self.kind), || {
            if let Some(end) = process.has_ended() {
                panic!("{:?} has ended, {end:?}: {}", self.kind, process.output());
            }
            let to = std::net::SocketAddr::from(([127, 0, 0, 1], self.port.number()));
            Client::connect(to).ok()
        });
        self.process = Some(process);
    }

    /// Makes the data folder.
    fn prepare(&self) {
        // Whoever it runs as must come through.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.folder.path(), open).expect("because the folder is ours");
        let data = self.data();
        match self.kind {
            Kind::MariaDb => {
                let mut install = self.command("mariadb-install-db");
                install.args([
                    "--no-defaults",
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                ]);
                install
                    .arg(with("--datadir=", &data))
                    .arg(format!("--user={}", own_name()));
                finish(install);
            }
            Kind::Postgres => {
                std::fs::create_dir(&data).expect("because the folder is ours");
                if let Some(user) = other_user() {
                    chown(&data, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                        .expect("because we are root");
                }
                let mut init = self.command(self.program.with_file_name("initdb"));
                init.args([
                    "--auth=trust",
                    "--username=game",
                    "--encoding=UTF8",
                    "--no-instructions",
                    "-D",
                ]);
                init.arg(&data);
                finish(init);
            }
            Kind::Memcached | Kind::Redis => {}
        }
    }

    /// Makes the database.
    fn first_steps(&self) {
        if self.kind == Kind::MariaDb {
            let mut client = self.command("mariadb");
            client.args(["--no-defaults", "-h", "127.0.0.1", "-u", "root"]);
            client
                .arg(format!("--port={}", self.port.number()))
                .args(["-e", "CREATE DATABASE game"]);
            finish(client);
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = command(program);
        // MariaDB deletes the temporary files of others where it puts its own.
        command
            .current_dir(self.folder.path())
            .env("TMPDIR", self.folder.path());
        // PostgreSQL does not run as root.
        if let (Kind::Postgres, Some(user)) = (self.kind, other_user()) {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pause(false);
        if self.kind == Kind::Postgres
            && let Some(process) = &self.process
        {
            // Its children end with it only when it is asked.
            process.signal(Signal::SIGQUIT);
            process.end();
        }
    }
}

/// The processes that a process has started, by their numbers.
fn children_of(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

fn with(option: &str, path: &Path) -> String {
    format!("{option}{}", path.display())
}

fn finish(mut command: Command) {
    let done = command
        .output()
        .unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Where a program is: on the path, or where the packages of Debian put it.
fn find(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    folders.extend(["/usr/sbin", "/usr/bin"].map(PathBuf::from));
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Who runs PostgreSQL when we are root.
fn other_user() -> Option<User> {
    let known = |name| User::from_name(name).ok().flatten();
    geteuid()
        .is_root()
        .then(|| ["postgres", "nobody"].into_iter().find_map(known))?
}

fn own_name() -> String {
    User::from_uid(geteuid())
        .ok()
        .flatten()
        .map_or_else(|| "nobody".to_owned(), |user| user.name)
}
