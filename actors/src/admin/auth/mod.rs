//! Who may use the API: a bearer's token, or the page's session; in one of three roles.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `tokens` | the tokens, and whose they are |
//! | `sessions` | sessions of the page, one-time codes, the limit of attempts; pure |
//! | `kept` | the sessions that an earlier master has left |
//! | `guard` | what a request must show before it is looked at |
//! | `host` | which names and origins are the page's own; pure |
//! | `roles` | what a handler asks for |
//! | `refusals` | how many were refused, and why |

mod guard;
mod host;
mod kept;
mod refusals;
mod roles;
mod sessions;
mod tokens;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lampyris_runtime::config::{Config, Role};

pub(super) use guard::{COOKIE, check_host, identify, require};
pub(super) use roles::{Admin, Operator, Viewer};

use kept::Kept;
use refusals::{Refusals, Why};
use sessions::Sessions;
pub(crate) use tokens::{TOKEN_FILE, read_token, token_file, token_of_environment};
use tokens::{Tokens, draw};

/// How long the code is good that is printed at the start.
const FIRST_CODE: Duration = Duration::from_secs(600);

/// How long a code is good that somebody has asked for.
const CODE: Duration = Duration::from_secs(60);

/// Somebody who has shown who he is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// The name of his token, for events.
    pub(crate) name: String,
    /// What he may do.
    pub(crate) role: Role,
}

/// Knows who may come in.
pub(crate) struct FrontDesk {
    tokens: Tokens,
    hosts: Vec<String>,
    open_metrics: bool,
    secure: bool,
    sessions: Mutex<Sessions>,
    kept: Kept,
    refusals: Refusals,
}

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Neither a token nor a code that is good.
    Wrong {
        /// If it is to be told: how many have not been, since the last that was.
        untold: Option<u64>,
    },
    /// Too many attempts; after this time one is looked at again.
    TooMany(Duration),
    /// The system has no random bytes.
    NoRandom,
}

impl FrontDesk {
    /// The desk of a cluster, and a code that opens the page once.
    ///
    /// # Errors
    /// The token in the run folder cannot be read or written, or there are no random bytes.
    pub(crate) fn open(config: &Config) -> io::Result<(Arc<Self>, String)> {
        let admin = Who {
            name: "terminal".to_owned(),
            role: Role::Admin,
        };
        let tokens = Tokens::of(config)?;
        let kept = Kept::new(&config.run_dir, tokens.hash());
        let people: Vec<Who> = tokens.people().chain([&admin]).cloned().collect();
        let desk = Self {
            hosts: config.admin.hosts.clone(),
            open_metrics: config.admin.open_metrics,
            secure: config.admin.behind_proxy,
            sessions: Mutex::new(kept.read(&people)),
            tokens,
            kept,
            refusals: Refusals::default(),
        };
        let code = draw()?;
        desk.sessions()
            .add_code(code.clone(), admin, Instant::now() + FIRST_CODE);
        Ok((Arc::new(desk), code))
    }

    /// Whether cookies are for TLS alone.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Somebody whose role allows the path has asked for what it does not allow.
    pub(super) fn refused_by_role(&self) {
        self.refusals.add(Why::Role);
    }

    /// How many requests were refused at the door, by reason.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.refusals.counts()
    }

    /// Whether `/metrics` needs no token.
    pub(super) fn open_metrics(&self) -> bool {
        self.open_metrics
    }

    /// A code that opens a session of the same rights, and for how long it is good.
    pub(super) fn code_for(&self, who: Who) -> io::Result<(String, Duration)> {
        let code = draw()?;
        self.sessions().add_code(code.clone(), who, Instant::now() + CODE);
        Ok((code, CODE))
    }

    /// Opens a session for a token or a code: its id, and whose it is.
    pub(super) fn log_in(&self, shown: &str, from: Option<IpAddr>) -> Result<(String, Who), Refused> {
        let now = Instant::now();
        let mut sessions = self.sessions();
        sessions.may_try(from, now).map_err(|wait| {
            self.refusals.add(Why::TooMany);
            Refused::TooMany(wait)
        })?;
        let Some(who) = self.tokens.whose(shown).or_else(|| sessions.use_code(shown, now)) else {
            let untold = sessions.failed(from, now);
            self.refusals.add(Why::LogIn);
            return Err(Refused::Wrong { untold });
        };
        let id = draw().map_err(|_| Refused::NoRandom)?;
        sessions.open(self.kept.key(&id), who.clone(), now);
        self.kept.write(&sessions);
        Ok((id, who))
    }

    /// Whose a session is, while it lasts.
    pub(super) fn whose_session(&self, id: &str) -> Option<Who> {
        let now = Instant::now();
        let mut sessions = self.sessions();
        let who = sessions.whose(&self.kept.key(id), now)?;
        if sessions.is_to_be_noted(now) {
            self.kept.write(&sessions);
        }
        Some(who)
    }

    /// Ends a session.
    pub(super) fn log_out(&self, id: &str) {
        let mut sessions = self.sessions();
        sessions.close(&self.kept.key(id));
        self.kept.write(&sessions);
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
