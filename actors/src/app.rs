//! An application: what a node with that `app` in its configuration runs.
//!
//! Several nodes may run one application: game1 to game8 are eight processes of `app.game`. An application is a
//! description; nothing starts before a node boots with it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix::SyncContext;
use actix_web::web::ServiceConfig;
use lampyris_runtime::name::NodeName;

use crate::node::Node;
use crate::service::{Clash, Hosted, Inbox, Router, Service, Taking, host, host_pool};

/// A user's actix-web routes for a node's own HTTP port.
pub(crate) type Routes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;
/// Hears of a parent or child whose link goes up or down.
pub(crate) type NodeHook = Arc<dyn Fn(&Node, &NodeName) + Send + Sync>;
/// Hears of a reload of the configuration.
pub(crate) type ReloadHook = Arc<dyn Fn(&Node) + Send + Sync>;
/// Runs before a node is ready.
pub(crate) type ReadyHook = Box<dyn Fn(Node) -> Pin<Box<dyn Future<Output = Result<(), String>>>>>;
/// Runs before a node stops.
pub(crate) type StopHook = Box<dyn Fn(Node) -> Pin<Box<dyn Future<Output = ()>>>>;

/// What a node runs: services, and optionally HTTP routes and hooks.
///
/// ```
/// use lampyris::App;
/// # use lampyris::prelude::*;
/// # #[derive(Serialize, Deserialize, Remote)]
/// # #[remote(name = "dice.roll", reply = u8)]
/// # pub struct Roll;
/// # #[derive(Service)]
/// # #[service(name = "dice", serves(Roll))]
/// # pub struct Dice;
/// # impl Actor for Dice { type Context = Context<Self>; }
/// # impl Handler<Roll> for Dice {
/// #     type Result = Result<u8, CallError>;
/// #     fn handle(&mut self, _: Roll, _: &mut Context<Self>) -> Self::Result { Ok(4) }
/// # }
///
/// let app = App::new("app.dice").service(|_node| Dice);
/// assert_eq!(app.name(), "app.dice");
/// ```
pub struct App {
    name: &'static str,
    pub(crate) services: Vec<Box<dyn ServiceSpec>>,
    pub(crate) routes: Option<Routes>,
    pub(crate) node_up: Vec<NodeHook>,
    pub(crate) node_down: Vec<NodeHook>,
    pub(crate) on_reload: Vec<ReloadHook>,
    pub(crate) before_ready: Vec<ReadyHook>,
    pub(crate) before_stop: Vec<StopHook>,
}

impl App {
    /// An application without services. The name is what `app` in the configuration says.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            services: vec![],
            routes: None,
            node_up: vec![],
            node_down: vec![],
            on_reload: vec![],
            before_ready: vec![],
            before_stop: vec![],
        }
    }

    /// The name that `app` in the configuration says.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Adds a service. Its actor is made by `factory`, and made again if it panics or stops.
    #[must_use]
    pub fn service<A, F>(mut self, factory: F) -> Self
    where
        A: Service<Context = actix::Context<A>>,
        F: Fn(&Node) -> A + Clone + 'static,
    {
        self.services.push(Box::new(Single(factory)));
        self
    }

    /// Adds a service for work that blocks: `threads` threads, each with an actor of its own.
    ///
    /// Requests are taken by whichever thread is free. Its handlers return plain results.
    #[must_use]
    pub fn pool<A, F>(mut self, threads: usize, factory: F) -> Self
    where
        A: Service<Context = SyncContext<A>>,
        F: Fn(&Node) -> A + Clone + Send + Sync + 'static,
    {
        self.services.push(Box::new(Pool {
            threads: threads.max(1),
            factory,
        }));
        self
    }

    /// Routes for the node's `webport`. [`Node`] is there as `web::Data<Node>`.
    #[must_use]
    pub fn routes(mut self, routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Self {
        self.routes = Some(Arc::new(routes));
        self
    }

    /// Calls `hook` whenever the link to a parent or child has come up.
    #[must_use]
    pub fn on_node_up(mut self, hook: impl Fn(&Node, &NodeName) + Send + Sync + 'static) -> Self {
        self.node_up.push(Arc::new(hook));
        self
    }

    /// Calls `hook` whenever the link to a parent or child has gone down.
    #[must_use]
    pub fn on_node_down(mut self, hook: impl Fn(&Node, &NodeName) + Send + Sync + 'static) -> Self {
        self.node_down.push(Arc::new(hook));
        self
    }

    /// Calls `hook` after a reload has changed the configuration: [`Node::config`], [`Node::cluster`] and the node's
    /// children are the new ones by then.
    #[must_use]
    pub fn on_reload(mut self, hook: impl Fn(&Node) + Send + Sync + 'static) -> Self {
        self.on_reload.push(Arc::new(hook));
        self
    }

    /// Runs `hook` before the node is ready: its services run and its links are up, its own ports are not served
    /// yet. With an error the node ends with exit code 1, and its restart policy decides.
    #[must_use]
    pub fn before_ready<Fut>(mut self, hook: impl Fn(Node) -> Fut + 'static) -> Self
    where
        Fut: Future<Output = Result<(), String>> + 'static,
    {
        self.before_ready.push(Box::new(move |node| Box::pin(hook(node))));
        self
    }

    /// Runs `hook` when the node stops in order, after its last call has ended; within `drain_timeout`.
    #[must_use]
    pub fn before_stop<Fut: Future<Output = ()> + 'static>(
        mut self,
        hook: impl Fn(Node) -> Fut + 'static,
    ) -> Self {
        self.before_stop.push(Box::new(move |node| Box::pin(hook(node))));
        self
    }
}

/// A service, without its type.
pub(crate) trait ServiceSpec {
    /// Adds its handlers to the node's routes.
    fn register(&self, router: &mut Router, limit: usize) -> Result<Arc<Inbox>, Clash>;
    /// Starts its actor or actors.
    fn start(&self, inbox: Arc<Inbox>, node: &Node) -> Hosted;
}

struct Single<F>(F);

impl<A, F> ServiceSpec for Single<F>
where
    A: Service<Context = actix::Context<A>>,
    F: Fn(&Node) -> A + Clone + 'static,
{
    fn register(&self, router: &mut Router, limit: usize) -> Result<Arc<Inbox>, Clash> {
        let inbox = Inbox::new(A::NAME, limit, Taking::Batch);
        router.add::<A>(&inbox).map(|()| inbox)
    }

    fn start(&self, inbox: Arc<Inbox>, node: &Node) -> Hosted {
        let (factory, node) = (self.0.clone(), node.clone());
        host(inbox, move || factory(&node))
    }
}

struct Pool<F> {
    threads: usize,
    factory: F,
}

impl<A, F> ServiceSpec for Pool<F>
where
    A: Service<Context = SyncContext<A>>,
    F: Fn(&Node) -> A + Clone + Send + Sync + 'static,
{
    fn register(&self, router: &mut Router, limit: usize) -> Result<Arc<Inbox>, Clash> {
        let inbox = Inbox::new(A::NAME, limit, Taking::Single);
        router.add::<A>(&inbox).map(|()| inbox)
    }

    fn start(&self, inbox: Arc<Inbox>, node: &Node) -> Hosted {
        let (factory, node) = (self.factory.clone(), node.clone());
        host_pool(inbox, self.threads, move || factory(&node))
    }
}

/// A service of the runtime's own.
pub(crate) fn single<A, F>(factory: F) -> Box<dyn ServiceSpec>
where
    A: Service<Context = actix::Context<A>>,
    F: Fn(&Node) -> A + Clone + 'static,
{
    Box::new(Single(factory))
}
