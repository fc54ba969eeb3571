//! The part of Lampyris below the actors: bytes, links, calls, processes and configuration, in plain tokio.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`config`] | file and environment to a checked tree of nodes, or all faults with their places |
//! | [`name`] | names of nodes, incarnations, numbers of handlers |
//! | [`error`] | the closed list of ways in which a call ends without a reply |
//! | [`codec`] | MessagePack to values and back, safely |
//! | [`reply`] | where the answer to a call goes |
//! | [`packet`] | the frames of game clients |
//! | [`wire`] | the bytes of a link frame |
//! | [`link`] | the supervised connection between a child and its parent, and the calls on it |
//! | [`supervisor`] | pure restart decisions, and one operating-system process |
//! | [`sockets`] | listening sockets that outlive the process that serves them |
//! | [`tls`] | encryption of links and of clients' connections, and the certificates for it |
//! | [`backoff`], [`beat`] | delays between attempts; times that tasks share |
//! | [`files`], [`hex`] | files that are replaced whole; bytes as digits |
//!
//! It knows nothing of actix, of HTTP, or of what a game is.

pub mod backoff;
pub mod beat;
pub mod codec;
pub mod config;
pub mod error;
pub mod files;
pub mod hex;
pub mod link;
pub mod name;
pub mod packet;
pub mod reply;
#[cfg(test)]
mod simulation;
pub mod sockets;
pub mod supervisor;
pub mod tls;
pub mod trace;
pub mod wire;
