//! Clients that encrypt, and those that should.

use std::time::Duration;

use lampyris_runtime::tls::authority::{Wanted, init};
use lampyris_runtime::tls::pair_in;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::*;

/// An authority with a certificate for the port.
struct Keys {
    folder: tempfile::TempDir,
    tls: Arc<ClientTls>,
}

impl Keys {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make(&folder, false);
        let tls = Arc::new(ClientTls::load(pair_in(folder.path(), "localhost")).unwrap());
        Self { folder, tls }
    }

    async fn connect(&self, addr: std::net::SocketAddr) -> Client {
        let authority = CertificateDer::from_pem_file(self.folder.path().join("ca.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(addr).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = soon(TlsConnector::from(Arc::new(config)).connect(name, tcp));
        Client::over(addr, stream.await.unwrap())
    }
}

fn make(folder: &tempfile::TempDir, renew: bool) {
    let wanted = Wanted {
        folder: folder.path(),
        nodes: vec!["localhost".to_owned()],
        time: Duration::from_secs(90 * 24 * 3600),
        renew,
    };
    init(&wanted).unwrap();
}

async fn no_more_than_an_alert(client: &mut Client) {
    let mut rest = Vec::new();
    soon(client.stream.read_to_end(&mut rest))
        .await
        .unwrap_or_default();
    assert!(rest.len() < 16, "{rest:02x?}");
}

#[actix::test]
async fn frames_go_to_and_fro_inside_tls() {
    let keys = Keys::new();
    let mut port = Port::with(NetSettings::default(), Some(Arc::clone(&keys.tls)));
    let mut client = keys.connect(port.addr).await;
    let session = port.opened().await;
    for size in [0, 1, 1000, 60_000] {
        client.send(100, &"x".repeat(size)).await;
        let asked = port.asked().await;
        assert_eq!(asked.payload.len(), size);
        asked
            .answer
            .send(Ok(Some("y".repeat(10 * size).into())))
            .unwrap_or_else(|_| panic!("it waits"));
        client.got(100, "y".repeat(10 * size)).await;
    }
    session.push(500, "pushed").unwrap();
    client.got(500, "pushed").await;
    session.kick("the test is over");
    client.closed().await;
    port.ended(Reason::Kicked).await;
}

#[actix::test]
async fn bytes_that_are_no_tls_end_the_connection_at_once() {
    let keys = Keys::new();
    for bytes in [
        &frame(100, b"plain")[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[22, 3, 1, 0, 4, 9, 0, 0, 0],
    ] {
        let mut port = Port::with(NetSettings::default(), Some(Arc::clone(&keys.tls)));
        let (mut client, _) = port.join().await;
        client.send_bytes(bytes).await;
        no_more_than_an_alert(&mut client).await;
        port.ended(Reason::BadTls).await;
    }
}

#[actix::test]
async fn a_handshake_that_does_not_end_is_a_slow_frame() {
    let keys = Keys::new();
    let settings = NetSettings {
        frame_timeout: millis(200),
        ..NetSettings::default()
    };
    let mut port = Port::with(settings, Some(Arc::clone(&keys.tls)));
    let (mut client, _) = port.join().await;
    client.send_bytes(&[22, 3, 1, 1, 0, 1]).await;
    no_more_than_an_alert(&mut client).await;
    port.ended(Reason::SlowFrame).await;
}

#[actix::test]
async fn new_connections_are_shown_a_renewed_certificate_and_old_ones_go_on() {
    let keys = Keys::new();
    let mut port = Port::with(NetSettings::default(), Some(Arc::clone(&keys.tls)));
    let mut first = keys.connect(port.addr).await;
    let session = port.opened().await;
    make(&keys.folder, true);
    keys.tls.renew().unwrap();
    keys.connect(port.addr).await;
    session.push(500, "still here").unwrap();
    first.got(500, "still here").await;
    std::fs::write(pair_in(keys.folder.path(), "localhost").key, "no key").unwrap();
    assert!(keys.tls.renew().is_err());
    keys.connect(port.addr).await;
}
