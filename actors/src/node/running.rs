//! What a node's process runs: services, ports, links; started in this order, ended in the reverse.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use lampyris_runtime::config::{Config, NodeConfig, Secret, link_secret};
use lampyris_runtime::link::{Acceptor, Peer, accept};
use lampyris_runtime::sockets::{Inherited, Listeners};
use lampyris_runtime::supervisor::limits;
use lampyris_runtime::tls::{ClientTls, LinkTls};
use lampyris_runtime::wire::Goodbye;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::assemble::{Hooks, assemble, identity, register};
use super::control::{Cause, Control};
use super::dialers::{Dialers, address_of};
use super::error::BootError;
use super::links::{OwnChildren, master_peer, parents_up, say_lacks, say_ready};
use super::lost_lines::tell_of_lost_lines;
use super::ports::{host_port, inherited, open_ports};
use super::reload::Adjustable;
use super::telling::{Telling, tell};
use super::{Node, Process, web};
use crate::app::{App, ReadyHook, Routes, StopHook, single};
use crate::certificates;
use crate::net;
use crate::report::{Gatherer, SpanLog, is_internal};
use crate::service::Hosted;
use crate::store;

/// How long the goodbyes of the links may take.
const FAREWELL: Duration = Duration::from_millis(300);

/// How often a draining node looks whether its last call has ended.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// What a node proves itself with.
struct Keys {
    secret: Secret,
    links: Option<Arc<LinkTls>>,
    clients: Option<Arc<ClientTls>>,
}

impl Keys {
    fn secret(&self) -> Arc<[u8]> {
        self.secret.expose().as_bytes().into()
    }

    fn of(config: &Config, own: &NodeConfig) -> Result<Self, BootError> {
        Ok(Self {
            secret: link_secret(config).map_err(BootError::Secret)?,
            links: config.link_tls(own.name.as_str())?.map(Arc::new),
            clients: config.client_tls(own)?.map(Arc::new),
        })
    }
}

/// What a running node has started, to be ended with it.
pub(super) struct Running {
    services: Vec<Hosted>,
    tasks: Vec<JoinHandle<()>>,
    accepting: Option<JoinHandle<()>>,
    master: Peer,
    dialers: Rc<RefCell<Dialers>>,
    web: Option<ServerHandle>,
    before_stop: Vec<StopHook>,
    /// What is served once this process is the node; a successor is not at first.
    unserved: Option<Unserved>,
    in_place: watch::Receiver<bool>,
}

/// Ports that are open and not served yet.
struct Unserved {
    ports: Arc<Listeners>,
    keys: Keys,
    routes: Option<Routes>,
}

impl Running {
    pub(super) async fn start(
        config: &Arc<Config>,
        own: NodeConfig,
        mut app: App,
        process: Process,
        stop: mpsc::Sender<Cause>,
    ) -> Result<(Self, Node), BootError> {
        let inherited = inheritance().await?;
        let ports = Arc::new(open_ports(config, &own, inherited.listeners)?);
        let (placing, in_place) = watch::channel(inherited.succeeds.is_none());
        let telling = Telling::new(SpanLog::new(own.name.clone()));
        let keys = Keys::of(config, &own)?;
        let identity = identity(own.name.clone(), inherited.succeeds)?;
        let dialers = Dialers::new(identity.clone(), keys.secret(), keys.links.clone(), stop.clone());
        let dialers = Rc::new(RefCell::new(dialers));
        let adjustable = Adjustable {
            dialers: Rc::clone(&dialers),
            log: process.log.clone(),
            hooks: std::mem::take(&mut app.on_reload).into(),
        };
        let control = {
            let (stop, ports) = (stop.clone(), Arc::clone(&ports));
            let telling = Arc::clone(&telling);
            single(move |node: &Node| Control {
                node: node.clone(),
                adjustable: adjustable.clone(),
                stop: stop.clone(),
                ports: Arc::clone(&ports),
                in_place: placing.clone(),
                telling: Arc::clone(&telling),
            })
        };
        app.services.push(control);
        let (router, inboxes) = register(&app.services, own.max_in_flight)?;
        inboxes.iter().for_each(|inbox| inbox.tell_spans(&telling.spans));
        let hooks = Hooks::of(&mut app);
        let (ups, news) = watch::channel(0);
        // It does not wait for the database.
        let store = store::open(config, &own).map_err(BootError::Store)?;
        let node = assemble(config, own, identity, Arc::new(router), hooks, ups, store);
        let services = app.services.iter().zip(inboxes);
        let services = services.map(|(service, inbox)| service.start(inbox, &node));
        let (master, master_links) = master_peer(&node);
        let (links, clients) = (keys.links.clone(), keys.clients.clone());
        let watching = certificates::tasks(config, node.name().as_str(), links, clients);
        let routes = app.routes;
        let unserved = Unserved { ports, keys, routes };
        let mut running = Self {
            services: services.collect(),
            tasks: vec![],
            accepting: None,
            master,
            dialers,
            web: None,
            before_stop: app.before_stop,
            unserved: Some(unserved),
            in_place,
        };
        running.dial_all(&node);
        watching.into_iter().for_each(|task| running.spawn(task));
        let (ready, serving) = watch::channel(false);
        let lacking = say_lacks(node.clone(), running.master.clone(), master_links.clone());
        running.spawn(lacking);
        let saying = say_ready(node.clone(), running.master.clone(), master_links, serving, stop);
        running.spawn(saying);
        running.report(&node, telling, process);
        parents_up(&node, news).await;
        prepare(&app.before_ready, &node).await?;
        if *running.in_place.borrow() {
            running.serve_ports(&node)?;
        }
        ready.send_replace(true);
        log_ready(&node);
        Ok((running, node))
    }

    /// Serves the ports of a successor once it is the node. Gives why that is not possible, and nothing else.
    pub(super) async fn take_place(&mut self, node: &Node) -> BootError {
        let told = self.in_place.wait_for(|is| *is).await.is_ok();
        if told && let Err(error) = self.serve_ports(node) {
            return error;
        }
        std::future::pending().await
    }

    fn serve_ports(&mut self, node: &Node) -> Result<(), BootError> {
        let Some(Unserved { ports, keys, routes }) = self.unserved.take() else {
            return Ok(());
        };
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
                secret: keys.secret(),
                tls: keys.links.clone(),
                handshake: node.0.link.handshake,
                gatekeeper: Arc::new(OwnChildren(node.clone())),
                strangers: Arc::clone(node.strangers()),
                spawn: |task| tokio::task::spawn_local(task).abort_handle(),
            };
            self.accepting = Some(tokio::task::spawn_local(accept(listener, Arc::new(acceptor))));
        }
        if let Some(listener) = copy("netport")? {
            let mut settings = client_settings(&node.config());
            settings.trace_sample = node.cluster().trace.sample;
            let (router, tls) = (Arc::clone(node.router()), keys.clients.clone());
            let clients = net::serve(listener, settings, router, tls)
                .map_err(|why| BootError::System("netport", why))?;
            drop(node.0.clients.set(clients));
        }
        if let Some(listener) = copy("webport")? {
            self.web =
                Some(web::serve(listener, routes, node).map_err(|why| BootError::System("webport", why))?);
        }
        Ok(())
    }

    /// Tells the master from now on how the node fares.
    fn report(&mut self, node: &Node, telling: Arc<Telling>, process: Process) {
        self.spawn(tell_of_lost_lines(
            node.clone(),
            self.master.clone(),
            process.lost,
        ));
        let inboxes = self
            .services
            .iter()
            .map(|service| Arc::clone(&service.inbox))
            .collect();
        let gatherer = Gatherer::new(node.clone(), self.master.clone(), inboxes, process.busy);
        self.spawn(tell(node.clone(), self.master.clone(), gatherer, telling));
    }

    /// Runs a task until the node ends.
    fn spawn(&mut self, task: impl Future<Output = ()> + 'static) {
        self.tasks.push(tokio::task::spawn_local(task));
    }

    fn dial_all(&self, node: &Node) {
        let mut dialers = self.dialers.borrow_mut();
        let present = node.present();
        for parent in &present.own.parents {
            if let Some(peer) = present.parents.get(&parent.name) {
                dialers.dial(peer, address_of(parent));
            }
        }
        let master = &present.config.master;
        dialers.dial(&self.master, host_port(&master.roothost, master.rootport));
    }

    /// Lets the calls in flight end, then everything else. Whether all calls have ended by themselves.
    pub(super) async fn stop(&mut self, node: &Node) -> bool {
        let deadline = Instant::now() + node.config().drain_timeout;
        // Nobody new first of all, who would only be sent away: the ports are the next life's, in whose queue who
        // comes now waits.
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        let requests = self.web.as_ref().map(|web| web.stop(true));
        let in_order = self.drain(node, deadline).await;
        self.services.iter().for_each(Hosted::stop);
        for hook in &self.before_stop {
            if timeout_at(deadline, hook(node.clone())).await.is_err() {
                tracing::warn!("a hook before the stop took too long");
            }
        }
        if node.store().is_configured()
            && let Err(why) = node.store().close(left(deadline)).await
        {
            tracing::warn!(%why, "the store is not closed in order; the next life of this node goes on with it");
        }
        if let Some(requests) = requests
            && timeout_at(deadline, requests).await.is_err()
        {
            tracing::warn!("requests of the HTTP port were cut off");
        }
        self.say_goodbye(node).await;
        self.tasks.iter().for_each(JoinHandle::abort);
        self.dialers.borrow().end();
        in_order
    }

    /// Takes no new calls, neither of clients nor of other nodes, which hold them back for the next life of this
    /// one; and waits until those that it has are answered. Whether all are.
    async fn drain(&self, node: &Node, deadline: Instant) -> bool {
        let mut in_order = true;
        if let Some(clients) = node.clients() {
            let left = clients.close_all(node.config().drain_timeout).await;
            if left > 0 {
                in_order = false;
                tracing::warn!(connections = left, "calls of clients were cut off");
            }
        }
        let mut links = Vec::new();
        loop {
            // Also those that have come up meanwhile.
            for link in neighbours(node).iter().flat_map(Peer::conns) {
                if !links.iter().any(|known| Arc::ptr_eq(known, &link)) {
                    link.drain();
                    links.push(link);
                }
            }
            let idle = self.services.iter().all(|service| service.inbox.is_idle());
            if idle && links.iter().all(|link| link.is_drained()) || Instant::now() >= deadline {
                break;
            }
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
        in_order && left == 0
    }

    /// Closes all links, in a way that the other ends know for an orderly end.
    async fn say_goodbye(&self, node: &Node) {
        let links: Vec<_> = neighbours(node)
            .iter()
            .chain([&self.master])
            .flat_map(Peer::conns)
            .collect();
        links.iter().for_each(|link| link.close(Goodbye::Stopping));
        let farewell = Instant::now() + FAREWELL;
        while links.iter().any(|link| !link.has_ended()) && Instant::now() < farewell {
            sleep(DRAIN_STEP).await;
        }
    }
}

/// The time until a deadline; a little when it is over, as nothing is lost by trying.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(FAREWELL)
}

/// What whoever started this process has given it, once it may go on.
async fn inheritance() -> Result<Inherited, BootError> {
    let mut inherited = inherited();
    let may_go_on = inherited.may_go_on().await;
    match may_go_on.map_err(|why| BootError::System("standard input", why))? {
        true => Ok(inherited),
        false => Err(BootError::Unknown),
    }
}

/// What holds for clients: as many as the configuration allows, or the system.
fn client_settings(own: &NodeConfig) -> net::NetSettings {
    let open_files = limits::raise_open_files().unwrap_or(u64::MAX);
    let settings = net::NetSettings::of(own).within(open_files);
    let (clients, max_clients) = (settings.max_clients, own.clients.max_clients);
    if clients < max_clients {
        tracing::warn!(
            clients,
            max_clients,
            open_files,
            "the limit of open files leaves room for fewer clients"
        );
    }
    settings
}

/// Does what the application wants to have done before the node serves.
async fn prepare(hooks: &[ReadyHook], node: &Node) -> Result<(), BootError> {
    for hook in hooks {
        hook(node.clone()).await.map_err(BootError::App)?;
    }
    Ok(())
}

fn log_ready(node: &Node) {
    let handlers = node.router().remote_names();
    let own: Vec<_> = handlers.iter().filter(|name| !is_internal(name)).collect();
    tracing::info!(handlers = ?own, commands = ?node.router().command_numbers(), "ready");
}

fn neighbours(node: &Node) -> Vec<Peer> {
    [node.parents(), node.all_children()].concat()
}
