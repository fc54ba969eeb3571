//! What a node's process runs: services, ports, links; started in this order, ended in the reverse.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use lampyris_runtime::config::{Config, NodeConfig, Secret, link_secret};
use lampyris_runtime::link::{Acceptor, Dialer, Peer, accept, dial};
use lampyris_runtime::sockets::Listeners;
use lampyris_runtime::tls::{ClientTls, LinkTls};
use lampyris_runtime::wire::Goodbye;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::assemble::{Hooks, Target, assemble, identity, register, targets};
use super::control::{Cause, Control};
use super::error::BootError;
use super::links::{OwnChildren, Refusals, master_peer, parents_up, say_ready};
use super::ports::{host_port, open_ports};
use super::{Node, web};
use crate::app::{App, Routes, StopHook, single};
use crate::certificates;
use crate::net;
use crate::service::Hosted;

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
    /// Never changes, but a dialer ends when nobody could change its target any more.
    master_target: Option<watch::Sender<Option<String>>>,
    web: Option<ServerHandle>,
    before_stop: Vec<StopHook>,
}

impl Running {
    pub(super) async fn start(
        config: &Arc<Config>,
        own: NodeConfig,
        mut app: App,
        stop: mpsc::Sender<Cause>,
    ) -> Result<(Self, Node), BootError> {
        let ports = Arc::new(open_ports(&own)?);
        let keys = Keys::of(config, &own)?;
        let (targets, dialled) = targets(&own);
        let control = {
            let (targets, stop, ports) = (Arc::clone(&targets), stop.clone(), Arc::clone(&ports));
            single(move |node: &Node| Control {
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
        let (master, master_links) = master_peer(&node);
        let mut running = Self {
            services,
            tasks: vec![],
            accepting: None,
            master,
            master_target: None,
            web: None,
            before_stop: app.before_stop,
        };
        running.dial_all(&node, dialled, &keys, &stop);
        let watching = certificates::tasks(
            config,
            node.name().as_str(),
            keys.links.clone(),
            keys.clients.clone(),
        );
        running
            .tasks
            .extend(watching.into_iter().map(tokio::task::spawn_local));
        let (ready, serving) = watch::channel(false);
        let telling = say_ready(node.clone(), running.master.clone(), master_links, serving, stop);
        running.tasks.push(tokio::task::spawn_local(telling));
        parents_up(&node, news).await;
        for hook in &app.before_ready {
            hook(node.clone()).await.map_err(BootError::App)?;
        }
        running.serve_ports(&ports, &node, &keys, app.routes)?;
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
        keys: &Keys,
        routes: Option<Routes>,
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
                secret: keys.secret.expose().as_bytes().into(),
                tls: keys.links.clone(),
                handshake: node.0.link.handshake,
                gatekeeper: Arc::new(OwnChildren(node.clone())),
                spawn: |task| tokio::task::spawn_local(task).abort_handle(),
            };
            self.accepting = Some(tokio::task::spawn_local(accept(listener, Arc::new(acceptor))));
        }
        if let Some(listener) = copy("netport")? {
            let settings = net::NetSettings::of(node.config());
            let clients = net::serve(
                listener,
                settings,
                Arc::clone(node.router()),
                keys.clients.clone(),
            )
            .map_err(|why| BootError::System("netport", why))?;
            drop(node.0.clients.set(clients));
        }
        if let Some(listener) = copy("webport")? {
            self.web =
                Some(web::serve(listener, routes, node).map_err(|why| BootError::System("webport", why))?);
        }
        Ok(())
    }

    fn dial_all(&mut self, node: &Node, dialled: Vec<Target>, keys: &Keys, stop: &mpsc::Sender<Cause>) {
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
                secret: keys.secret.expose().as_bytes().into(),
                tls: keys.links.clone(),
                target,
                on_failure: Box::new(Refusals::of(&peer, stop.clone()).watch()),
            };
            self.tasks.push(tokio::task::spawn_local(dial(dialer, peer)));
        }
        self.master_target = Some(known);
    }

    /// Lets the calls in flight end, then everything else.
    pub(super) async fn stop(&mut self, node: &Node) {
        let deadline = Instant::now() + node.config().drain_timeout;
        self.drain(node, deadline).await;
        self.services.iter().for_each(Hosted::stop);
        for hook in &self.before_stop {
            if timeout_at(deadline, hook(node.clone())).await.is_err() {
                tracing::warn!("a hook before the stop took too long");
            }
        }
        if let Some(web) = &self.web {
            web.stop(false).await;
        }
        self.say_goodbye(node).await;
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    /// Takes no new calls, neither of clients nor of other nodes, which hold them back for the next life of this
    /// one; and waits until those that it has are answered.
    async fn drain(&self, node: &Node, deadline: Instant) {
        if let Some(clients) = node.clients() {
            let left = clients.close_all(node.config().drain_timeout).await;
            if left > 0 {
                tracing::warn!(calls = left, "calls of clients were cut off");
            }
        }
        let mut links = Vec::new();
        loop {
            // Also those that have come up meanwhile.
            for link in neighbours(node).filter_map(Peer::conn) {
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
    }

    /// Closes all links, in a way that the other ends know for an orderly end.
    async fn say_goodbye(&self, node: &Node) {
        // First of all nobody new, who would only be sent away: the port is the next life's.
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        let links: Vec<_> = neighbours(node)
            .chain([&self.master])
            .filter_map(Peer::conn)
            .collect();
        links.iter().for_each(|link| link.close(Goodbye::Stopping));
        let farewell = Instant::now() + FAREWELL;
        while links.iter().any(|link| !link.has_ended()) && Instant::now() < farewell {
            sleep(DRAIN_STEP).await;
        }
    }
}

fn neighbours(node: &Node) -> impl Iterator<Item = &Peer> {
    node.parents().chain(node.all_children())
}
