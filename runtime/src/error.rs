//! How a call can end without a reply: one closed list, the same words on every surface.
//!
//! Client frames, links, the admin API, the command line and metrics all speak of an [`ErrorKind`] by its
//! [`name`](ErrorKind::name); docs/errors.md has the cause and the cure of each.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

/// What a panic has said, for logs.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text")
}

/// Whether the handler of a failed call ran. Only after [`Ran::No`] is it safe to send a call once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It did not run, and will not.
    No,
    /// It ran.
    Yes,
    /// Nobody on this side can know.
    Maybe,
}

impl Ran {
    /// `no`, `yes` or `maybe`, as the client's error frame says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Maybe => "maybe",
        }
    }
}

macro_rules! error_kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $name:literal, $ran:ident;)*) => {
        /// The closed list of ways in which a call ends without a reply.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl ErrorKind {
            /// All of them, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name on every surface, in snake case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Whether the handler ran.
            pub const fn ran(self) -> Ran {
                match self { $(Self::$kind => Ran::$ran,)* }
            }

            /// The byte that stands for it in a link frame. Never reused.
            pub const fn code(self) -> u8 {
                match self { $(Self::$kind => $code,)* }
            }

            /// The kind of a byte, `None` for one that this version does not know.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

error_kinds! {
    /// The link was down, and stayed down for as long as the call may wait.
    NotSent = 1, "not_sent", No;
    /// A bounded queue on the way was full.
    Overloaded = 2, "overloaded", No;
    /// The whole tree is stopping and takes no new calls.
    Draining = 3, "draining", No;
    /// No handler for this number of a client's command.
    NoSuchCommand = 4, "no_such_command", No;
    /// The node has no handler of this name.
    NoSuchHandler = 5, "no_such_handler", No;
    /// No node of this name is configured as a parent or child.
    NoSuchNode = 6, "no_such_node", No;
    /// The message is larger than the limit.
    TooLarge = 7, "too_large", No;
    /// The bytes are not what the handler takes.
    BadPayload = 8, "bad_payload", No;
    /// The time of the call had run out before its handler could start.
    Expired = 9, "expired", No;
    /// The caller may not do this.
    Unauthorized = 10, "unauthorized", No;
    /// The handler ran and answered with an error of its own.
    HandlerError = 11, "handler_error", Yes;
    /// The handler panicked.
    HandlerPanic = 12, "handler_panic", Yes;
    /// The link was lost while the call was on its way.
    LinkLost = 13, "link_lost", Maybe;
    /// No answer came in time.
    Timeout = 14, "timeout", Maybe;
    /// The called side gave the call up, for instance because its actor stopped.
    Cancelled = 15, "cancelled", Maybe;
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why one call ended without a reply.
///
/// `detail` is the MessagePack of a user's own error type, only beside [`ErrorKind::HandlerError`]; else empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Fault {
    /// Which of the closed list.
    pub kind: ErrorKind,
    /// One sentence for a person; never longer than [`MAX_MESSAGE`] bytes on a link.
    pub message: Cow<'static, str>,
    /// The user's error value in MessagePack, or nothing.
    pub detail: Bytes,
}

/// Longest message of a [`Fault`] on a link, in bytes; what is longer is cut at a character.
pub const MAX_MESSAGE: usize = 1024;

impl Fault {
    /// A fault without a detail.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: Bytes::new(),
        }
    }

    /// Whether the handler ran.
    pub const fn ran(&self) -> Ran {
        self.kind.ran()
    }

    /// The fault of a reply that could not be sent or read: whatever is wrong with it, the handler did run.
    #[must_use]
    pub fn of_a_reply(self) -> Self {
        if self.ran() != Ran::No {
            return self;
        }
        let Self { kind, message, .. } = self;
        Self::new(
            ErrorKind::HandlerError,
            format!("the handler ran, but its reply is lost: {kind}: {message}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_distinct_and_lead_back() {
        for (at, kind) in ErrorKind::ALL.iter().enumerate() {
            assert_eq!(ErrorKind::from_code(kind.code()), Some(*kind));
            assert!(
                ErrorKind::ALL[..at]
                    .iter()
                    .all(|other| other.name() != kind.name())
            );
        }
        assert_eq!(ErrorKind::from_code(0), None);
        assert_eq!(ErrorKind::from_code(200), None);
    }
}
