//! Binds a port; and when it is taken, says by whom.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::sockets::{self, Inherited, Listeners};
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A port that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr} ({key}, {origin}): {source}{}", holder.as_ref().map(|by| format!("; it is held by {by}")).unwrap_or_default())]
pub struct PortTaken {
    /// The key of the configuration, such as `servers.gate.rootport`.
    pub key: String,
    /// Where its value comes from: `file config.json:3:17`, a variable, or `default`.
    pub origin: String,
    /// Where.
    pub addr: SocketAddr,
    /// Which process holds it, if that can be seen.
    pub holder: Option<String>,
    /// What the operating system said.
    pub source: io::Error,
}

/// The port's socket among those that this process was given, if it is bound where it should be; else a new one.
///
/// # Errors
/// As [`bind`].
pub(crate) fn take_or_bind(
    given: &mut Listeners,
    config: &Config,
    node: &NodeName,
    key: &str,
    ip: IpAddr,
    port: u16,
) -> Result<TcpListener, PortTaken> {
    let wanted = SocketAddr::new(ip, port);
    match given.remove(key) {
        Some(listener) if listener.local_addr().is_ok_and(|addr| addr == wanted) => Ok(listener),
        _ => bind(config, &format!("servers.{node}.{key}"), ip, port),
    }
}

/// The ports that a node is configured to have: key, address, number.
pub(crate) fn configured(node: &NodeConfig) -> impl Iterator<Item = (&'static str, IpAddr, u16)> {
    let all = [
        ("rootport", node.rootbind, node.rootport),
        ("netport", node.netbind, node.netport),
        ("webport", node.webbind, node.webport),
    ];
    all.into_iter()
        .filter_map(|(key, ip, port)| Some((key, ip, port?)))
}

/// Binds the port under a key of the configuration, and listens.
///
/// # Errors
/// [`PortTaken`], with the process that holds it.
pub(crate) fn bind(config: &Config, key: &str, ip: IpAddr, port: u16) -> Result<TcpListener, PortTaken> {
    let addr = SocketAddr::new(ip, port);
    listen(addr).map_err(|source| {
        let taken = source.kind() == io::ErrorKind::AddrInUse;
        PortTaken {
            origin: config.origin(key),
            key: key.to_owned(),
            addr,
            holder: if taken { holder(port) } else { None },
            source,
        }
    })
}

/// What whoever started this process has given it.
pub(super) fn inherited() -> Inherited {
    sockets::inherited().unwrap_or_else(|error| {
        tracing::warn!(%error, "standard input cannot be read for listening sockets");
        Inherited::default()
    })
}

/// The ports of a node, bound before anything else, so that a taken one is found first. A master hands them to
/// the nodes that it starts, so that they stay open when a node dies.
pub(super) fn open_ports(
    config: &Config,
    own: &NodeConfig,
    mut given: Listeners,
) -> Result<Listeners, PortTaken> {
    let mut open = Listeners::new();
    for (key, ip, port) in configured(own) {
        open.insert(
            key.to_owned(),
            take_or_bind(&mut given, config, &own.name, key, ip, port)?,
        );
    }
    Ok(open)
}

/// `host:port` as it is dialled; an IPv6 address gets its brackets.
pub(crate) fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted node must not wait for the connections of its former life to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// `pid 4711 (nginx)` of the process that listens on a port, as far as /proc lets us see it.
fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_inode(table, port))?;
    let link = format!("socket:[{inode}]");
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(descriptors) = std::fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let holds = |fd: std::fs::DirEntry| {
            std::fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == link.as_str())
        };
        if descriptors.flatten().any(holds) {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("pid {pid} ({})", name.trim()));
        }
    }
    None
}

/// The inode of the socket that listens on a port, from a table of the kernel (proc(5), `/proc/net/tcp`).
fn listening_inode(table: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let text = std::fs::read_to_string(table).ok()?;
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let listens = *fields.get(3)? == LISTEN && u16::from_str_radix(local, 16) == Ok(port);
        listens
            .then(|| fields.get(9).map(|inode| (*inode).to_owned()))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_taken_port_is_named() {
        let ip: IpAddr = [127, 0, 0, 1].into();
        let key = "servers.gate.rootport";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        let text = "{\n \"master\": {},\n \"servers\": {\"gate\": {\"app\": \"a\", \"rootport\": 10000}}\n}";
        std::fs::write(&file, text).unwrap();
        let config = Config::load(&file, std::iter::empty()).unwrap();
        let first = bind(&config, key, ip, 0).unwrap();
        let port = first.local_addr().unwrap().port();
        let text = bind(&config, key, ip, port).unwrap_err().to_string();
        for part in [key, "config.json:3:", &port.to_string()] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        if cfg!(target_os = "linux") {
            assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
        }
    }
}
