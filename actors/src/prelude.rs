//! What nearly every file of a game's handlers needs: `use lampyris::prelude::*;`.
//!
//! With it a gate, which answers one message itself and hands another on to a game, reads:
//!
//! ```
//! # mod messages {
//! #     use lampyris::prelude::*;
//! #     #[derive(Serialize, Deserialize, Remote)]
//! #     #[remote(name = "game.chat", reply = String)]
//! #     pub struct Chat(pub String);
//! #     lampyris::service! { pub Game { Chat } }
//! #     #[derive(Serialize, Deserialize, Remote)]
//! #     #[remote(name = "gate.hello", reply = String)]
//! #     pub struct Hello;
//! #     #[derive(Serialize, Deserialize, Remote)]
//! #     #[remote(name = "gate.say", reply = String)]
//! #     pub struct Say(pub String);
//! # }
//! # use messages::{Chat, Game, Hello, Say};
//! use lampyris::prelude::*;
//!
//! #[derive(Service)]
//! #[service(name = "gate", serves(Hello, Say))]
//! struct Gate {
//!     game: RemoteAddr<Game>,
//! }
//!
//! impl Actor for Gate {
//!     type Context = Context<Self>;
//! }
//!
//! impl Handler<Hello> for Gate {
//!     type Result = Result<String, CallError>;
//!     fn handle(&mut self, _: Hello, _: &mut Context<Self>) -> Self::Result {
//!         Ok("welcome".to_owned())
//!     }
//! }
//!
//! impl Handler<Say> for Gate {
//!     type Result = Forward<Chat>;
//!     fn handle(&mut self, Say(text): Say, _: &mut Context<Self>) -> Self::Result {
//!         self.game.forward(Chat(text))
//!     }
//! }
//! ```

pub use actix::{
    Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, ResponseActFuture, ResponseFuture,
    SyncContext, WrapFuture,
};
pub use bytes::Bytes;
pub use lampyris_derive::{Command, Entity, Remote, Service};
pub use lampyris_runtime::codec::Payload;
pub use serde::{Deserialize, Serialize};

pub use crate::error::{CallError, Failure};
pub use crate::message::{Command, Remote};
pub use crate::net::{Session, SessionClosed, SessionId, SessionOpened};
pub use crate::payload::{Json, Msgpack};
pub use crate::remote::{Call, RemoteAddr};
pub use crate::service::{Answer, Forward, Service};
pub use crate::store::{Entities, StoreError};
