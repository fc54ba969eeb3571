//! Accepts game clients, up to the limit, and gives each a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lampyris_runtime::backoff::Backoff;
use lampyris_runtime::tls::ClientTls;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use super::cipher::Cipher;
use super::clients::{Clients, Net};
use super::connection::Connection;
use super::settings::NetSettings;
use crate::service::Router;

/// Delays after the system had no connection to give, which lasts until a file is closed somewhere.
const DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// When the system starts to ask a silent client's side whether it is there, and how often it asks. Clients without
/// a heartbeat of their own are found gone after two minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMES: u32 = 4;

/// What the system is asked to keep for a client that reads slowly, in bytes; Linux takes twice as much, and counts its
/// own data in. By itself it would take megabytes for each (tcp_wmem), which no limit of ours sees: a client that
/// does not read at all would be noticed late, and a thousand of them would take gigabytes.
const SEND_BUFFER: usize = 256 * 1024;

/// Accepts game clients at `listener` and hands their commands to the services of `router`, until
/// [`Clients::close_all`]. With `tls`, connections are encrypted. Must be called inside a tokio runtime.
///
/// # Errors
/// The listener cannot be set up.
pub fn serve(
    listener: std::net::TcpListener,
    settings: NetSettings,
    router: Arc<Router>,
    tls: Option<Arc<ClientTls>>,
) -> io::Result<Clients> {
    listener.set_nonblocking(true)?;
    set_up(&listener)?;
    let listener = TcpListener::from_std(listener)?;
    let net = Net::new(settings, router, tls);
    let accepting = tokio::task::spawn_local(accept(listener, Arc::clone(&net)));
    Ok(Clients::new(net, accepting.abort_handle()))
}

async fn accept(listener: TcpListener, net: Arc<Net>) {
    let mut delay = Backoff::new(DELAY, LONGEST_DELAY);
    loop {
        match listener.accept().await {
            Ok((stream, addr)) => {
                delay.reset();
                take_in(stream, addr, &net);
            }
            // It was the client's fault, and only this connection is lost.
            Err(error) if is_clients(&error) => net.counters.rejected_socket.add(),
            Err(error) => {
                net.counters.accept_errors.add();
                let wait = delay.next(u64::from(std::process::id()));
                tracing::warn!(%error, ?wait, "no client can be accepted");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

fn take_in(stream: TcpStream, addr: SocketAddr, net: &Arc<Net>) {
    if net.is_full() {
        return net.counters.rejected_full.add();
    }
    let cipher = match net.tls.as_deref().map(Cipher::new).transpose() {
        Ok(cipher) => cipher,
        Err(error) => {
            net.counters.rejected_socket.add();
            return tracing::error!(%error, "TLS cannot be begun");
        }
    };
    let (read, write) = stream.into_split();
    let session = net.register(addr, write, cipher);
    let connection = Box::new(Connection::new(Arc::clone(net), session, read));
    tokio::task::spawn_local(connection.run());
}

/// What connections shall have. The system gives each what its listener has, which saves six calls for every client.
fn set_up(listener: &std::net::TcpListener) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TIMES);
    let socket = SockRef::from(listener);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_send_buffer_size(SEND_BUFFER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_has_what_its_listener_has() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        set_up(&listener).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_EVERY);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_TIMES);
        // Linux takes twice as much as it is asked for.
        assert!(socket.send_buffer_size().unwrap() >= SEND_BUFFER);
    }
}
