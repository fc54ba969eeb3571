//! The journal: changes that are acknowledged, and that the database may lack.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `codec`, `body` | the bytes: segments and records; changes and values; pure |
//! | `files` | the folder with the segments |
//! | `queue`, `group`, `crowd` | changes on their way, and those who wait for them |
//! | `writer` | the thread that writes and syncs |
//!
//! A change is acknowledged once it is synced. One sync serves all changes that came while the last one was under
//! way. A segment is deleted when the database has everything that stands in it.

pub(crate) mod body;
pub(crate) mod codec;
mod crowd;
pub(crate) mod files;
pub(crate) mod group;
mod queue;
pub(crate) mod writer;
