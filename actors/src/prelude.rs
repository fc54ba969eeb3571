//! What nearly every file of a game's handlers needs: `use lampyris::prelude::*;`.

pub use actix::{
    Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, ResponseActFuture, ResponseFuture,
    SyncContext, WrapFuture,
};
pub use bytes::Bytes;
pub use lampyris_derive::{Command, Remote, Service};
pub use lampyris_runtime::codec::Payload;
pub use serde::{Deserialize, Serialize};

pub use crate::error::{CallError, Failure};
pub use crate::message::{Command, Remote};
pub use crate::net::{Session, SessionClosed, SessionId, SessionOpened};
pub use crate::payload::{Json, Msgpack};
pub use crate::remote::{Call, RemoteAddr};
pub use crate::service::{Answer, Service};
