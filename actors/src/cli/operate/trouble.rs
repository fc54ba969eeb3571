//! Why a command could not do what was asked: one sentence, the exit code, and what to try next.

use std::io;

use serde_json::Value;

use crate::exit;

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Nobody listens where the master should.
    #[error("no master answers at {0}")]
    NotRunning(String),
    /// Somebody listens, but no answer comes.
    #[error("{0}")]
    Unreachable(String),
    /// The master has refused it.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Why, in one sentence.
        detail: String,
        /// What the master says to try.
        hint: Option<String>,
        /// All that it says.
        problem: Box<Value>,
    },
    /// It was begun and has not come to its end as it should.
    #[error("{0}")]
    Failed(String),
    /// Some of it was done.
    #[error("{0}")]
    Partly(String),
    /// The same; a node has ended with this exit code, after which another attempt would not help.
    #[error("{1}")]
    Fatal(u8, String),
    /// It was not done in time.
    #[error("{0}")]
    TooLate(String),
    /// What was given makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot be used; the text is the whole message.
    #[error("{0}")]
    Config(String),
    /// No master has ever made a token in the run folder.
    #[error("no master runs: it would have made {0}")]
    NoToken(String),
    /// The token cannot be read.
    #[error("the token {0}: {1}")]
    Token(String, io::Error),
    /// Whoever read the results is gone.
    #[error("nobody reads any more")]
    Closed,
}

impl Trouble {
    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::NotRunning(_) | Self::NoToken(_) => exit::NOT_RUNNING,
            Self::Unreachable(_) | Self::TooLate(_) => exit::UNREACHABLE,
            Self::Refused { status, .. } => match status {
                401 | 403 => exit::NOPERM,
                422 => exit::CONFIG,
                429 | 503 => exit::TEMPFAIL,
                _ => exit::FAILED,
            },
            Self::Failed(_) => exit::FAILED,
            Self::Partly(_) => exit::DEGRADED,
            Self::Fatal(code, _) => *code,
            Self::Usage(_) => exit::USAGE,
            Self::Config(_) => exit::CONFIG,
            Self::Token(..) => exit::NOPERM,
            Self::Closed => 0,
        }
    }

    /// What to try next; `program` is what this program is called.
    pub(super) fn hint(&self, program: &str) -> Option<String> {
        match self {
            Self::NotRunning(_) | Self::NoToken(_) => Some(format!("start it with: {program} start")),
            Self::Unreachable(_) => Some(format!("see what the master wrote: {program} logs master")),
            Self::Refused { hint: Some(hint), .. } => Some(hint.clone()),
            Self::Token(..) | Self::Refused { status: 401, .. } => Some(
                "name the file with the right token by --token-file, or set LAMPYRIS_ADMIN_TOKEN".to_owned(),
            ),
            Self::Refused { status: 404, .. } => Some(format!("see which nodes there are: {program} status")),
            Self::TooLate(_) | Self::Partly(_) | Self::Fatal(..) => Some(format!("see: {program} status")),
            Self::Failed(_) => Some(format!("see why: {program} events")),
            _ => None,
        }
    }

    /// Whether the text stands for itself, as a finding of the configuration with its line does.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Config(_)) || matches!(self, Self::Refused { status: 422, .. })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A refusal of the API.
    pub(in crate::cli::operate) fn refused(status: u16) -> Trouble {
        Trouble::Refused {
            status,
            detail: "no".to_owned(),
            hint: None,
            problem: Box::default(),
        }
    }

    #[test]
    fn each_trouble_has_its_exit_code_and_a_next_command() {
        let token = Trouble::Token("file".to_owned(), io::ErrorKind::PermissionDenied.into());
        for (trouble, code) in [
            (Trouble::NotRunning("x".into()), 3),
            (Trouble::Unreachable("x".into()), 6),
            (Trouble::TooLate("x".into()), 6),
            (Trouble::Partly("x".into()), 4),
            (Trouble::Fatal(64, "x".into()), 64),
            (Trouble::Failed("x".into()), 1),
            (Trouble::NoToken("x".into()), 3),
            (token, 77),
            (refused(401), 77),
            (refused(404), 1),
        ] {
            assert_eq!(trouble.code(), code, "{trouble:?}");
            assert!(trouble.hint("demo").is_some(), "{trouble:?}");
        }
        for (trouble, code) in [
            (refused(403), 77),
            (refused(409), 1),
            (refused(422), 78),
            (refused(429), 75),
            (refused(503), 75),
            (Trouble::Usage("x".into()), 2),
            (Trouble::Config("x".into()), 78),
            (Trouble::Closed, 0),
        ] {
            assert_eq!(trouble.code(), code, "{trouble:?}");
        }
    }
}
