//! How many requests were refused at the door, by reason. What a request asked for beyond that is not its business.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request was refused before it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It asked for a host that this one is not.
    Host,
    /// A page of another origin sent it, or it did not show its own.
    Origin,
    /// It had no token or session that is good.
    Token,
    /// Its role may not do that.
    Role,
    /// A log-in with what is neither a token nor a code.
    LogIn,
    /// A log-in after too many of those.
    TooMany,
}

const ALL: [(Why, &str); 6] = [
    (Why::Host, "host"),
    (Why::Origin, "origin"),
    (Why::Token, "token"),
    (Why::Role, "role"),
    (Why::LogIn, "log_in"),
    (Why::TooMany, "too_many_log_ins"),
];

/// The counts. They only grow.
#[derive(Debug, Default)]
pub(super) struct Refusals([AtomicU64; ALL.len()]);

impl Refusals {
    pub(super) fn add(&self, why: Why) {
        self.0[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// By the name of the reason.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ALL.into_iter()
            .map(|(why, name)| (name, self.0[why as usize].load(Ordering::Relaxed)))
    }
}
