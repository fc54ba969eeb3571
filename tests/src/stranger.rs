//! A dialer at a link port, made by hand from docs/protocol.md; it shares no code with the nodes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a dialer says of itself.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The versions that it speaks, the oldest and the newest.
    pub versions: (u16, u16),
    /// Its name.
    pub name: &'a str,
    /// The node that it wants.
    pub to: &'a str,
    /// Which life of it; all its bytes are the same.
    pub life: u8,
}

impl<'a> Claim<'a> {
    /// The usual one.
    pub fn new(name: &'a str, to: &'a str) -> Self {
        Self {
            versions: (1, 1),
            name,
            to,
            life: 7,
        }
    }

    fn hello(&self) -> Vec<u8> {
        let mut hello = vec![0x86];
        text(&mut hello, "magic");
        text(&mut hello, "lampyris");
        for (key, number) in [("oldest", self.versions.0), ("newest", self.versions.1)] {
            text(&mut hello, key);
            hello.push(0xcd);
            hello.extend(number.to_be_bytes());
        }
        text(&mut hello, "from");
        hello.push(0x83);
        text(&mut hello, "name");
        text(&mut hello, self.name);
        text(&mut hello, "incarnation");
        binary(&mut hello, &[self.life; 16]);
        text(&mut hello, "pid");
        hello.push(42);
        text(&mut hello, "to");
        text(&mut hello, self.to);
        text(&mut hello, "nonce");
        binary(&mut hello, &[9; 32]);
        hello
    }
}

/// How far a dialer has come.
#[derive(Debug)]
pub enum Outcome {
    /// It was let in.
    Welcome(Stranger),
    /// It was refused with these bytes.
    Refused(Vec<u8>),
    /// The connection was closed without a word.
    Closed,
}

impl Outcome {
    /// The refusal as text, as far as it is text.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn refusal(&self) -> String {
        match self {
            Self::Refused(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("a refusal was expected, not {other:?}"),
        }
    }
}

/// A connection to a link port.
#[derive(Debug)]
pub struct Stranger {
    stream: TcpStream,
}

impl Stranger {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// Goes through the handshake; gives how it ended, and the proof that was sent, for whoever wants to replay it.
    ///
    /// # Errors
    /// Nothing comes in time.
    pub fn shake(mut self, claim: &Claim<'_>, secret: &[u8]) -> io::Result<(Outcome, Vec<u8>)> {
        let hello = claim.hello();
        self.send(&hello)?;
        let Some(challenge) = self.message()? else {
            return Ok((Outcome::Closed, Vec::new()));
        };
        if !contains(&challenge, b"Challenge") {
            return Ok((Outcome::Refused(challenge), Vec::new()));
        }
        let mut proof = vec![0x81];
        text(&mut proof, "proof");
        binary(&mut proof, &sign(secret, &[b"dialer", &hello, &challenge]));
        let outcome = self.prove(&proof)?;
        Ok((outcome, proof))
    }

    /// The same, with a proof that somebody else has sent before.
    ///
    /// # Errors
    /// Nothing comes in time.
    pub fn replay(mut self, claim: &Claim<'_>, proof: &[u8]) -> io::Result<Outcome> {
        self.send(&claim.hello())?;
        match self.message()? {
            Some(_) => self.prove(proof),
            None => Ok(Outcome::Closed),
        }
    }

    /// Sends the acceptor's own words back to it as an answer.
    ///
    /// # Errors
    /// Nothing comes in time.
    pub fn reflect(mut self, claim: &Claim<'_>) -> io::Result<Outcome> {
        self.send(&claim.hello())?;
        match self.message()? {
            Some(challenge) => self.prove(&challenge),
            None => Ok(Outcome::Closed),
        }
    }

    fn prove(mut self, proof: &[u8]) -> io::Result<Outcome> {
        self.send(proof)?;
        Ok(match self.message()? {
            None => Outcome::Closed,
            Some(welcome) if contains(&welcome, b"Welcome") => Outcome::Welcome(self),
            Some(refusal) => Outcome::Refused(refusal),
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Calls a handler with these bytes for a message, once it has been let in, and gives the error's code.
    ///
    /// # Errors
    /// The connection has ended, or nothing comes in time.
    pub fn call(&mut self, handler: &str, body: &[u8]) -> io::Result<u8> {
        const CALL: u64 = 77;
        let mut request = Vec::new();
        request.extend(CALL.to_be_bytes());
        request.extend(5000_u32.to_be_bytes());
        request.extend(fnv(handler).to_be_bytes());
        let mut kind = 1;
        let mut rest = body;
        // A long body goes in parts.
        loop {
            let (part, more) = rest.split_at(rest.len().min(60_000));
            rest = more;
            request.extend(part);
            let length = u32::try_from(request.len() + 2).expect("because parts are short");
            let flags = u8::from(kind == 1 && !rest.is_empty() || kind == 5 && !rest.is_empty());
            self.send_bytes(&[&length.to_be_bytes()[..], &[kind, flags], &request].concat())?;
            if rest.is_empty() {
                break;
            }
            (kind, request) = (5, Vec::new());
        }
        loop {
            let frame = self.frame()?;
            if frame.first() == Some(&4) && frame.get(2..10) == Some(&CALL.to_be_bytes()) {
                return Ok(frame[10]);
            }
            assert_ne!(frame.first(), Some(&3), "it was answered");
        }
    }

    fn frame(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u16::try_from(message.len()).expect("because messages of a handshake are short");
        self.stream
            .write_all(&[&length.to_be_bytes()[..], message].concat())
    }

    /// The next message of the handshake; `None` at the end.
    fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 2];
        match self.stream.read_exact(&mut length) {
            Err(why) if is_end(&why) => return Ok(None),
            read => read?,
        }
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut message)?;
        Ok(Some(message))
    }

    /// Reads until the other end closes; gives how many bytes came.
    ///
    /// # Errors
    /// It does not close in time.
    pub fn until_closed(mut self) -> io::Result<usize> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(why) if !is_end(&why) => Err(why),
            _ => Ok(rest.len()),
        }
    }
}

fn is_end(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend([0xd9, u8::try_from(text.len()).expect("because names are short")]);
    out.extend(text.as_bytes());
}

fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend([0xc4, u8::try_from(bytes.len()).expect("because proofs are short")]);
    out.extend(bytes);
}

fn sign(secret: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("because any length will do");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The number of a handler.
fn fnv(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
