//! The life of the master's process: lock, ports, actor, signals, end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr, AsyncContext};
use arc_swap::ArcSwap;
use lampyris_runtime::backoff::Random;
use lampyris_runtime::config::{
    BadCertificate, Config, NodeConfig, applied_copy, keep_applied, link_secret, make_run_dir, share_secret,
};
use lampyris_runtime::link::{Acceptor, Strangers, accept};
use lampyris_runtime::name::{MASTER, NodeName};
use lampyris_runtime::supervisor::orphans;
use lampyris_runtime::supervisor::roster::{BadTree, Event, NodeSpec, Roster};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::handover;
use super::links::{Links, Reception};
use super::lock;
use super::processes::Processes;
use super::terminal::Terminal;
use super::{Adopt, Closing, Happened, Leave, Master, StopCluster};
use crate::admin::{self, FrontDesk, Seat};
use crate::certificates;
use crate::console::{Colour, Console};
use crate::exit;
use crate::logging::LogLevel;
use crate::node::assemble::identity;
use crate::node::ports::{PortTaken, bind};
use crate::otlp::{Exporter, Outbox};
use crate::records::Records;
use crate::service::{Inbox, Router, Service, Taking, host};

/// Calls of nodes that may wait for the master.
const RECEPTION: usize = 1024;

/// How long a master whose actor died waits for the end of the processes that it kills.
const LAST_KILLS: std::time::Duration = std::time::Duration::from_secs(2);

/// How the master is to run.
pub(crate) struct RunOptions {
    /// The program that the nodes run: this one.
    pub(crate) program: PathBuf,
    /// Without starting any node (`--only`); those that come are welcome.
    pub(crate) only: bool,
    /// Signals end this master alone (`--keep-nodes`).
    pub(crate) keep_nodes: bool,
    /// Where news are printed.
    pub(crate) console: Console,
    /// When they have colours.
    pub(crate) colour: Colour,
    /// The applications of the program.
    pub(crate) apps: Vec<String>,
    /// The level of this process's log.
    pub(crate) log: LogLevel,
    /// When the process started, for the time until ready.
    pub(crate) started: Instant,
}

/// Why the master could not start.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// Another master has the run folder.
    #[error("another master runs in {0} (pid {1})")]
    Locked(PathBuf, String),
    /// A port is not to be had.
    #[error(transparent)]
    Port(#[from] PortTaken),
    /// The run folder cannot be used.
    #[error("the run folder {0}: {1}")]
    RunDir(PathBuf, io::Error),
    /// The shared secret is not to be had.
    #[error("the shared secret: {0}")]
    Secret(io::Error),
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    /// The nodes are no tree.
    #[error(transparent)]
    Tree(#[from] BadTree),
    /// Something of the operating system.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
}

impl MasterError {
    /// The exit code that says what it was.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Locked(..) => exit::TEMPFAIL,
            Self::Port(_) | Self::RunDir(..) => exit::CANTCREAT,
            Self::Secret(_) => exit::NOPERM,
            Self::Tree(_) | Self::Certificate(_) => exit::CONFIG,
            Self::System(..) => exit::OSERR,
        }
    }
}

/// Runs the cluster until it is stopped; gives the exit code. Must run inside an actix system.
///
/// # Errors
/// [`MasterError`] when it could not start.
pub(crate) async fn run(config: Arc<Config>, options: RunOptions) -> Result<u8, MasterError> {
    let failed = |what| move |why| MasterError::System(what, why);
    let mut signals = Signals::new().map_err(failed("signal handlers"))?;
    let folder = |why| MasterError::RunDir(config.run_dir.clone(), why);
    make_run_dir(&config.run_dir).map_err(folder)?;
    // Before anything is written there: a second master must not change what the first one's nodes read.
    let _lock = match lock::take(&config.run_dir).map_err(folder)? {
        Ok(lock) => lock,
        Err(holder) => return Err(MasterError::Locked(config.run_dir.clone(), holder)),
    };
    share_secret(&config).map_err(MasterError::Secret)?;
    std::fs::create_dir_all(&config.log.dir).map_err(folder)?;
    // Nodes of a former master run by this; without one, or if it makes no sense, there is nothing to compare.
    let former = config.load_copy_again(&applied_copy(&config.run_dir)).ok();
    keep_applied(&config).map_err(folder)?;
    if let Err(error) = orphans::adopt_orphans() {
        tracing::warn!(%error, "processes that outlive their node will not be noticed");
    }
    let section = &config.master;
    let links = bind(&config, "master.rootport", section.rootbind, section.rootport)?;
    let web = section
        .webport
        .map(|port| bind(&config, "master.webport", section.webbind, port))
        .transpose()?;
    let (done, mut ended) = mpsc::channel(1);
    let (living, mut all_dead) = mpsc::channel(1);
    let records = Records::open(&config.run_dir);
    let (desk, address) = front_desk(&config).map_err(failed("the admin token"))?;
    let applied = Arc::new(ArcSwap::from(Arc::clone(&config)));
    let exporter = Exporter::start(Arc::clone(&applied)).map_err(failed("the thread for spans"))?;
    let outbox = exporter.outbox();
    let shown = Shown {
        applied: Arc::clone(&applied),
        records: records.clone(),
        outbox: outbox.clone(),
        address,
    };
    let (master, peers) = start(&config, &options, former, shown, (done, living))?;
    let strangers = Arc::<Strangers>::default();
    let accepting = serve_links(&config, peers, links, Arc::clone(&strangers))?;
    let mut web_server = None;
    if let Some((listener, desk)) = web.zip(desk) {
        let seat = Seat::new(applied, master.clone(), (records, outbox), desk, strangers);
        web_server = Some(admin::serve(listener, seat).map_err(failed("master.webport"))?);
    }
    handover::serve(&config.run_dir, master.clone()).map_err(failed("master.sock"))?;
    master.do_send(Adopt);
    if !options.only {
        master.do_send(Happened(Event::StartAll));
    }
    let code = until_ended(&master, &mut ended, &mut signals, options.keep_nodes).await;
    accepting.abort();
    // Whoever has asked for the end gets an answer.
    if let Some(server) = web_server {
        server.stop(true).await;
    }
    exporter.end().await;
    match code {
        Some(code) => Ok(code),
        // The actor has died; its processes are being killed by their tasks.
        None => {
            drop(tokio::time::timeout(LAST_KILLS, all_dead.recv()).await);
            Ok(exit::SOFTWARE)
        }
    }
}

/// Hands signals on to the master until it has ended; gives its exit code, `None` if it has died.
async fn until_ended(
    master: &Addr<Master>,
    ended: &mut mpsc::Receiver<u8>,
    signals: &mut Signals,
    keep_nodes: bool,
) -> Option<u8> {
    let mut wishes = 0;
    loop {
        let by = tokio::select! {
            code = ended.recv() => return code,
            by = signals.next() => by,
        };
        if keep_nodes {
            master.do_send(Leave { by });
            continue;
        }
        wishes += 1;
        master.do_send(StopCluster { by, now: wishes > 1 });
    }
}

/// The signals that end a master.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal has been closed.
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one, and gives what it is called.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}

/// What the master shares with the admin side.
pub(super) struct Shown {
    pub(super) applied: Arc<ArcSwap<Config>>,
    pub(super) records: Records,
    pub(super) outbox: Outbox,
    /// The page's, with a code.
    pub(super) address: Option<String>,
}

/// Says that the end has come, with the exit code; and held by whatever must be waited for.
pub(super) type Ends = (mpsc::Sender<u8>, mpsc::Sender<()>);

/// Takes in the nodes that prove themselves.
fn serve_links(
    config: &Arc<Config>,
    peers: Links,
    port: std::net::TcpListener,
    strangers: Arc<Strangers>,
) -> Result<JoinHandle<()>, MasterError> {
    let secret = link_secret(config).map_err(MasterError::Secret)?;
    let tls = config.link_tls(MASTER)?.map(Arc::new);
    let me = identity(NodeName::master(), None);
    let acceptor = Acceptor {
        me: me.map_err(|why| MasterError::System("identity", io::Error::other(why)))?,
        secret: secret.expose().as_bytes().into(),
        tls: tls.clone(),
        handshake: config.link.handshake_timeout,
        gatekeeper: Arc::new(peers),
        strangers,
        spawn: |task| tokio::task::spawn_local(task).abort_handle(),
    };
    for task in certificates::tasks(config, MASTER, tls, None) {
        tokio::task::spawn_local(task);
    }
    let port =
        tokio::net::TcpListener::from_std(port).map_err(|why| MasterError::System("master.rootport", why))?;
    Ok(tokio::task::spawn_local(accept(port, Arc::new(acceptor))))
}

/// Starts the actor; nothing else is running yet.
pub(super) fn start(
    config: &Arc<Config>,
    options: &RunOptions,
    former: Option<Config>,
    shown: Shown,
    (done, living): Ends,
) -> Result<(Addr<Master>, Links), MasterError> {
    let now = super::now();
    let specs = config.nodes.iter().map(|node| spec(node, options.only)).collect();
    let mut seed = Random::new(u64::from(std::process::id()));
    let roster = Roster::new(now, specs, seed.next())?;
    let mut all_links = None;
    let master = Master::create(|ctx| {
        let links = all_links.insert(links_of(config, &ctx.address(), &shown));
        Master {
            config: Arc::clone(config),
            roster,
            links: links.clone(),
            apps: options.apps.clone(),
            log: options.log.clone(),
            former,
            reloads: Arc::default(),
            ports: super::Ports::default(),
            restarting: std::collections::HashSet::new(),
            handing_over: std::collections::HashMap::new(),
            saved: super::SavedState::new(&config.run_dir),
            losses: super::Losses::default(),
            operations: super::Operations::default(),
            processes: Processes::new(Arc::clone(config), options.program.clone(), living),
            terminal: Terminal::new(config, options.console.clone(), options.colour),
            done,
            closing: Closing::No,
            timer: None,
            unclean: false,
            only: options.only,
            applied: shown.applied,
            admin: shown.address,
            records: shown.records,
            started: options.started,
        }
    });
    Ok((master, all_links.expect("because the actor was made")))
}

/// The peers of all nodes, and the service that hears them.
fn links_of(config: &Config, master: &Addr<Master>, shown: &Shown) -> Links {
    let mut router = Router::default();
    let inbox = Inbox::new(Reception::NAME, RECEPTION, Taking::Batch);
    router
        .add::<Reception>(&inbox)
        .expect("because it is the only service");
    let (reception, records, outbox) = (master.clone(), shown.records.clone(), shown.outbox.clone());
    host(inbox, move || Reception {
        master: reception.clone(),
        records: records.clone(),
        outbox: outbox.clone(),
    });
    Links::new(config, router, master)
}

/// Who lets people in by the page, and the page's address with a code: whoever reads the terminal may open it once.
fn front_desk(config: &Config) -> io::Result<(Option<Arc<FrontDesk>>, Option<String>)> {
    let Some(page) = admin_address(config) else {
        return Ok((None, None));
    };
    let (desk, code) = FrontDesk::open(config)?;
    Ok((Some(desk), Some(format!("{page}#code={code}"))))
}

fn admin_address(config: &Config) -> Option<String> {
    let section = &config.master;
    section.webport.map(|port| {
        format!(
            "http://{}/",
            crate::node::ports::host_port(&section.webbind.to_string(), port)
        )
    })
}

/// What the roster has to know of a node.
pub(super) fn spec(node: &NodeConfig, only: bool) -> NodeSpec {
    NodeSpec {
        name: node.name.clone(),
        parents: node.parents.iter().map(|parent| parent.name.clone()).collect(),
        start: node.start && !only,
        policy: node.restart,
        start_timeout: node.start_timeout,
        drain_timeout: node.drain_timeout,
        stop_timeout: node.stop_timeout - node.drain_timeout,
        hang_kill: (!node.hang_kill.is_zero()).then_some(node.hang_kill),
        restart_children: node.restart_children,
        // Clients, and children that begin anew with their parent, have to notice its end.
        swap: node.netport.is_none() && !node.restart_children,
    }
}
