//! A link's connection, with TLS or without.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// What both ends read and write.
#[derive(Debug)]
pub enum Channel {
    /// As the network carries it.
    Plain(TcpStream),
    /// Encrypted, and both ends have shown certificates of the cluster's authority.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Channel {
    /// Where the other end is.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Plain(tcp) => tcp.peer_addr(),
            Self::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }

    /// Whether the other end may have this name. Without TLS nothing speaks against it.
    pub fn vouches_for(&self, name: &str) -> bool {
        let Self::Tls(tls) = self else { return true };
        let Some([own, ..]) = tls.get_ref().1.peer_certificates() else {
            return false;
        };
        let (Ok(parsed), Ok(name)) = (ParsedCertificate::try_from(own), ServerName::try_from(name)) else {
            return false;
        };
        verify_server_name(&parsed, &name).is_ok()
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(task, into),
            Self::Tls(tls) => {
                // What was written may lie sealed in the library while the socket is full. A link always reads, so
                // this sees to it that it leaves.
                if let Poll::Ready(Err(error)) = Pin::new(&mut **tls).poll_flush(task) {
                    return Poll::Ready(Err(error));
                }
                Pin::new(&mut **tls).poll_read(task, into)
            }
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(task, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(task, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(task, parts),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(task, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(task),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(task),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(task),
        }
    }
}
