//! From a link to a service's inbox; and the news of links to whoever wants them.

use std::sync::Arc;

use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::link::{Conn, Inbound, Intake, LinkId, Request};
use lampyris_runtime::name::{HandlerId, NodeName};

use crate::message::Origin;
use crate::service::{Arrival, Route, Router, Visits};

/// A link has come up or gone down.
#[derive(Debug, Clone)]
pub(crate) enum News {
    Up(LinkId),
    Down(LinkId),
    /// A successor has a link beside the one that is up.
    StandsBy(LinkId),
    /// That link has ended without having been up.
    StoodInVain(LinkId),
}

/// Hears the news of one link. Called on the link's task.
pub(crate) type Listener = Arc<dyn Fn(News) + Send + Sync>;

/// What comes from one peer.
pub(crate) struct FromPeer {
    name: NodeName,
    router: Arc<Router>,
    listener: Listener,
}

impl FromPeer {
    pub(crate) fn new(name: NodeName, router: Arc<Router>, listener: Listener) -> Arc<Self> {
        Arc::new(Self {
            name,
            router,
            listener,
        })
    }
}

/// What comes over one connection.
struct FromLink {
    router: Arc<Router>,
    /// Where the last message went: those that come together mostly go there too.
    last: Option<(HandlerId, Route)>,
    visits: Visits,
}

impl FromLink {
    /// The number of a handler that this node does not have.
    #[cold]
    fn refuse(&self, request: &Request) {
        let text = format!(
            "no handler of this node has the number {:#010x}",
            request.handler.0
        );
        tracing::debug!(origin = ?self.visits.origin(), awaited = request.call.is_some(), text, "no such handler");
        if let Some(call) = request.call {
            let fault = Fault::new(ErrorKind::NoSuchHandler, text);
            self.visits.answers().fault(call, fault);
        }
    }
}

impl Intake for FromLink {
    fn request(&mut self, request: Request) {
        let route = match &self.last {
            Some((of, route)) if *of == request.handler => route,
            _ => match self.router.remote(request.handler) {
                Some(route) => &self.last.insert((request.handler, route.clone())).1,
                None => return self.refuse(&request),
            },
        };
        let Request {
            call,
            body,
            deadline,
            traced,
            ..
        } = request;
        let arrival = Arrival {
            call,
            body,
            deadline,
            traced,
        };
        self.visits.bring(route, arrival);
    }

    fn settle(&mut self) {
        self.visits.settle();
    }

    fn rest(&mut self) {
        self.visits.rest();
    }
}

impl Inbound for FromPeer {
    fn intake(&self, conn: &Arc<Conn>) -> Box<dyn Intake> {
        let origin = Origin::Node(self.name.clone());
        Box::new(FromLink {
            router: Arc::clone(&self.router),
            last: None,
            visits: Visits::new(origin, Arc::clone(conn) as _),
        })
    }

    fn up(&self, link: &LinkId) {
        (self.listener)(News::Up(link.clone()));
    }

    fn down(&self, link: &LinkId, _why: &str) {
        (self.listener)(News::Down(link.clone()));
    }

    fn stands_by(&self, link: &LinkId) {
        (self.listener)(News::StandsBy(link.clone()));
    }

    fn stood_in_vain(&self, link: &LinkId) {
        (self.listener)(News::StoodInVain(link.clone()));
    }
}
