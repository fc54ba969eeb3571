//! What only this machine can say about a configuration: whether the ports can be bound, who can read the secrets,
//! whether database and cache answer. The findings are those of the configuration, with its places.
//!
//! Nothing is changed: a port is closed again at once, and no file is made.

use std::io;
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use lampyris_runtime::config::{Code, Config, Finding, NodeConfig};

use crate::admin::TOKEN_FILE;
use crate::master::lock;
use crate::node::ports;
use crate::store;

/// How long a cache may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Files of the run folder that are for their owner alone.
const OWN_FILES: [&str; 3] = ["secret", TOKEN_FILE, "applied.config"];

/// Everything of this kind.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut all = ports_in_use(config);
    all.extend(open_files(config));
    all.extend(unanswered(config));
    all
}

/// The ports that processes of this host bind: key, address, number.
pub(super) fn ports_here(config: &Config) -> Vec<(String, IpAddr, u16)> {
    let master = &config.master;
    let of_master = [
        ("master.rootport", master.rootbind, Some(master.rootport)),
        ("master.webport", master.webbind, master.webport),
    ];
    let of_master = of_master
        .into_iter()
        .filter_map(|(key, ip, port)| Some((key.to_owned(), ip, port?)));
    let here = config.nodes.iter().filter(|node| node.start);
    let of_node = |node: &NodeConfig| {
        let key = |key: &str| format!("servers.{}.{key}", node.name);
        ports::configured(node)
            .map(|(name, ip, port)| (key(name), ip, port))
            .collect::<Vec<_>>()
    };
    of_master.chain(here.flat_map(of_node)).collect()
}

/// Ports that somebody has. While the cluster runs it is itself who has them, and nothing is tried.
pub(super) fn ports_in_use(config: &Config) -> Vec<Finding> {
    if lock::holder(&config.run_dir).is_some() {
        return Vec::new();
    }
    let taken = |(key, ip, port): (String, IpAddr, u16)| {
        let why = ports::bind(config, &key, ip, port).err()?;
        let holder = why
            .holder
            .map(|by| format!(", which {by} has"))
            .unwrap_or_default();
        let fault = config.fault(Code::PortInUse, &key);
        let fault = fault.found(format!("{ip}:{port}{holder}: {}", why.source));
        Some(fault.allowed("a port that can be bound on this host"))
    };
    ports_here(config).into_iter().filter_map(taken).collect()
}

/// Secrets that others can read, and a run folder that they can change.
pub(super) fn open_files(config: &Config) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut look = |key: &str, path: &Path, bits: u32, cure: &str| {
        let Some(mode) = mode(path).filter(|mode| mode & bits != 0) else {
            return;
        };
        let fault = config.fault(Code::OpenFile, key);
        let fault = fault.found(format!("{}: mode {mode:04o}", path.display()));
        all.push(
            fault
                .allowed("a mode for its owner alone")
                .help(format!("{cure} {}", path.display())),
        );
    };
    look("run_dir", &config.run_dir, 0o022, "chmod 700");
    for file in OWN_FILES {
        look("run_dir", &config.run_dir.join(file), 0o077, "chmod 600");
    }
    if let Some(key) = config.written_secrets().first() {
        look(key, &config.file, 0o004, "chmod 640");
    }
    all
}

fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|meta| meta.mode() & 0o7777)
}

/// Servers of the data layer that do not answer, if a node of this host needs them.
pub(super) fn unanswered(config: &Config) -> Vec<Finding> {
    let needs = |wanted: fn(&NodeConfig) -> bool| config.nodes.iter().any(|node| node.start && wanted(node));
    let mut all = Vec::new();
    let mut none = |key: &str, found: String| {
        let fault = config.fault(Code::NoAnswer, key).found(found);
        all.push(fault.allowed("a server that can be reached from here"));
    };
    if let Some(db) = config.data.db.as_ref().filter(|_| needs(|node| node.db)) {
        let settings = store::database(db);
        if let Err(why) = actix::System::new().block_on(store::ping(&settings)) {
            none("db", why.to_string());
        }
    }
    if needs(|node| node.mem) {
        let memcached = config.data.memcached.iter().flat_map(|section| &section.urls);
        let redis = config.data.redis.iter().map(|section| &section.server);
        let servers = memcached
            .map(|server| ("memcached.urls", server))
            .chain(redis.map(|server| ("redis.server", server)));
        for (key, server) in servers {
            if let Err(why) = reach(server) {
                none(key, format!("{server}: {why}"));
            }
        }
    }
    all
}

fn reach(server: &str) -> io::Result<()> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for addr in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&addr, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(why) => last = why,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(folder: &Path, text: &str) -> Config {
        let file = folder.join("config.toml");
        fs::write(&file, text).unwrap();
        Config::load(&file, std::iter::empty()).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn a_port_that_somebody_has_is_told_with_its_line_and_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = free.local_addr().unwrap().port();
        drop(free);
        let text = format!("[master]\nrootport = {other}\n[servers.a]\napp = 'x'\nrootport = {port}\n");
        let config = config(folder.path(), &text);
        let found = ports_in_use(&config);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].code.as_str(), found[0].key.as_str()),
            ("E041", "servers.a.rootport")
        );
        assert_eq!(found[0].place.stretch.map(|at| at.line), Some(5));
        assert!(
            found[0].found.contains(&format!("pid {}", std::process::id())),
            "{found:?}"
        );
        assert_eq!(ports_here(&config).len(), 2);
        // While the cluster runs, its ports are its own.
        fs::create_dir_all(&config.run_dir).unwrap();
        let mut held = fs::File::create(config.run_dir.join("master.lock")).unwrap();
        held.lock().unwrap();
        writeln!(held, "{}", std::process::id()).unwrap();
        assert_eq!(ports_in_use(&config), []);
    }

    #[test]
    fn files_with_secrets_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text = "secret = 'k8D2mQ0vT5xZ7aLp'\n[master]\n[servers.a]\napp = 'x'\n";
        let config = config(folder.path(), text);
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        fs::create_dir_all(&config.run_dir).unwrap();
        let token = config.run_dir.join(TOKEN_FILE);
        fs::write(&token, "x").unwrap();
        set(&config.run_dir, 0o700);
        set(&token, 0o600);
        set(&config.file, 0o640);
        assert_eq!(open_files(&config), []);
        set(&config.run_dir, 0o770);
        set(&token, 0o644);
        set(&config.file, 0o644);
        let found = open_files(&config);
        let keys: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["run_dir", "run_dir", "secret"], "{found:?}");
        assert!(found[1].help.as_deref().unwrap().starts_with("chmod 600 "));
    }

    #[test]
    fn servers_that_are_needed_are_asked_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = |needs: bool| {
            format!(
                "[master]\n[servers.a]\napp = 'x'\ndb = {needs}\nmem = {needs}\n[db]\nurl = \
                 'postgres://u:hunter2@{closed}/x'\nacquire_timeout = '1s'\n[redis]\nserver = '{closed}'\n"
            )
        };
        assert_eq!(unanswered(&config(folder.path(), &text(false))), []);
        let found = unanswered(&config(folder.path(), &text(true)));
        let keys: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["db", "redis.server"]);
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        let open = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(reach(&open.local_addr().unwrap().to_string()).is_ok());
    }
}
