//! Starts what is measured, and asks each whether it is there.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use lampyris_runtime::config::Config;
use lampyris_runtime::name::MASTER;
use lampyris_runtime::supervisor::usage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::copy;
use super::frame::{self, Front};
use super::load::connect;
use super::plan::System;
use super::stage::{Stage, free_ports, local};

/// How long a system has until it answers; a build without optimisations on a busy machine is slow.
const READY: Duration = Duration::from_secs(30);

/// Time between two questions whether a system is there.
const AGAIN: Duration = Duration::from_millis(20);

/// How long one question waits for its answer.
const ASK: Duration = Duration::from_secs(6);

/// One process of a system.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) pid: u32,
}

/// A system that answers.
#[derive(Debug, Clone)]
pub(super) struct Serving {
    pub(super) system: System,
    pub(super) addr: SocketAddr,
    /// Its processes; none when they are not this run's.
    pub(super) processes: Vec<Process>,
}

/// Starts a system.
///
/// # Errors
/// It does not come up.
pub(super) async fn start(stage: &mut Stage, system: System, config: &Config) -> Result<Serving, String> {
    let (addr, processes) = match system {
        System::Cluster | System::Beside => cluster(stage, config).await?,
        System::BareEcho => chain(stage, &["echo"]).await?,
        System::BareChain => chain(stage, &["echo", "relay", "relay"]).await?,
        System::HandChain => chain(stage, &["hand-game", "hand-gate", "hand-net"]).await?,
    };
    Ok(Serving {
        system,
        addr,
        processes,
    })
}

async fn cluster(stage: &mut Stage, config: &Config) -> Result<(SocketAddr, Vec<Process>), String> {
    let ports = free_ports(copy::ports_needed(config)).map_err(|why| why.to_string())?;
    let copied =
        copy::copy(config, &ports).ok_or("the configuration has no netport, so there is nothing to load")?;
    let file = stage.folder().join("bench.json");
    std::fs::write(&file, copied.json.to_string()).map_err(|why| format!("{}: {why}", file.display()))?;
    let arguments: [OsString; 4] = ["--role".into(), MASTER.into(), "--config".into(), file.into()];
    let master = stage.start(arguments.into())?;
    let addr = local(copied.netport);
    reachable(stage, addr).await?;
    // Nodes start one after the other; the one with the clients need not be the last.
    let until = Instant::now() + READY;
    loop {
        let mut processes = nodes(master);
        if processes.len() == config.nodes.len() {
            let name = MASTER.to_owned();
            processes.push(Process { name, pid: master });
            return Ok((addr, processes));
        }
        if Instant::now() > until {
            return Err(format!("not all nodes have started:\n{}", stage.printed()));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The node processes of a master.
fn nodes(master: u32) -> Vec<Process> {
    let mut nodes: Vec<Process> = usage::children(master)
        .into_iter()
        .filter_map(|pid| {
            let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            let mut words = arguments.split('\0').skip_while(|word| *word != "--role");
            // One that is about to start still has the words of its parent.
            let name = words.nth(1).filter(|name| *name != MASTER)?.to_owned();
            Some(Process { name, pid })
        })
        .collect();
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    nodes
}

/// Reference servers, the last of which each hop leads to first.
async fn chain(stage: &mut Stage, roles: &[&str]) -> Result<(SocketAddr, Vec<Process>), String> {
    let ports = free_ports(roles.len()).map_err(|why| why.to_string())?;
    let mut processes = Vec::new();
    let mut next: Option<SocketAddr> = None;
    for (&role, port) in roles.iter().zip(ports) {
        let mut arguments: Vec<OsString> = vec!["bench-reference".into(), role.into()];
        let addr = local(port);
        arguments.push(addr.to_string().into());
        arguments.extend(next.map(|next| next.to_string().into()));
        let pid = stage.start(arguments)?;
        reachable(stage, addr).await?;
        let name = role.to_owned();
        processes.push(Process { name, pid });
        next = Some(addr);
    }
    match next {
        Some(addr) => Ok((addr, processes)),
        None => Err("a chain of no process".to_owned()),
    }
}

async fn reachable(stage: &Stage, addr: SocketAddr) -> Result<(), String> {
    let until = Instant::now() + READY;
    while let Err(error) = connect(addr).await {
        if Instant::now() > until {
            return Err(format!("nothing answers at {addr}: {error}\n{}", stage.printed()));
        }
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

/// Starts a process on each processor that runs only when nothing else wants to; says whether they do.
pub(super) async fn spin(stage: &mut Stage) -> Result<(), String> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut pids = Vec::new();
    for _ in 0..processors {
        pids.push(stage.start_idle(vec!["bench-reference".into(), "spin".into()])?);
    }
    // They have become what they are to be once they use up time.
    let until = Instant::now() + READY;
    while Instant::now() < until {
        let busy = |pid: &u32| usage::processor_time(*pid).is_some_and(|time| time > 2 * AGAIN);
        if pids.iter().all(busy) {
            return Ok(());
        }
        tokio::time::sleep(AGAIN).await;
    }
    Err(format!("the spinning processes do not run:\n{}", stage.printed()))
}

/// The answer to one request, as soon as it is no error. A cluster whose last link is not up yet gives errors.
///
/// # Errors
/// There is no good answer in time.
pub(super) async fn ask_until_good(addr: SocketAddr, request: &[u8]) -> Result<Vec<u8>, String> {
    let until = Instant::now() + READY;
    loop {
        let failed = match ask(addr, request).await {
            Ok(answer) if frame::command(&answer) == frame::command(request) => return Ok(answer),
            Ok(answer) => String::from_utf8_lossy(frame::payload(&answer)).into_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > until {
            return Err(format!("{addr} does not answer: {failed}"));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The answer to one request, on a connection of its own.
///
/// # Errors
/// None comes.
pub(super) async fn ask(addr: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    tokio::time::timeout(ASK, async {
        let mut stream = connect(addr).await?;
        stream.write_all(request).await?;
        let mut input = BytesMut::new();
        loop {
            if stream.read_buf(&mut input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match frame::front(&input) {
                Front::Whole(size) => return Ok(input[..size].to_vec()),
                Front::Part => {}
                Front::Nonsense => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    })
    .await?
}
