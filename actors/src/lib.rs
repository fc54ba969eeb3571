//! Lampyris: an actor-model cluster runtime for game servers. What a game developer depends on.

// The macros' output names the crate by its name, inside it as well.
extern crate self as lampyris;

pub mod error;
pub mod message;
pub mod net;
pub mod payload;
pub mod prelude;
pub mod remote;
pub mod scope;
pub mod service;

/// The names that the derive macros write.
#[doc(hidden)]
pub mod export {
    pub use actix;
    pub use bytes;
    pub use lampyris_runtime as runtime;
}
