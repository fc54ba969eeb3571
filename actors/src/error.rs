//! What a caller gets instead of a reply, with the user's own error type inside.

use std::fmt;

use lampyris_runtime::codec;
use lampyris_runtime::error::{ErrorKind, Fault, Ran};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a user's error type must be able to do: travel, and be shown to a person.
///
/// Implemented for every type that has the parts.
pub trait AppError: Serialize + DeserializeOwned + fmt::Display + Send + 'static {}

impl<E: Serialize + DeserializeOwned + fmt::Display + Send + 'static> AppError for E {}

/// The error type of messages that declare none: one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Why a call ended without a reply.
///
/// A handler returns it too: `Err("no such player".into())` is an answer of its own, and an error of a call
/// that the handler made goes to the handler's caller with `?`, so that the client at the end of the chain
/// learns of it as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError<E = Failure> {
    /// The handler ran and answered with an error of its own.
    Handler(E),
    /// The runtime ended the call.
    Runtime(Fault),
}

impl<E> CallError<E> {
    /// The answer of a handler that cannot make sense of what it was sent; the text says what is allowed.
    pub fn bad_payload(text: impl fmt::Display) -> Self {
        Self::Runtime(Fault::new(ErrorKind::BadPayload, text.to_string()))
    }
}

impl<E: AppError> CallError<E> {
    /// Which of the closed list it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Handler(_) => ErrorKind::HandlerError,
            Self::Runtime(fault) => fault.kind,
        }
    }

    /// Whether the handler ran. A call may be made once more without harm only after [`Ran::No`].
    pub fn ran(&self) -> Ran {
        self.kind().ran()
    }

    /// The form in which it travels.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Runtime(fault) => fault,
            Self::Handler(error) => {
                let mut fault = Fault::new(ErrorKind::HandlerError, error.to_string());
                match codec::to_bytes(&error) {
                    Ok(detail) => fault.detail = detail,
                    Err(why) => tracing::warn!(%why, "an error value was left out of its answer"),
                }
                fault
            }
        }
    }

    /// The error of a fault that arrived: the user's type again, if the handler answered with one.
    pub fn from_fault(fault: Fault) -> Self {
        if fault.kind != ErrorKind::HandlerError {
            return Self::Runtime(fault);
        }
        match codec::decode(&fault.detail) {
            Ok(error) => Self::Handler(error),
            Err(_) => Self::Runtime(fault),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handler(error) => write!(f, "handler_error: {error}"),
            Self::Runtime(fault) => fault.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {}

impl<E> From<Fault> for CallError<E> {
    fn from(fault: Fault) -> Self {
        Self::Runtime(fault)
    }
}

impl From<String> for CallError<Failure> {
    fn from(text: String) -> Self {
        Self::Handler(Failure(text))
    }
}

impl From<&str> for CallError<Failure> {
    fn from(text: &str) -> Self {
        Self::Handler(text.into())
    }
}
