//! One game client's connection, as handlers see it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::name::NodeName;
use serde::{Deserialize, Serialize};

use crate::error::{CallError, Failure};
use crate::message::{Callable, Origin, Wrote};

/// Which session, cluster-wide: the node that has the connection, and its number there. Numbers are not reused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId {
    /// The node whose client it is.
    pub node: NodeName,
    /// The connection's number on that node.
    pub number: u64,
}

/// One game client's connection. Cheap to clone; stays valid, without effect, after the client is gone.
#[derive(Debug, Clone)]
pub struct Session(Arc<SessionId>);

impl Session {
    /// Which session it is.
    pub fn id(&self) -> &SessionId {
        &self.0
    }
}

/// A client has connected. Handled by services whose derive says `sessions`.
#[derive(Debug, Clone)]
pub struct SessionOpened {
    /// The new session.
    pub session: Session,
}

/// A client is gone. Handled by services whose derive says `sessions`.
#[derive(Debug, Clone)]
pub struct SessionClosed {
    /// The session that was.
    pub session: Session,
}

/// News of a session is a message like any other, except that it comes from the node itself and nobody waits.
macro_rules! session_news {
    ($news:ident, $name:literal) => {
        impl actix::Message for $news {
            type Result = Result<(), CallError>;
        }

        impl Callable for $news {
            type Reply = ();
            type Error = Failure;
            const NAME: &'static str = $name;

            fn read(_body: &Bytes, origin: &Origin) -> Result<Self, Fault> {
                match origin {
                    Origin::Client(session) => Ok(Self { session: session.clone() }),
                    Origin::Node(_) => Err(Fault::new(ErrorKind::BadPayload, "news of a session come from its own node")),
                }
            }

            fn write(_reply: &(), _out: &mut BytesMut) -> Result<Wrote, Fault> {
                Ok(Wrote::Nothing)
            }

            fn relay(_body: &Bytes, _out: &mut BytesMut) -> Result<Wrote, Fault> {
                Ok(Wrote::Nothing)
            }
        }
    };
}

session_news!(SessionOpened, "session.opened");
session_news!(SessionClosed, "session.closed");
