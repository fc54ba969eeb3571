//! One game client's connection, as handlers see it.
//!
//! It must not know how bytes reach the client; that is the line's and the connection's part.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::name::NodeName;
use serde::{Deserialize, Serialize};

use super::line::Line;
use crate::error::{CallError, Failure};
use crate::message::{Callable, IntoClient, Origin, Relay, Wrote};

/// Which session, cluster-wide: the node that has the connection, and its number there. Numbers are not reused, not
/// even by a later process of the same node, but for a chance of one in thousands of millions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId {
    /// The node whose client it is.
    pub node: NodeName,
    /// The connection's number on that node.
    pub number: u64,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.node, self.number)
    }
}

/// One game client's connection. Cheap to clone; stays valid, without effect, after the client is gone.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    line: Arc<Line>,
    data: Mutex<Vec<(TypeId, Value)>>,
}

type Value = Arc<dyn Any + Send + Sync>;

impl Session {
    pub(super) fn new(line: Arc<Line>) -> Self {
        Self(Arc::new(Inner {
            line,
            data: Mutex::default(),
        }))
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.0.line
    }

    /// Which session it is.
    pub fn id(&self) -> &SessionId {
        &self.0.line.id
    }

    /// Where the client connects from.
    pub fn addr(&self) -> SocketAddr {
        self.0.line.addr
    }

    /// Whether frames can still be sent to the client. That it is true is no promise that they arrive.
    pub fn is_open(&self) -> bool {
        self.0.line.is_open()
    }

    /// Sends a frame of the server's own choosing. Pushes arrive in the order in which they were made; `()` and
    /// `None` send nothing.
    ///
    /// # Errors
    /// - `not_sent`: the client is gone.
    /// - `overloaded`: it does not take what was sent before, and is closed.
    /// - `too_large`: the payload alone is over the limit for all that may wait.
    /// - that of a payload that cannot be written.
    pub fn push(&self, command: u32, payload: impl IntoClient) -> Result<(), Fault> {
        self.0.line.push(command, &mut |out| payload.write_client(out))
    }

    /// Ends the connection after what was sent before. The reason is for the log.
    pub fn kick(&self, reason: impl Into<Cow<'static, str>>) {
        self.0.line.kick(&reason.into());
    }

    /// Keeps a value with the session, one of each type, and gives the one that was kept before.
    ///
    /// It lives as long as the last clone of the session; a value that holds its own session is never dropped.
    pub fn set<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        let mut data = self.data();
        let before = take::<T>(&mut data);
        data.push((TypeId::of::<T>(), Arc::new(value)));
        before
    }

    /// The value of this type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let data = self.data();
        let (_, value) = data.iter().find(|(kind, _)| *kind == TypeId::of::<T>())?;
        Arc::clone(value).downcast().ok()
    }

    /// Takes the value of this type away.
    pub fn remove<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        take(&mut self.data())
    }

    fn data(&self) -> MutexGuard<'_, Vec<(TypeId, Value)>> {
        self.0.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<T: Any + Send + Sync>(data: &mut Vec<(TypeId, Value)>) -> Option<Arc<T>> {
    let at = data.iter().position(|(kind, _)| *kind == TypeId::of::<T>())?;
    data.swap_remove(at).1.downcast().ok()
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({} from {})", self.id(), self.addr())
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
            const RELAY: Option<Relay> = None;

            fn read(_body: Bytes, origin: &Origin) -> Result<Self, Fault> {
                match origin {
                    Origin::Client(session) => Ok(Self {
                        session: session.clone(),
                    }),
                    Origin::Node(_) => Err(Fault::new(
                        ErrorKind::BadPayload,
                        "news of a session come from its own node",
                    )),
                }
            }

            fn write(_reply: &(), _out: &mut BytesMut) -> Result<Wrote, Fault> {
                Ok(Wrote::Nothing)
            }
        }
    };
}

session_news!(SessionOpened, "session.opened");
session_news!(SessionClosed, "session.closed");
