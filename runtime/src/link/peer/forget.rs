//! A name that leaves the configuration, and perhaps comes back, while others still have its handle.
//!
//! It must not know why; and the connection that is left is closed by whoever forgot the name, when its calls have ended.

use std::sync::Arc;

use super::Peer;
use crate::error::{ErrorKind, Fault};
use crate::link::Conn;
use crate::name::NodeName;
use crate::wire::Goodbye;

impl Peer {
    /// The configuration knows the name no more: new calls end with `no_such_node`. Those in flight get their answers
    /// by the connection that is given back, which is to be closed when they have.
    pub fn forget(&self) -> Option<Arc<Conn>> {
        let mut down = self.lock();
        down.unknown = true;
        let waited = down.held.take_all();
        let standby = down.seats.forget();
        let conn = self.0.current.swap(None);
        drop(down);
        if let Some(standby) = standby {
            standby.close(Goodbye::Stopping);
        }
        for reply in waited.into_iter().filter_map(|call| call.reply) {
            reply.fault(no_such_node(&self.0.name));
        }
        if let Some(conn) = &conn {
            conn.confirm_drained();
            tracing::info!(peer = %self.0.name, epoch = conn.id().epoch, "configured no more; the link ends");
            self.0.inbound.down(conn.id(), "it is configured no more");
        }
        conn
    }

    /// The configuration knows the name again.
    pub fn remember(&self) {
        self.lock().unknown = false;
    }

    /// Whether there are more handles of it than so many.
    pub fn is_shared_beyond(&self, handles: usize) -> bool {
        Arc::strong_count(&self.0) > handles
    }
}

/// What a call gets whose peer no configuration knows.
pub(super) fn no_such_node(name: &NodeName) -> Fault {
    Fault::new(
        ErrorKind::NoSuchNode,
        format!("no parent or child is called {name}"),
    )
}
