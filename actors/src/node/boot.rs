//! The life of a node's process: bind, start the services, dial, say ready, serve, drain, end.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use lampyris_runtime::config::{Config, NodeConfig, OnMasterLoss, Secret, link_secret};
use lampyris_runtime::link::{
    Acceptor, DialError, Dialer, Gatekeeper, Identity, LinkId, LinkSettings, Peer, Refusal, accept, dial,
};
use lampyris_runtime::name::{Incarnation, NodeName};
use lampyris_runtime::sockets::{self, Listeners};
use lampyris_runtime::wire::Goodbye;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::control::{Cause, Control, Targets};
use super::inbound::{FromPeer, Listener, News};
use super::ports::{PortTaken, configured, host_port, take_or_bind};
use super::{Node, Shared, web};
use crate::app::{App, NodeHook, ServiceSpec};
use crate::net;
use crate::protocol::{MasterControl, Ready};
use crate::remote::RemoteAddr;
use crate::service::{Clash, Hosted, Inbox, Router};

/// How long a node waits for its parents before it says that it is ready without them.
const PARENTS_WAIT: Duration = Duration::from_millis(500);

/// A node whose link has never been up ends when it is refused for so long.
const REFUSED_FOR: Duration = Duration::from_millis(1500);

/// With `on_master_loss = "exit"`, how long the master may be away.
const MASTER_AWAY: Duration = Duration::from_secs(5);

/// How long the goodbyes of the links may take.
const FAREWELL: Duration = Duration::from_millis(300);

/// How often a draining node looks whether its last call has ended.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The configuration has no such node.
    #[error("no node is called {0}; configured are {1}")]
    NoSuchNode(String, String),
    /// A port is not to be had.
    #[error(transparent)]
    Port(#[from] PortTaken),
    /// Two handlers answer to the same.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// The shared secret is not to be had.
    #[error("the shared secret: {0}")]
    Secret(io::Error),
    /// Something of the operating system.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
}

impl BootError {
    /// The exit code that says what it was.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NoSuchNode(..) | Self::Clash(_) => 78,
            Self::Port(_) => 73,
            Self::Secret(_) => 77,
            Self::System(..) => 71,
        }
    }
}

/// Runs a node until it is asked to stop; gives its exit code. Must run inside an actix system.
///
/// # Errors
/// [`BootError`] when it could not start.
pub async fn boot(config: Arc<Config>, name: &str, app: App) -> Result<u8, BootError> {
    let mut signals = Signals::new().map_err(|why| BootError::System("signal handlers", why))?;
    let Some(own) = config.node(name).cloned() else {
        let names: Vec<_> = config.nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(BootError::NoSuchNode(name.to_owned(), names.join(", ")));
    };
    let (stop, mut stopping) = mpsc::channel(8);
    let (mut running, node) = Running::start(&config, own, app, stop).await?;
    let cause = tokio::select! {
        cause = stopping.recv() => cause.unwrap_or(Cause::Asked("itself")),
        name = signals.next() => Cause::Asked(name),
    };
    let code = match &cause {
        Cause::Refused { code, text } => {
            tracing::error!(why = %text, "this node may not join");
            *code
        }
        Cause::Asked(by) => {
            tracing::info!(by, "stopping");
            0
        }
        Cause::MasterLost => {
            tracing::warn!("the master is gone; stopping");
            0
        }
    };
    tokio::select! {
        () = running.stop(&node) => Ok(code),
        // A second signal means now.
        _ = signals.next() => Ok(130),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// What a running node has started, to be ended with it.
struct Running {
    services: Vec<Hosted>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    master: Peer,
    /// Never changes, but a dialer ends when nobody could change its target any more.
    master_target: Option<watch::Sender<Option<String>>>,
    web: Option<ServerHandle>,
    before_stop: Vec<crate::app::StopHook>,
}

impl Running {
    async fn start(
        config: &Arc<Config>,
        own: NodeConfig,
        mut app: App,
        stop: mpsc::Sender<Cause>,
    ) -> Result<(Self, Node), BootError> {
        let ports = Arc::new(open_ports(&own)?);
        let secret = link_secret(config).map_err(BootError::Secret)?;
        let (targets, dialled) = targets(&own);
        let control = {
            let (targets, stop, ports) = (Arc::clone(&targets), stop.clone(), Arc::clone(&ports));
            crate::app::single(move |node: &Node| Control {
                node: node.clone(),
                targets: Arc::clone(&targets),
                stop: stop.clone(),
                ports: Arc::clone(&ports),
            })
        };
        app.services.push(control);
        let (router, inboxes) = register(&app.services, own.max_in_flight)?;
        let identity = identity(own.name.clone())?;
        let hooks = Hooks {
            up: std::mem::take(&mut app.node_up),
            down: std::mem::take(&mut app.node_down),
        };
        let (ups, news) = watch::channel(0);
        let node = assemble(config, own, identity.clone(), Arc::new(router), hooks, ups);
        let services = app
            .services
            .iter()
            .zip(inboxes)
            .map(|(service, inbox)| service.start(inbox, &node))
            .collect();
        let master = master_peer(&node);
        let mut running = Self {
            services,
            tasks: vec![],
            master: master.0.clone(),
            master_target: None,
            web: None,
            before_stop: app.before_stop,
        };
        running.serve_ports(&ports, &node, &secret, app.routes)?;
        running.dial_all(&node, dialled, &secret, &stop);
        let ready = running.say_ready(&node, master.1, stop);
        parents_up(&node, news).await;
        ready.send_replace(true);
        let handlers = node.router().remote_names();
        let own: Vec<_> = handlers
            .iter()
            .filter(|name| !name.starts_with("lampyris."))
            .collect();
        tracing::info!(handlers = ?own, commands = ?node.router().command_numbers(), "ready");
        Ok((running, node))
    }

    fn serve_ports(
        &mut self,
        ports: &Listeners,
        node: &Node,
        secret: &Secret,
        routes: Option<crate::app::Routes>,
    ) -> Result<(), BootError> {
        // Copies: the originals are kept to be handed to a master that adopts this node.
        let copy = |key: &'static str| {
            let copied = ports.get(key).map(std::net::TcpListener::try_clone).transpose();
            copied.map_err(|why| BootError::System(key, why))
        };
        if let Some(listener) = copy("rootport")? {
            let listener = tokio::net::TcpListener::from_std(listener)
                .map_err(|why| BootError::System("rootport", why))?;
            let acceptor = Acceptor {
                me: node.0.identity.clone(),
                secret: secret.expose().as_bytes().into(),
                handshake: node.0.link.handshake,
                gatekeeper: Arc::new(OwnChildren(node.clone())),
            };
            self.tasks
                .push(tokio::spawn(accept(listener, Arc::new(acceptor))));
        }
        if let Some(listener) = copy("netport")? {
            let settings = net::NetSettings::of(node.config());
            let clients = net::serve(listener, settings, Arc::clone(node.router()))
                .map_err(|why| BootError::System("netport", why))?;
            drop(node.0.clients.set(clients));
        }
        if let Some(listener) = copy("webport")? {
            self.web =
                Some(web::serve(listener, routes, node).map_err(|why| BootError::System("webport", why))?);
        }
        Ok(())
    }

    fn dial_all(&mut self, node: &Node, dialled: Vec<Target>, secret: &Secret, stop: &mpsc::Sender<Cause>) {
        let master = &node.0.config.master;
        let (known, target) = watch::channel(Some(host_port(&master.roothost, master.rootport)));
        let mut all: Vec<_> = dialled
            .into_iter()
            .filter_map(|(name, target)| Some((node.0.parents.get(&name)?.clone(), target)))
            .collect();
        all.push((self.master.clone(), target));
        for (peer, target) in all {
            let dialer = Dialer {
                me: node.0.identity.clone(),
                secret: secret.expose().as_bytes().into(),
                target,
                on_failure: Box::new(Refusals::of(&peer, stop.clone()).watch()),
            };
            self.tasks.push(tokio::spawn(dial(dialer, peer)));
        }
        self.master_target = Some(known);
    }

    /// Tells the master, on every link to it, that the node serves, as soon as it does.
    fn say_ready(
        &mut self,
        node: &Node,
        mut links: watch::Receiver<MasterLink>,
        stop: mpsc::Sender<Cause>,
    ) -> watch::Sender<bool> {
        let (ready, mut serving) = watch::channel(false);
        let address: RemoteAddr<MasterControl> = node.remote(self.master.clone());
        let incarnation = node.incarnation();
        let ends_with_master = node.config().on_master_loss == OnMasterLoss::Exit;
        self.tasks.push(tokio::task::spawn_local(async move {
            if serving.wait_for(|serves| *serves).await.is_err() {
                return;
            }
            loop {
                let up = links.borrow_and_update().up;
                if up && let Err(error) = address.notify(Ready { incarnation }) {
                    tracing::warn!(%error, "could not tell the master that this node is ready");
                }
                let changed = if up || !ends_with_master || links.borrow().epoch == 0 {
                    Ok(links.changed().await)
                } else {
                    timeout(MASTER_AWAY, links.changed()).await
                };
                match changed {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return,
                    Err(_) => return drop(stop.send(Cause::MasterLost).await),
                }
            }
        }));
        ready
    }

    /// Lets the calls in flight end, then everything else.
    async fn stop(&mut self, node: &Node) {
        let deadline = Instant::now() + node.config().drain_timeout;
        if let Some(clients) = node.clients() {
            let left = clients.close_all(node.config().drain_timeout).await;
            if left > 0 {
                tracing::warn!(calls = left, "calls of clients were cut off");
            }
        }
        while self.services.iter().any(|service| service.inbox.unanswered() > 0) && Instant::now() < deadline
        {
            sleep(DRAIN_STEP).await;
        }
        let left: usize = self
            .services
            .iter()
            .map(|service| service.inbox.unanswered())
            .sum();
        if left > 0 {
            tracing::warn!(calls = left, "the time for draining is over; calls are cut off");
        }
        self.services.iter().for_each(Hosted::stop);
        for hook in &self.before_stop {
            if tokio::time::timeout_at(deadline, hook(node.clone()))
                .await
                .is_err()
            {
                tracing::warn!("a hook before the stop took too long");
            }
        }
        if let Some(web) = &self.web {
            web.stop(false).await;
        }
        let peers = || node.parents().chain(node.all_children()).chain([&self.master]);
        peers()
            .filter_map(Peer::conn)
            .for_each(|conn| conn.close(Goodbye::Stopping));
        let farewell = Instant::now() + FAREWELL;
        while peers().any(Peer::is_up) && Instant::now() < farewell {
            sleep(DRAIN_STEP).await;
        }
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// The ports of a node, bound before anything else, so that a taken one is found first. A master hands them to
/// the nodes that it starts, so that they stay open when a node dies.
fn open_ports(own: &NodeConfig) -> Result<Listeners, BootError> {
    let mut given = sockets::inherited().unwrap_or_else(|error| {
        tracing::warn!(%error, "standard input cannot be read for listening sockets");
        Listeners::new()
    });
    let mut open = Listeners::new();
    for (key, ip, port) in configured(own) {
        open.insert(
            key.to_owned(),
            take_or_bind(&mut given, &own.name, key, ip, port)?,
        );
    }
    Ok(open)
}

/// Who this process is, for its links.
pub(crate) fn identity(name: NodeName) -> Result<Identity, BootError> {
    let incarnation =
        Incarnation::draw().map_err(|why| BootError::System("random bytes", io::Error::other(why)))?;
    Ok(Identity {
        name,
        incarnation,
        pid: std::process::id(),
    })
}

type Target = (NodeName, watch::Receiver<Option<String>>);

/// A place for the address of each parent, with what the configuration knows of it.
fn targets(own: &NodeConfig) -> (Targets, Vec<Target>) {
    let mut senders = std::collections::HashMap::new();
    let mut receivers = Vec::new();
    for parent in &own.parents {
        // Without a host, a parent on this machine is tried until the master says otherwise.
        let host = parent.host.as_deref().unwrap_or("127.0.0.1");
        let (sender, receiver) = watch::channel(Some(host_port(host, parent.port)));
        senders.insert(parent.name.clone(), sender);
        receivers.push((parent.name.clone(), receiver));
    }
    (Arc::new(senders), receivers)
}

fn register(services: &[Box<dyn ServiceSpec>], limit: usize) -> Result<(Router, Vec<Arc<Inbox>>), Clash> {
    let mut router = Router::default();
    let inboxes = services
        .iter()
        .map(|service| service.register(&mut router, limit))
        .collect::<Result<_, _>>()?;
    Ok((router, inboxes))
}

struct Hooks {
    up: Vec<NodeHook>,
    down: Vec<NodeHook>,
}

fn assemble(
    config: &Arc<Config>,
    own: NodeConfig,
    identity: Identity,
    router: Arc<Router>,
    hooks: Hooks,
    ups: watch::Sender<u64>,
) -> Node {
    let link = Arc::new(settings(config));
    Node(Arc::new_cyclic(|shared: &Weak<Shared>| {
        let listener = listener(shared.clone(), hooks, ups);
        let peer = |name: &NodeName| {
            let inbound = FromPeer::new(name.clone(), Arc::clone(&router), Arc::clone(&listener));
            (name.clone(), Peer::new(name.clone(), Arc::clone(&link), inbound))
        };
        let nobody = FromPeer::new(NodeName::nobody(), Arc::new(Router::default()), Arc::new(|_| {}));
        Shared {
            parents: own.parents.iter().map(|parent| peer(&parent.name)).collect(),
            children: config
                .children_of(&own.name)
                .map(|child| peer(&child.name))
                .collect(),
            nobody,
            identity,
            config: Arc::clone(config),
            own,
            link: Arc::clone(&link),
            router: Arc::clone(&router),
            clients: OnceLock::new(),
        }
    }))
}

/// Runs the app's hooks in tasks of their own: one that panics or lingers does not hurt the link.
fn listener(node: Weak<Shared>, hooks: Hooks, ups: watch::Sender<u64>) -> Listener {
    Arc::new(move |news| {
        ups.send_modify(|count| *count += 1);
        let Some(node) = node.upgrade().map(Node) else {
            return;
        };
        let (hooks, link) = match news {
            News::Up(link) => (&hooks.up, link),
            News::Down(link) => (&hooks.down, link),
        };
        for hook in hooks {
            let (hook, node, name) = (Arc::clone(hook), node.clone(), link.peer.name.clone());
            tokio::spawn(async move { hook(&node, &name) });
        }
    })
}

pub(crate) fn settings(config: &Config) -> LinkSettings {
    let link = &config.link;
    let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    LinkSettings {
        heartbeat: link.heartbeat,
        suspect_after: link.suspect_after,
        down_after: link.down_after,
        wait: link.wait,
        held_calls: link.held_calls,
        held_bytes: bytes(link.held_bytes),
        max_message: bytes(link.max_message),
        max_queue: bytes(link.max_queue),
        max_calls: link.max_calls,
        handshake: link.handshake_timeout,
    }
}

/// Lets in who is configured as a child.
struct OwnChildren(Node);

impl Gatekeeper for OwnChildren {
    fn admit(&self, dialer: &Identity) -> Result<Peer, Refusal> {
        self.0
            .0
            .children
            .get(&dialer.name)
            .cloned()
            .ok_or(Refusal::Unauthorized)
    }
}

/// The state of the link to the master.
#[derive(Debug, Clone, Copy, Default)]
struct MasterLink {
    up: bool,
    epoch: u64,
}

fn master_peer(node: &Node) -> (Peer, watch::Receiver<MasterLink>) {
    let (sender, receiver) = watch::channel(MasterLink::default());
    let state = |up, link: &LinkId| MasterLink {
        up,
        epoch: link.epoch,
    };
    let listener: Listener = Arc::new(move |news| {
        sender.send_replace(match &news {
            News::Up(link) => state(true, link),
            News::Down(link) => state(false, link),
        });
    });
    let inbound = FromPeer::new(NodeName::master(), Arc::clone(node.router()), listener);
    (
        Peer::new(NodeName::master(), Arc::clone(&node.0.link), inbound),
        receiver,
    )
}

/// Waits, for a bounded time, until every parent's link is up.
async fn parents_up(node: &Node, mut news: watch::Receiver<u64>) {
    let all = async {
        while !node.parents().all(Peer::is_up) {
            if news.changed().await.is_err() {
                return;
            }
        }
    };
    if timeout(PARENTS_WAIT, all).await.is_err() {
        tracing::warn!("ready without a link to every parent; calls to them wait");
    }
}

/// Ends a node that a parent refuses again and again, and that was never let in.
struct Refusals {
    peer: Peer,
    stop: mpsc::Sender<Cause>,
    since: Mutex<Option<std::time::Instant>>,
}

impl Refusals {
    fn of(peer: &Peer, stop: mpsc::Sender<Cause>) -> Self {
        Self {
            peer: peer.clone(),
            stop,
            since: Mutex::default(),
        }
    }

    fn watch(self) -> impl Fn(&DialError) + Send + Sync {
        move |error| {
            let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(refusal) = error.refusal().filter(|_| self.peer.epoch() == 0) else {
                *since = None;
                return;
            };
            let now = Instant::now().into_std();
            if now - *since.get_or_insert(now) < REFUSED_FOR {
                return;
            }
            let code = match refusal {
                Refusal::Duplicate(_) | Refusal::Stopping => 75,
                Refusal::Unauthorized => 77,
                Refusal::Version { .. } | Refusal::WrongNode(_) => 78,
            };
            let text = format!("{} refuses this node: {refusal}", self.peer.name());
            drop(self.stop.try_send(Cause::Refused { code, text }));
        }
    }
}
