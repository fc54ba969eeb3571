//! Both ends of a link: each shows a certificate that the cluster's authority has signed for its name. TLS 1.3 only.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::files::{BadFile, Pair, authority_in, pair_in, roots};
use super::{Channel, provider};

/// A node's certificate and the cluster's authority, for its links.
pub struct LinkTls {
    authority: PathBuf,
    own: Pair,
    ends: ArcSwap<Ends>,
}

/// What the two ends of a connection need.
struct Ends {
    dialer: Arc<ClientConfig>,
    acceptor: Arc<ServerConfig>,
}

impl LinkTls {
    /// Reads `ca.pem`, `NAME.pem` and `NAME.key` in a folder.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn load(folder: &Path, name: &str) -> Result<Self, BadFile> {
        let (authority, own) = (authority_in(folder), pair_in(folder, name));
        let ends = ArcSwap::from_pointee(Ends::read(&authority, &own)?);
        Ok(Self { authority, own, ends })
    }

    /// Reads the files again. Links that are up stay as they are; with an error, everything does.
    ///
    /// # Errors
    /// As [`LinkTls::load`].
    pub fn renew(&self) -> Result<(), BadFile> {
        self.ends.store(Arc::new(Ends::read(&self.authority, &self.own)?));
        Ok(())
    }

    /// The files that it was read from.
    pub fn files(&self) -> Vec<PathBuf> {
        vec![
            self.authority.clone(),
            self.own.cert.clone(),
            self.own.key.clone(),
        ]
    }

    /// The dialer's end. The acceptor must show a certificate of the name that is wanted.
    ///
    /// # Errors
    /// The other end does not speak TLS, or one of the certificates does not hold.
    pub async fn connect(&self, tcp: TcpStream, to: &str) -> io::Result<Channel> {
        let name = ServerName::try_from(to.to_owned()).map_err(io::Error::other)?;
        let dialer = Arc::clone(&self.ends.load().dialer);
        let tls = TlsConnector::from(dialer).connect(name, tcp).await?;
        Ok(Channel::Tls(Box::new(TlsStream::Client(tls))))
    }

    /// The acceptor's end. The dialer must show a certificate; of which name is to be asked of the [`Channel`].
    ///
    /// # Errors
    /// As [`LinkTls::connect`].
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<Channel> {
        let acceptor = Arc::clone(&self.ends.load().acceptor);
        let tls = TlsAcceptor::from(acceptor).accept(tcp).await?;
        Ok(Channel::Tls(Box::new(TlsStream::Server(tls))))
    }
}

impl Ends {
    fn read(authority: &Path, own: &Pair) -> Result<Self, BadFile> {
        let (roots, pair) = (roots(authority)?, own.read()?);
        let bad = |why: &dyn ToString| BadFile::new(authority, why.to_string());
        Ok(Self {
            dialer: Arc::new(dialer(&roots, &pair).map_err(|why| bad(&why))?),
            acceptor: Arc::new(acceptor(&roots, &pair).map_err(|why| bad(&why))?),
        })
    }
}

fn dialer(roots: &Arc<RootCertStore>, pair: &Arc<CertifiedKey>) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(Arc::clone(roots))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(pair))));
    // Each link shows its certificates anew, so that an old one is not taken for longer than it holds.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn acceptor(roots: &Arc<RootCertStore>, pair: &Arc<CertifiedKey>) -> Result<ServerConfig, rustls::Error> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider())
        .build()
        .map_err(|why| rustls::Error::General(why.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(pair))));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
