//! The port for game clients: the node shows a certificate, the clients none. TLS 1.2 and 1.3.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::sign::SingleCertAndKey;
use rustls::{DEFAULT_VERSIONS, ServerConfig, ServerConnection};

use super::files::{BadFile, Pair};
use super::provider;

/// The certificate of a port for game clients.
#[derive(Debug)]
pub struct ClientTls {
    pair: Pair,
    config: ArcSwap<ServerConfig>,
}

impl ClientTls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// One of the files cannot be used.
    pub fn load(pair: Pair) -> Result<Self, BadFile> {
        let config = ArcSwap::new(read(&pair)?);
        Ok(Self { pair, config })
    }

    /// Reads the files again, for connections to come; with an error, everything stays as it is.
    ///
    /// # Errors
    /// As [`ClientTls::load`].
    pub fn renew(&self) -> Result<(), BadFile> {
        self.config.store(read(&self.pair)?);
        Ok(())
    }

    /// The files that it was read from.
    pub fn files(&self) -> Vec<PathBuf> {
        vec![self.pair.cert.clone(), self.pair.key.clone()]
    }

    /// The node's end of a connection.
    ///
    /// # Errors
    /// Never, unless the certificate is of a kind that cannot be used.
    pub fn connection(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(self.config.load_full())
    }
}

fn read(pair: &Pair) -> Result<Arc<ServerConfig>, BadFile> {
    let key = pair.read()?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map_err(|why| BadFile::new(&pair.cert, why))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    Ok(Arc::new(config))
}
