//! The part of Lampyris below the actors: bytes, links, calls, processes and configuration, in plain tokio.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`config`] | file and environment to a checked tree of nodes, or all faults with their places |
//! | [`name`] | names of nodes, incarnations, numbers of handlers |
//! | [`error`] | the closed list of ways in which a call ends without a reply |
//! | [`backoff`] | jittered delays between attempts |
//! | [`supervisor`] | pure restart decisions, and one operating-system process |
//!
//! It knows nothing of actix, of HTTP, or of what a game is.

pub mod backoff;
pub mod config;
pub mod error;
pub mod name;
pub mod supervisor;
