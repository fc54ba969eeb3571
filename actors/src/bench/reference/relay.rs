//! Hands the bytes of one client on over a connection of its own, and back.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::READ;

pub(super) async fn run(mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    server.set_nodelay(true)?;
    tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, READ, READ)
        .await
        .map(drop)
}
