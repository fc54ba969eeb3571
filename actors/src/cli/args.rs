//! What may stand on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::certs::Certs;
use super::local::Local;
use super::operate::{Foreground, Operate};
use crate::bench::BenchArgs;
use crate::bench::reference::Reference;
use crate::console::Colour;

/// A cluster of game server nodes: the master, its nodes, and a client, in one program.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
pub(super) struct Args {
    /// What this process is: master, client, or the name of a node
    #[arg(long, default_value = "master", value_name = "NAME")]
    role: String,

    /// The configuration, JSON or TOML
    #[arg(
        long,
        global = true,
        env = "LAMPYRIS_CONFIG",
        hide_env_values = true,
        default_value_os_t = default_config(),
        value_name = "FILE"
    )]
    pub(super) config: PathBuf,

    /// With --role master: start no nodes
    #[arg(long)]
    only: bool,

    /// With --role master: a signal ends the master alone; the next one takes its nodes over
    #[arg(long)]
    keep_nodes: bool,

    /// With --role client: where the clients' port is; by default the first one of the configuration
    #[arg(long, value_name = "HOST:PORT")]
    addr: Option<SocketAddr>,

    /// With --role client: one command of your own instead of 100, 200 and 300
    #[arg(long, value_name = "ID")]
    command: Option<u32>,

    /// With --role client: the payload
    #[arg(long, value_name = "TEXT", default_value = "msgdata")]
    data: String,

    /// When text has colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Colour,

    #[command(subcommand)]
    tool: Option<Tool>,
}

#[derive(Debug, Subcommand)]
enum Tool {
    #[command(flatten)]
    Local(Local),
    #[command(flatten)]
    Operate(Operate),
    /// Certificates for encrypted links
    #[command(subcommand)]
    Certs(Certs),
    /// Measure how fast the cluster is, beside the least that could do the same work
    Bench(BenchArgs),
    /// A server that bench compares the cluster with
    #[command(subcommand, hide = true)]
    BenchReference(Reference),
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
}

/// What the client is to send.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) addr: Option<SocketAddr>,
    pub(super) commands: Vec<u32>,
    pub(super) data: String,
}

/// What the process is to do.
#[derive(Debug)]
pub(super) enum Task {
    Master(Foreground),
    Operate(Operate),
    Node(String),
    Client(Request),
    Local(Local),
    Certs(Certs),
    Bench(BenchArgs),
    BenchReference(Reference),
}

/// `config/config.json`, or the same in TOML where that is what there is.
fn default_config() -> PathBuf {
    let [json, toml] = ["config/config.json", "config/config.toml"].map(PathBuf::from);
    if !json.exists() && toml.exists() {
        toml
    } else {
        json
    }
}

impl Args {
    pub(super) fn task(&mut self) -> Task {
        match self.tool.take() {
            Some(Tool::Local(command)) => return Task::Local(command),
            Some(Tool::Certs(wish)) => return Task::Certs(wish),
            Some(Tool::Operate(operate)) => {
                let master = operate.foreground();
                return master.map_or_else(|| Task::Operate(operate), Task::Master);
            }
            Some(Tool::Bench(args)) => return Task::Bench(args),
            Some(Tool::BenchReference(reference)) => return Task::BenchReference(reference),
            None => {}
        }
        match self.role.as_str() {
            "master" => Task::Master(Foreground {
                only: self.only,
                keep_nodes: self.keep_nodes,
                detached: false,
            }),
            "client" => Task::Client(Request {
                addr: self.addr,
                commands: self.command.map_or_else(|| vec![100, 200, 300], |one| vec![one]),
                data: std::mem::take(&mut self.data),
            }),
            node => Task::Node(node.to_owned()),
        }
    }
}
