//! From a link to a service's inbox; and the news of links to whoever wants them.

use std::sync::Arc;

use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::link::{Inbound, LinkId, Request};
use lampyris_runtime::name::NodeName;

use crate::message::Origin;
use crate::service::{Invocation, Router};

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
    router: Arc<Router>,
    origin: Arc<Origin>,
    listener: Listener,
}

impl FromPeer {
    pub(crate) fn new(name: NodeName, router: Arc<Router>, listener: Listener) -> Arc<Self> {
        Arc::new(Self {
            router,
            origin: Arc::new(Origin::Node(name)),
            listener,
        })
    }
}

impl Inbound for FromPeer {
    fn request(&self, request: Request) {
        let Request {
            handler,
            body,
            deadline,
            reply,
        } = request;
        let Some(route) = self.router.remote(handler) else {
            let text = format!("no handler of this node has the number {:#010x}", handler.0);
            tracing::debug!(origin = ?self.origin, awaited = reply.is_awaited(), text, "no such handler");
            return reply.fault(Fault::new(ErrorKind::NoSuchHandler, text));
        };
        let origin = Arc::clone(&self.origin);
        route.inbox.push(Invocation {
            entry: route.entry,
            body,
            deadline,
            origin,
            reply,
        });
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
