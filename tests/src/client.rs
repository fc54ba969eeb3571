//! A game client: Firefly's frames over a plain blocking socket. It is written from the format's description and
//! shares no code with the server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes before the payload.
pub const HEADER: usize = 17;

/// One frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The command id.
    pub command: u32,
    /// The payload, as text.
    pub payload: String,
}

impl Frame {
    /// An answer.
    pub fn new(command: u32, payload: impl Into<String>) -> Self {
        Self {
            command,
            payload: payload.into(),
        }
    }

    /// The JSON of an error frame.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn error(&self) -> Value {
        assert_eq!(self.command, 0, "an error frame was expected, not {self:?}");
        serde_json::from_str(&self.payload).unwrap_or_else(|why| panic!("no JSON ({why}): {}", self.payload))
    }

    /// Command, error and `ran` of an error frame.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn error_of(&self) -> (u64, String, String) {
        let error = self.error();
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        assert!(!text("message").is_empty(), "no message in {error}");
        (
            error["command"].as_u64().unwrap_or_default(),
            text("error"),
            text("ran"),
        )
    }
}

/// The bytes of a frame with the default header.
pub fn encode(command: u32, payload: &str) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 4).expect("because tests send short frames");
    let mut bytes = vec![0; 9];
    bytes.extend(length.to_be_bytes());
    bytes.extend(command.to_be_bytes());
    bytes.extend(payload.as_bytes());
    bytes
}

/// The command of a header, and how many bytes of payload follow.
///
/// # Errors
/// The length is shorter than a command.
pub fn decode(header: &[u8; HEADER]) -> io::Result<(u32, usize)> {
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = number(9) as usize;
    let payload = length
        .checked_sub(4)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("length {length}")))?;
    Ok((number(13), payload))
}

/// A connection to a node's `netport`.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(to: impl Into<SocketAddr>) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to.into(), PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// Over a connection that is there.
    ///
    /// # Panics
    /// When it has ended.
    pub fn over(stream: TcpStream) -> Self {
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("because it is not zero");
        Self { stream }
    }

    /// How long an answer may take from now on.
    ///
    /// # Panics
    /// For zero.
    pub fn set_patience(&mut self, patience: Duration) {
        self.stream
            .set_read_timeout(Some(patience))
            .expect("because the patience is not zero");
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn send(&mut self, command: u32, payload: &str) -> io::Result<()> {
        self.send_bytes(&encode(command, payload))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next frame.
    ///
    /// # Errors
    /// The connection is lost or closed (`UnexpectedEof`), or nothing comes in time.
    pub fn receive(&mut self) -> io::Result<Frame> {
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header)?;
        let (command, length) = decode(&header)?;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        Ok(Frame::new(command, String::from_utf8_lossy(&payload)))
    }

    /// Sends one command and gives the next frame.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Client::receive`].
    pub fn ask(&mut self, command: u32, payload: &str) -> io::Result<Frame> {
        self.send(command, payload)?;
        self.receive()
    }

    /// Whether the server closes the connection without another frame.
    pub fn is_closed_by_server(&mut self) -> bool {
        let over = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        self.receive().is_err_and(|why| over.contains(&why.kind()))
    }
}
