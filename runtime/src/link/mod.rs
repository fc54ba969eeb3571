//! A link: the supervised connection between a child and its parent, and the calls on it.
//!
//! ```text
//!  caller ── Peer::call ──> Conn (outbox, calls) ──> Task ──> socket ──> Task ── Intake::request ───> handler
//!     ^                                                                                                  │
//!     └──── ReplyTo ── Conn::answered <── Task <── socket <── Task <── outbox <── Conn::reply <──────────┘
//! ```
//!
//! The story of a link, file by file:
//!
//! 1. [`dial`](dial()) (child) and [`accept`](accept()) (parent) make the connection;
//! 2. [`handshake`] proves who is who;
//! 3. [`Peer`] is the other node by its name, for good: calls wait there while the link is down;
//! 4. [`Conn`] is one connection: the outbox, and the calls that wait for answers ([`calls`]);
//! 5. the machine decides: frames in, frames out, heartbeats, deadlines ([`crate::wire`] has the bytes); the task
//!    around it owns the socket and the clock;
//! 6. when the connection ends, its calls end at once, and the child dials again.

pub(crate) mod accept;
mod batch;
pub mod calls;
pub(crate) mod conn;
pub(crate) mod dial;
mod ended;
pub mod handshake;
mod held;
mod liveness;
pub(crate) mod machine;
mod outbox;
pub(crate) mod peer;
mod settings;
mod strangers;
mod task;
mod term;

pub use accept::{Acceptor, Gatekeeper, Spawn, accept};
pub use batch::{Batch, TooLong};
pub use conn::{Conn, Counters, LinkId};
pub use dial::{DialError, Dialer, dial};
pub use ended::Ended;
pub use handshake::{Identity, Refusal};
pub use peer::{Inbound, Intake, Peer, Request};
pub use settings::LinkSettings;
pub use strangers::Strangers;
pub use task::Stream;
pub use term::Term;

#[cfg(test)]
mod tests;
