//! Game clients: the port, the sessions, pushes to them.
//!
//! The way of a packet, file by file:
//!
//! 1. `listener`: a socket is accepted, given a number and a task of its own.
//! 2. `connection`: the task reads bytes, has the [`Dialect`](lampyris_runtime::packet::Dialect) cut packets out of
//!    them, and finds each command's service in the [`Router`](crate::service::Router).
//! 3. `line`: the connection's other half, which handlers' threads reach: it opens a slot in `answers` for the call,
//!    and the invocation goes to the service's inbox with the line as the place to reply to.
//! 4. `line` again: the reply is written as a frame into the connection's buffer, or, when an older call of the same
//!    command is unanswered, laid aside in its slot; a fault becomes the frame that `error_frame` writes.
//! 5. `connection` again: woken once, the task writes whatever has gathered in one go.
//!
//! A push enters at 4, by way of a [`Session`] or of [`Clients`], which knows all sessions of the node.
//!
//! With TLS, `cipher` stands between the socket and both: what is read passes through it in `connection`, what is
//! written in `line`.
//!
//! `answers`, `cipher`, `limits` and `pace` are pure; only `listener`, `connection` and `line` touch sockets.

mod alarm;
mod answers;
mod cipher;
mod clients;
mod connection;
mod counters;
mod error_frame;
mod follow;
mod limits;
mod line;
mod listener;
mod pace;
mod session;
mod settings;
#[cfg(test)]
mod tests;

pub use clients::{ClientInfo, Clients};
pub use counters::{CountersSnapshot, Reason};
pub use listener::serve;
pub use session::{Session, SessionClosed, SessionId, SessionOpened};
pub use settings::{ErrorsMode, NetSettings};
