//! Who are you, and do you know the secret? Pure; both ends of the first exchange on a link.
//!
//! ```text
//!  dialer (child)                                              acceptor (parent)
//!    HELLO      versions, name, whom it wants, incarnation, nonce  ─────────>
//!    <───────── CHALLENGE  version, name, incarnation, nonce   (or REFUSED)
//!    PROOF      HMAC-SHA-256(secret, "dialer" ‖ HELLO ‖ CHALLENGE) ─────────>
//!    <───────── WELCOME    HMAC-SHA-256(secret, "acceptor" ‖ …)  (or REFUSED)
//! ```
//!
//! Each message is a u16 length (big-endian) and that many bytes of MessagePack, at most [`MAX_MESSAGE`]. The
//! proofs cover both messages to the byte, with a nonce of each side: nothing can be replayed or reflected. The
//! acceptor tells nothing beyond its name and incarnation before the dialer has proved the secret.

#[cfg(test)]
mod tests;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::codec;
use crate::name::{Incarnation, NodeName};

/// The protocol version that this build speaks.
pub const VERSION: u16 = 1;
/// The oldest version that it understands.
pub const OLDEST: u16 = 1;
/// Longest message of a handshake, in bytes.
pub const MAX_MESSAGE: usize = 2048;

const MAGIC: &str = "lampyris";

/// What an end says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its name.
    pub name: NodeName,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Its process id, for people.
    pub pid: u32,
    /// The life of the same node whose place it is to take, while that still lives. A claim: it counts only where
    /// the master has announced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeds: Option<Incarnation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    magic: String,
    oldest: u16,
    newest: u16,
    from: Identity,
    to: NodeName,
    #[serde(with = "serde_bytes")]
    nonce: [u8; 32],
}

#[derive(Debug, Serialize, Deserialize)]
enum Challenge {
    Challenge {
        version: u16,
        name: NodeName,
        incarnation: Incarnation,
        #[serde(with = "serde_bytes")]
        nonce: [u8; 32],
    },
    Refused(Refusal),
}

#[derive(Debug, Serialize, Deserialize)]
struct Proof {
    #[serde(with = "serde_bytes")]
    proof: [u8; 32],
}

#[derive(Debug, Serialize, Deserialize)]
enum Welcome {
    Welcome {
        #[serde(with = "serde_bytes")]
        proof: [u8; 32],
        pid: u32,
    },
    Refused(Refusal),
}

/// Why an acceptor does not want a dialer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The versions have nothing in common.
    #[error("protocol version {theirs} is not spoken here; this side speaks {oldest} to {newest}")]
    Version {
        /// The newest that the dialer speaks.
        theirs: u16,
        /// The oldest that the acceptor speaks.
        oldest: u16,
        /// The newest that the acceptor speaks.
        newest: u16,
    },
    /// The dialer wanted another node.
    #[error("this is {0}")]
    WrongNode(NodeName),
    /// The proof does not hold, or the name is none of this node's children; which, a stranger need not know.
    #[error("the shared secret differs, or the name is not one of this node's children")]
    Unauthorized,
    /// A living node has the name.
    #[error("{0}")]
    Duplicate(String),
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The acceptor refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The other side does not speak this protocol.
    #[error("the other side does not speak the link protocol: {0}")]
    Garbled(String),
    /// The acceptor's proof does not hold.
    #[error("the other side does not know the shared secret")]
    Impostor,
    /// No random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// The dialer's end.
pub struct Dialing {
    hello: Bytes,
    to: NodeName,
}

/// The dialer's end, after its proof.
pub struct Proving {
    expected: [u8; 32],
    name: NodeName,
    incarnation: Incarnation,
}

impl Dialing {
    /// Begins; the bytes are to be sent.
    ///
    /// # Errors
    /// No random bytes.
    pub fn begin(me: &Identity, to: &NodeName) -> Result<(Self, Bytes), HandshakeError> {
        Ok(Self::begin_with(me, to, nonce()?))
    }

    /// Begins with a nonce from outside, which must be unpredictable and used once; in a simulation it is the seed's.
    pub(crate) fn begin_with(me: &Identity, to: &NodeName, nonce: [u8; 32]) -> (Self, Bytes) {
        let hello = Hello {
            magic: MAGIC.into(),
            oldest: OLDEST,
            newest: VERSION,
            from: me.clone(),
            to: to.clone(),
            nonce,
        };
        let hello = message(&hello);
        let bytes = framed(&hello);
        let to = to.clone();
        (Self { hello, to }, bytes)
    }

    /// Answers the acceptor's challenge; the bytes are to be sent.
    ///
    /// # Errors
    /// The acceptor refused, or it is none.
    pub fn prove(self, secret: &[u8], challenge: &Bytes) -> Result<(Proving, Bytes), HandshakeError> {
        match read(challenge)? {
            Challenge::Refused(refusal) => Err(refusal.into()),
            Challenge::Challenge { version, .. } if !(OLDEST..=VERSION).contains(&version) => {
                Err(HandshakeError::Garbled(format!("it chose version {version}")))
            }
            Challenge::Challenge { name, .. } if name != self.to => Err(Refusal::WrongNode(name).into()),
            Challenge::Challenge {
                name, incarnation, ..
            } => {
                let proof = Proof {
                    proof: proof(secret, b"dialer", &self.hello, challenge),
                };
                let expected = proof_of_acceptor(secret, &self.hello, challenge);
                Ok((
                    Proving {
                        expected,
                        name,
                        incarnation,
                    },
                    framed(&message(&proof)),
                ))
            }
        }
    }
}

impl Proving {
    /// Checks the acceptor's proof; gives who it is.
    ///
    /// # Errors
    /// The acceptor refused, or does not know the secret.
    pub fn finish(self, welcome: &Bytes) -> Result<Identity, HandshakeError> {
        match read(welcome)? {
            Welcome::Refused(refusal) => Err(refusal.into()),
            Welcome::Welcome { proof, pid } if same(&proof, &self.expected) => Ok(Identity {
                name: self.name,
                incarnation: self.incarnation,
                pid,
                succeeds: None,
            }),
            Welcome::Welcome { .. } => Err(HandshakeError::Impostor),
        }
    }
}

/// The acceptor's end, after its challenge.
pub struct Accepting {
    hello: Bytes,
    challenge: Bytes,
    from: Identity,
    /// The acceptor's own process; told to nobody who has not proved himself.
    pid: u32,
}

impl Accepting {
    /// Reads the dialer's hello; the bytes, a challenge, are to be sent.
    ///
    /// # Errors
    /// The dialer is to be refused, with the bytes of [`refusal`], or speaks something else.
    pub fn begin(me: &Identity, hello: &Bytes) -> Result<(Self, Bytes), HandshakeError> {
        Self::begin_with(me, hello, nonce()?)
    }

    /// The same with a nonce from outside, which must be unpredictable and used once.
    pub(crate) fn begin_with(
        me: &Identity,
        hello: &Bytes,
        nonce: [u8; 32],
    ) -> Result<(Self, Bytes), HandshakeError> {
        let Hello {
            magic,
            oldest,
            newest,
            from,
            to,
            ..
        } = read(hello)?;
        if magic != MAGIC {
            return Err(HandshakeError::Garbled("the magic word is missing".into()));
        }
        if newest < OLDEST || oldest > VERSION {
            return Err(Refusal::Version {
                theirs: newest,
                oldest: OLDEST,
                newest: VERSION,
            }
            .into());
        }
        if to != me.name {
            return Err(Refusal::WrongNode(me.name.clone()).into());
        }
        let version = newest.min(VERSION);
        let challenge = message(&Challenge::Challenge {
            version,
            name: me.name.clone(),
            incarnation: me.incarnation,
            nonce,
        });
        let bytes = framed(&challenge);
        Ok((
            Self {
                hello: hello.clone(),
                challenge,
                from,
                pid: me.pid,
            },
            bytes,
        ))
    }

    /// Checks the dialer's proof; gives who it is, and the bytes that welcome it once it is admitted.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`].
    pub fn finish(self, secret: &[u8], proof_message: &Bytes) -> Result<(Identity, Bytes), HandshakeError> {
        let Proof { proof: theirs } = read(proof_message)?;
        if !same(&theirs, &proof(secret, b"dialer", &self.hello, &self.challenge)) {
            return Err(Refusal::Unauthorized.into());
        }
        let welcome = Welcome::Welcome {
            proof: proof_of_acceptor(secret, &self.hello, &self.challenge),
            pid: self.pid,
        };
        Ok((self.from, framed(&message(&welcome))))
    }
}

/// The bytes that refuse a dialer, in answer to its hello or to its proof.
pub fn refusal(refusal: &Refusal) -> Bytes {
    // Both enums write a refusal alike: a map of the variant's name to the refusal.
    framed(&message(&Welcome::Refused(refusal.clone())))
}

/// Splits one message off what has arrived, `None` if it is not whole yet.
///
/// # Errors
/// It says that it is longer than [`MAX_MESSAGE`].
pub fn split(buffer: &mut BytesMut) -> Result<Option<Bytes>, HandshakeError> {
    let Some(field) = buffer.first_chunk::<2>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*field));
    if length > MAX_MESSAGE {
        return Err(HandshakeError::Garbled(format!(
            "a message says that it has {length} bytes"
        )));
    }
    if buffer.len() < 2 + length {
        return Ok(None);
    }
    buffer.advance(2);
    Ok(Some(buffer.split_to(length).freeze()))
}

fn proof(secret: &[u8], role: &[u8], hello: &[u8], challenge: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("because HMAC takes a key of any length");
    for part in [role, hello, challenge] {
        // With its length before it, no part can pass for the end of another.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn proof_of_acceptor(secret: &[u8], hello: &[u8], challenge: &[u8]) -> [u8; 32] {
    proof(secret, b"acceptor", hello, challenge)
}

fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    subtle::ConstantTimeEq::ct_eq(&left[..], &right[..]).into()
}

fn nonce() -> Result<[u8; 32], HandshakeError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|why| HandshakeError::Random(why.to_string()))?;
    Ok(bytes)
}

fn message<T: Serialize>(value: &T) -> Bytes {
    codec::to_bytes(value).expect("because the messages of a handshake are plain structs")
}

fn read<T: serde::de::DeserializeOwned>(bytes: &Bytes) -> Result<T, HandshakeError> {
    codec::decode(bytes).map_err(|fault| HandshakeError::Garbled(fault.message.into_owned()))
}

fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(2 + message.len());
    out.put_u16(u16::try_from(message.len()).expect("because a message of a handshake is short"));
    out.put_slice(message);
    out.freeze()
}
