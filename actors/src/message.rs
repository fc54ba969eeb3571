//! What a message is: to a far service ([`Remote`]) or from a game client ([`Command`]).
//!
//! Both are ordinary actix messages whose result is `Result<Reply, CallError<Error>>`, so handlers are ordinary
//! `impl Handler<M>`. The derive macros of the same names write these impls.

use bytes::{Bytes, BytesMut};
use lampyris_runtime::codec;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::name::HandlerId;
pub use lampyris_runtime::reply::{Relay, Wrote};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{AppError, CallError};
use crate::net::Session;

/// Where an invocation comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Another node, over a link.
    Node(lampyris_runtime::name::NodeName),
    /// A game client of this node.
    Client(Session),
}

/// A message that a service can be asked with: how it is read, and how its reply is written.
pub trait Callable:
    actix::Message<Result = Result<Self::Reply, CallError<Self::Error>>> + Sized + Send + 'static
{
    /// The value of success.
    type Reply: Send + 'static;
    /// The user's own error; [`Failure`](crate::error::Failure) if none is declared.
    type Error: AppError;
    /// The name on the wire, in logs and in metrics: what the user wrote, never a type's or module's name.
    const NAME: &'static str;

    /// Reads the message.
    ///
    /// # Errors
    /// `bad_payload`, naming the field.
    fn read(body: Bytes, origin: &Origin) -> Result<Self, Fault>;

    /// Appends the reply.
    ///
    /// # Errors
    /// The value cannot be written.
    fn write(reply: &Self::Reply, out: &mut BytesMut) -> Result<Wrote, Fault>;

    /// What becomes of a reply that stands already as the MessagePack of [`Callable::Reply`], as it came over a link, on
    /// its way to the caller; `None` when he takes it as it is. It fails when the bytes are no such value.
    const RELAY: Option<Relay>;
}

/// A message to a service on another node. Derive it:
///
/// ```
/// use lampyris::prelude::*;
///
/// #[derive(Serialize, Deserialize, Remote)]
/// #[remote(name = "room.join", reply = u32)]
/// pub struct Join {
///     pub player: String,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no message to another node",
    note = "derive it: `#[derive(Serialize, Deserialize, Remote)]` with `#[remote(name = \"...\", reply = ...)]`"
)]
pub trait Remote: Callable<Reply: Serialize + DeserializeOwned> + Serialize + DeserializeOwned {
    /// The number of its name on the wire.
    const ID: HandlerId = HandlerId::of(Self::NAME);
}

/// A game client's command. Derive it; the number stands in an attribute.
///
/// The fields are at most one `session: Session` and one payload, of any type that is [`FromClient`].
///
/// ```
/// use lampyris::prelude::*;
///
/// #[derive(Command)]
/// #[command(100, reply = String)]
/// pub struct Hello {
///     pub name: String,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no command of a game client",
    note = "derive it: `#[derive(Command)]` with `#[command(100, reply = ...)]`"
)]
pub trait Command: Callable {
    /// The command id in the client's frame.
    const NUMBER: u32;
    /// Whether the next command of this number, from the same connection, waits for this one's answer.
    const SERIAL: bool = false;
}

/// What the payload of a client's frame can be read as.
#[diagnostic::on_unimplemented(
    message = "a client's payload cannot be read as `{Self}`",
    note = "use String, Payload, Bytes, Vec<u8>, (), Json<T> or Msgpack<T>"
)]
pub trait FromClient: Sized {
    /// Reads the whole payload.
    ///
    /// # Errors
    /// `bad_payload`, saying what does not fit.
    fn from_client(payload: Bytes) -> Result<Self, Fault>;
}

/// What can be the payload of a frame to a client.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the payload of a frame to a client",
    note = "use String, &str, Payload, Bytes, Vec<u8>, Json<T>, Msgpack<T>; `()` or `None` send no frame"
)]
pub trait IntoClient {
    /// Appends the payload.
    ///
    /// # Errors
    /// The value cannot be written.
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault>;

    /// Appends the payload of a value that stands in MessagePack, as it came over a link.
    ///
    /// # Errors
    /// The bytes are no such value, or it cannot be written.
    fn relay_client(body: &[u8], out: &mut BytesMut) -> Result<Wrote, Fault>
    where
        Self: DeserializeOwned,
    {
        codec::decode::<Self>(&Bytes::copy_from_slice(body))?.write_client(out)
    }
}

/// Reads a remote message's body; what the derive macro calls.
///
/// # Errors
/// As [`codec::read`].
pub fn read_remote<M: Remote>(body: Bytes) -> Result<M, Fault> {
    codec::read(body)
}

/// Appends a remote message's reply; what the derive macro calls.
///
/// # Errors
/// As [`codec::encode`].
pub fn write_remote<M: Remote>(reply: &M::Reply, out: &mut BytesMut) -> Result<Wrote, Fault> {
    codec::encode(reply, out).map(|()| Wrote::Reply)
}

/// The session of a client's command; what the derive macro calls.
///
/// # Errors
/// `bad_payload` when another node sent the message.
pub fn session_of(origin: &Origin) -> Result<Session, Fault> {
    match origin {
        Origin::Client(session) => Ok(session.clone()),
        Origin::Node(node) => {
            let text = format!("a message of a client's session came from node {node}");
            Err(Fault::new(ErrorKind::BadPayload, text))
        }
    }
}

/// Appends a reply of a link as the reply of a client's command; what the derive macro calls.
///
/// # Errors
/// As [`codec::decode`].
pub fn relay_command<R: IntoClient + DeserializeOwned>(
    body: &[u8],
    out: &mut BytesMut,
) -> Result<Wrote, Fault> {
    R::relay_client(body, out)
}
