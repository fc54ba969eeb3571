//! `--role client`: a game client that sends commands one after the other and prints the study's transcript.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use lampyris_runtime::config::Config;
use lampyris_runtime::packet::{Decoded, Dialect, Firefly, Packet};
use lampyris_runtime::reply::Wrote;

use super::args::Request;
use super::reachable;
use crate::console::{eprint_line, print_line};
use crate::exit;

/// How long the client waits for a connection and for each answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends the commands; gives the exit code.
pub(super) fn run(config: &Config, request: &Request) -> u8 {
    let node = config.nodes.iter().find(|node| node.netport.is_some());
    let known = node.and_then(|node| Some(reachable(node.netbind, node.netport?)));
    let Some(addr) = request.addr.or(known) else {
        eprint_line("error: no node of the configuration has a netport; name one with --addr");
        return exit::CONFIG;
    };
    let keys = node.map(|node| node.clients.clone()).unwrap_or_default();
    let client = Connection::open(
        addr,
        Firefly::new(keys.head, keys.protocol_version, keys.server_version),
    );
    let mut client = match client {
        Ok(client) => client,
        Err(error) => {
            eprint_line(&format!("error: {addr}: {error}"));
            return exit::UNREACHABLE;
        }
    };
    for command in &request.commands {
        print_line("----------------");
        print_line(&format!("send commandId: {command}"));
        match client.call(*command, request.data.as_bytes()) {
            Ok(answer) if answer.command == *command => print_line(&String::from_utf8_lossy(&answer.payload)),
            Ok(error) => {
                eprint_line(&format!("error: {}", String::from_utf8_lossy(&error.payload)));
                return exit::HANDLER_ERROR;
            }
            Err(error) => {
                eprint_line(&format!("error: no answer: {error}"));
                return exit::UNREACHABLE;
            }
        }
    }
    0
}

struct Connection {
    stream: TcpStream,
    dialect: Firefly,
    buffer: BytesMut,
}

impl Connection {
    fn open(addr: SocketAddr, dialect: Firefly) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            dialect,
            buffer: BytesMut::new(),
        })
    }

    /// Sends one command and waits for its answer, or for an error frame (command 0). Pushes are passed over.
    fn call(&mut self, command: u32, payload: &[u8]) -> io::Result<Packet> {
        let mut frame = BytesMut::new();
        let mut write = |out: &mut BytesMut| {
            out.extend_from_slice(payload);
            Ok(Wrote::Reply)
        };
        self.dialect
            .encode(command, &mut write, usize::MAX, &mut frame)
            .map_err(io::Error::other)?;
        self.stream.write_all(&frame)?;
        loop {
            let packet = self.receive()?;
            if packet.command == command || packet.command == 0 {
                return Ok(packet);
            }
        }
    }

    fn receive(&mut self) -> io::Result<Packet> {
        let mut chunk = [0; 8192];
        loop {
            match self
                .dialect
                .decode(&mut self.buffer, usize::MAX)
                .map_err(io::Error::other)?
            {
                Decoded::Packet(packet) => return Ok(packet),
                Decoded::Partial(_) => {}
            }
            match self.stream.read(&mut chunk)? {
                0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the server closed the connection",
                    ));
                }
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
    }
}
