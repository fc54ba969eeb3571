//! Lampyris: an actor-model cluster runtime for game servers. What a game developer depends on.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`prelude`] | what handlers need, in one line |
//! | [`message`] | messages between nodes, commands of game clients |
//! | [`mod@service`] | a service: its handlers, the queue and the actor behind them |
//! | [`remote`] | the supervised address of a service on another node, and calls to it |
//! | [`error`] | what a caller gets instead of a reply |
//! | [`node`] | a running node: boot, parents, children, sessions anywhere in the tree |
//! | [`net`] | game clients: the port, sessions, pushes |
//! | [`payload`] | what a client's payload can be |
//! | [`store`] | the data layer: entities in a database, with a journal and a cache |
//! | [`scope`] | which call a handler is working on |
//! | [`master`] | the supervisor of a cluster's processes |
//! | [`cli`] | the roles on the command line |
//!
//! A program is one call, `lampyris::main([...])`, with an [`App`] for each kind of node. See the demo.

// The macros' output names the crate by its name, inside it as well.
extern crate self as lampyris;

mod admin;
mod app;
mod bench;
pub mod certificates;
pub mod cli;
mod clock;
mod console;
pub mod error;
mod exit;
mod lines;
mod logging;
pub mod master;
pub mod message;
mod meter;
pub mod net;
pub mod node;
mod otlp;
pub mod payload;
pub mod prelude;
mod protocol;
mod records;
pub mod remote;
mod report;
pub mod scope;
pub mod service;
pub mod store;
mod system;

/// The HTTP library whose routes an [`App`] takes.
pub use actix_web;
pub use app::App;
pub use cli::main;
pub use node::Node;

/// The names that the derive macros write.
#[doc(hidden)]
pub mod export {
    pub use actix;
    pub use bytes;
    pub use lampyris_runtime as runtime;
}

/// The examples of the documents, run as tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/guide.md")]
    mod guide {}
    #[doc = include_str!("../../docs/data.md")]
    mod data {}
}
