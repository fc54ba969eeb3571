//! The checked configuration as typed values, each with its default.
//!
//! It knows neither files nor environment variables: what stands here has passed every check.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::name::NodeName;

use crate::supervisor::policy::RestartPolicy;
use crate::tls::Pair;

/// Port at which nodes reach the master, when none is configured.
pub const DEFAULT_MASTER_PORT: u16 = 9999;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const EVERYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What a node does when its master is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMasterLoss {
    /// It goes on, and waits for a master that adopts it.
    #[default]
    Keep,
    /// It drains and ends.
    Exit,
}

/// What a game client gets for a request that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientErrors {
    /// A frame with the request's command and the error in JSON.
    #[default]
    Frame,
    /// Nothing, as Firefly did.
    Silent,
    /// Its connection is closed.
    Close,
}

/// Whether a node looks for more work for a moment before it sleeps, as much as it has worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BusyPoll {
    /// Unless its cgroup limits its processor time, which looking would use up.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl fmt::Display for BusyPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Section `master`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterConfig {
    /// Name or address at which the nodes reach the master (`roothost`).
    pub roothost: String,
    /// Port at which the nodes reach the master.
    pub rootport: u16,
    /// Address on which `rootport` is bound.
    pub rootbind: IpAddr,
    /// Port of the administrator's page and API, `None` for no such port.
    pub webport: Option<u16>,
    /// Address on which `webport` is bound.
    pub webbind: IpAddr,
    /// File for the master's errors.
    pub log: Option<PathBuf>,
    /// What holds for nodes that say nothing themselves.
    pub restart: RestartPolicy,
}

impl Default for MasterConfig {
    fn default() -> Self {
        Self {
            roothost: "127.0.0.1".to_owned(),
            rootport: DEFAULT_MASTER_PORT,
            rootbind: LOOPBACK,
            webport: None,
            webbind: LOOPBACK,
            log: None,
            restart: RestartPolicy::default(),
        }
    }
}

/// One entry of a node's `remoteport`: a parent that it dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Name of the parent (`rootname`).
    pub name: NodeName,
    /// The parent's `rootport`.
    pub port: u16,
    /// Address of the parent when the master's knowledge is not to be used (`roothost`).
    pub host: Option<String>,
}

/// Entry `servers.NAME`: one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its name, the key of the entry.
    pub name: NodeName,
    /// The registered application that it runs.
    pub app: String,
    /// Port for game clients.
    pub netport: Option<u16>,
    /// Address on which `netport` is bound.
    pub netbind: IpAddr,
    /// Port for its children; a node with one is a parent.
    pub rootport: Option<u16>,
    /// Address on which `rootport` is bound.
    pub rootbind: IpAddr,
    /// Port of the node's own HTTP server.
    pub webport: Option<u16>,
    /// Address on which `webport` is bound.
    pub webbind: IpAddr,
    /// The parents that it dials (`remoteport`).
    pub parents: Vec<Parent>,
    /// Address at which the other hosts reach it, when not the one that the master sees.
    pub host: Option<String>,
    /// Whether it opens the database of section `db`.
    pub db: bool,
    /// Whether it opens the cache of section `memcached`.
    pub mem: bool,
    /// File for its errors.
    pub log: Option<PathBuf>,
    /// Processors on which it may run, ascending; empty for all.
    pub cpu: Vec<usize>,
    /// Whether it looks for work for a moment before it sleeps.
    pub busy_poll: BusyPoll,
    /// Whether it takes part when the cluster is reloaded.
    pub reload: bool,
    /// Whether the master starts it; otherwise another host does.
    pub start: bool,
    /// When and how often it is started again.
    pub restart: RestartPolicy,
    /// Whether its children are restarted with it.
    pub restart_children: bool,
    /// What it does without its master.
    pub on_master_loss: OnMasterLoss,
    /// Longest time from its start until it is ready.
    pub start_timeout: Duration,
    /// Longest time for the calls in flight when it stops.
    pub drain_timeout: Duration,
    /// Longest time for its whole stop; after it, it is killed. Never less than `drain_timeout`.
    pub stop_timeout: Duration,
    /// A node that answers no heartbeat of the master for so long is killed.
    pub hang_kill: Duration,
    /// Deadline of a call that names none.
    pub call_timeout: Duration,
    /// Requests that may wait for one of its services.
    pub max_in_flight: usize,
    /// What holds for its game clients.
    pub clients: ClientConfig,
}

impl NodeConfig {
    /// A node that is nothing but a name and an application; all else has its default.
    pub fn new(name: NodeName, app: impl Into<String>) -> Self {
        Self {
            name,
            app: app.into(),
            netport: None,
            netbind: EVERYWHERE,
            rootport: None,
            rootbind: LOOPBACK,
            webport: None,
            webbind: LOOPBACK,
            parents: Vec::new(),
            host: None,
            db: false,
            mem: false,
            log: None,
            cpu: Vec::new(),
            busy_poll: BusyPoll::default(),
            reload: true,
            start: true,
            restart: RestartPolicy::default(),
            restart_children: false,
            on_master_loss: OnMasterLoss::default(),
            start_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(12),
            hang_kill: Duration::from_secs(30),
            call_timeout: Duration::from_secs(5),
            max_in_flight: 16_384,
            clients: ClientConfig::default(),
        }
    }
}

/// The keys of a node that concern its game clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// What a client gets for a request that has no answer.
    pub errors: ClientErrors,
    /// Connections at one time.
    pub max_clients: usize,
    /// Most that a frame from a client may say as its length: command id and payload, in bytes.
    pub max_frame: u64,
    /// Calls in flight of one connection (`client_in_flight`); then it is not read from for a while.
    pub in_flight: usize,
    /// A connection that sends nothing for so long is closed; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Frames that one connection may send in a second; `None`: any number.
    pub rate: Option<u32>,
    /// Bytes that may wait to be written to one connection; a client that reads more slowly is dropped.
    pub out_buffer: u64,
    /// HEAD_0 to HEAD_3 of a frame.
    pub head: [u8; 4],
    /// Protocol version of a frame.
    pub protocol_version: u8,
    /// Server version of a frame.
    pub server_version: u32,
    /// Whether a connection's requests are handled one after the other.
    pub serial: bool,
    /// Certificate and key (`tls.cert`, `tls.key`); connections are encrypted then.
    pub tls: Option<Pair>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            errors: ClientErrors::default(),
            max_clients: 10_000,
            max_frame: 64 * KIB,
            in_flight: 64,
            idle_timeout: None,
            rate: None,
            out_buffer: MIB,
            head: [0; 4],
            protocol_version: 0,
            server_version: 0,
            serial: false,
            tls: None,
        }
    }
}

/// Section `link`: what holds for the links between nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// An idle link sends a heartbeat so often.
    pub heartbeat: Duration,
    /// A link that is silent for so long is suspect. More than `heartbeat`.
    pub suspect_after: Duration,
    /// A link that is silent for so long is down. More than `suspect_after`.
    pub down_after: Duration,
    /// A call waits so long for a link that is down (`wait`), or until its own deadline.
    pub wait: Duration,
    /// Calls that may wait for one link that is down.
    pub held_calls: usize,
    /// Bytes that may wait for one link that is down.
    pub held_bytes: u64,
    /// Longest message, in bytes.
    pub max_message: u64,
    /// Bytes that may wait to be written to one link. Not less than `max_message`.
    pub max_queue: u64,
    /// Calls in flight on one link.
    pub max_calls: usize,
    /// Longest time for the handshake.
    pub handshake_timeout: Duration,
    /// Folder of the authority's certificate and of those of the nodes; links are encrypted then.
    pub certs: Option<PathBuf>,
    /// Whether a link port may be bound off loopback although nothing encrypts it.
    pub allow_plaintext: bool,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(500),
            suspect_after: Duration::from_millis(1500),
            down_after: Duration::from_secs(3),
            wait: Duration::from_secs(2),
            held_calls: 16_384,
            held_bytes: 8 * MIB,
            max_message: 16 * MIB,
            max_queue: 64 * MIB,
            max_calls: 131_072,
            handshake_timeout: Duration::from_secs(2),
            certs: None,
            allow_plaintext: false,
        }
    }
}

/// Section `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or a filter in the words of `tracing`, such as `info,lampyris=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Whether the log goes to the terminal as well.
    pub terminal: bool,
    /// Folder of the log files.
    pub dir: PathBuf,
    /// A file that has grown so large, in bytes, is put aside.
    pub max_size: u64,
    /// So many files are kept for each node.
    pub max_files: u32,
}

impl LogConfig {
    /// The defaults of a cluster whose run folder is `run_dir`.
    pub fn under(run_dir: &std::path::Path) -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::default(),
            terminal: true,
            dir: run_dir.join("logs"),
            max_size: 10 * MIB,
            max_files: 5,
        }
    }
}
