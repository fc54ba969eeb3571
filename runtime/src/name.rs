//! Who is who: names of nodes, lives of processes, numbers of handlers.
//!
//! Must not know where a node runs or how it is reached.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest name of a node, in bytes. It fits in one line of a table and in a file name.
pub const MAX_NAME: usize = 64;

/// Names that mean something else wherever a node's name may stand.
pub const RESERVED_NAMES: [&str; 4] = ["master", "all", "self", "client"];

/// The name of the master on its links. No configured node may have it.
pub const MASTER: &str = "master";

/// The name of a node: `[a-z][a-z0-9_-]*`, at most [`MAX_NAME`] bytes. Cheap to clone.
///
/// Lower case only, because overrides by environment variables are folded to lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(Arc<str>);

/// Why a text is no name of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// The text is empty.
    #[error("a name is empty")]
    Empty,
    /// The text is longer than [`MAX_NAME`] bytes.
    #[error("a name has {0} bytes, more than {MAX_NAME}")]
    TooLong(usize),
    /// A character that may not stand there.
    #[error("a name may not have {0:?} there; allowed is a-z, then a-z, 0-9, '_' and '-'")]
    Character(char),
    /// One of [`RESERVED_NAMES`].
    #[error("the name {0:?} is reserved")]
    Reserved(String),
}

impl NodeName {
    /// Checks a configured name.
    ///
    /// # Errors
    /// [`BadName`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, BadName> {
        if RESERVED_NAMES.contains(&text) {
            return Err(BadName::Reserved(text.to_owned()));
        }
        Self::on_the_wire(text)
    }

    /// Checks a name that a peer gave, where `master` is allowed.
    ///
    /// # Errors
    /// [`BadName`] says what is wrong with it.
    pub fn on_the_wire(text: &str) -> Result<Self, BadName> {
        let first = text.chars().next().ok_or(BadName::Empty)?;
        if text.len() > MAX_NAME {
            return Err(BadName::TooLong(text.len()));
        }
        if !first.is_ascii_lowercase() {
            return Err(BadName::Character(first));
        }
        let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_' || *c == '-';
        match text.chars().find(|c| !allowed(c)) {
            Some(c) => Err(BadName::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// The master's name on its links.
    pub fn master() -> Self {
        Self(MASTER.into())
    }

    /// A name for what cannot be a name, such as the text of a typing error; it is nobody's.
    pub fn nobody() -> Self {
        Self("nobody".into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for NodeName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::new(text)
    }
}

impl std::borrow::Borrow<str> for NodeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for NodeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::on_the_wire(&text).map_err(serde::de::Error::custom)
    }
}

/// Which life of a node this is: 128 random bits, drawn once per process start.
///
/// A name says who a node is, an incarnation which process; a restarted node has the old name and a new
/// incarnation, so that nothing meant for the dead can reach the living.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Incarnation(#[serde(with = "serde_bytes")] [u8; 16]);

impl Incarnation {
    /// Draws a new one from the operating system.
    ///
    /// # Errors
    /// The system's source of random bytes failed.
    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// An incarnation of known bytes, for simulations and tests.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, as they enter the proof of a handshake.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Incarnation {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Incarnation {
    type Err = std::num::ParseIntError;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes()))
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number that stands for a handler's name on a link: 32-bit FNV-1a of the declared name.
///
/// It comes from the name that the user wrote, never from a type or a module, so that moving code does not
/// change the wire. Two names of one node that fall on one number are refused when the node starts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct HandlerId(pub u32);

impl HandlerId {
    /// The number of a name; usable in constants.
    ///
    /// FNV-1a: <http://www.isthe.com/chongo/tech/comp/fnv/>.
    pub const fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut hash = 0x811c_9dc5_u32;
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
            at += 1;
        }
        Self(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_and_not_reserved() {
        assert!(NodeName::new("game1").is_ok());
        assert!(NodeName::new("a-b_c9").is_ok());
        assert_eq!(NodeName::new(""), Err(BadName::Empty));
        assert_eq!(NodeName::new("Game1"), Err(BadName::Character('G')));
        assert_eq!(NodeName::new("1game"), Err(BadName::Character('1')));
        assert_eq!(NodeName::new("game 1"), Err(BadName::Character(' ')));
        assert_eq!(NodeName::new("master"), Err(BadName::Reserved("master".into())));
        assert_eq!(NodeName::new(&"a".repeat(65)), Err(BadName::TooLong(65)));
        assert!(NodeName::on_the_wire("master").is_ok());
    }

    #[test]
    fn handler_ids_are_fnv_1a() {
        assert_eq!(HandlerId::of(""), HandlerId(0x811c_9dc5));
        assert_eq!(HandlerId::of("a"), HandlerId(0xe40c_292c));
        assert_eq!(HandlerId::of("foobar"), HandlerId(0xbf9c_f968));
    }
}
