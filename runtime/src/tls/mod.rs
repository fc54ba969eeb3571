//! Encryption of links and of game clients' connections.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `files` | certificates and keys as they lie in files |
//! | `links` | both ends of a link: each shows a certificate that the cluster's authority has signed |
//! | `channel` | a link's connection, with TLS or without |
//! | `clients` | the port for game clients: the node shows a certificate, the clients none |
//! | `fresh` | files that change are read again, without a restart |
//! | `authority` | an authority of one's own, and a certificate for each node |
//!
//! TLS says which node it is by the certificate's name. That it belongs to this cluster is proved by the secret, as
//! without TLS ([`crate::link::handshake`]); neither replaces the other.
//!
//! It must not know the configuration, links or sessions.

pub mod authority;
mod channel;
mod clients;
mod files;
mod fresh;
mod links;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use channel::Channel;
pub use clients::ClientTls;
pub use files::{BadFile, Pair, Validity, authority_in, pair_in, validity};
pub use fresh::keep_fresh;
pub use links::LinkTls;

/// The same everywhere, and chosen here, not by what other libraries install for the process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
