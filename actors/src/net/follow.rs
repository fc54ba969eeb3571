//! Which requests of clients are traced: one of so many, or the next of a client that somebody asked for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use lampyris_runtime::trace::{Context, Traced};
use tokio::time::Instant;

use crate::report::new_trace;

/// Clients that may be asked for at one time; the rest is not followed.
const MOST_ASKED: usize = 256;

/// Decides for each request.
#[derive(Debug)]
pub(super) struct Follow {
    /// Whether there is anything to decide; all that a request costs when nothing is traced.
    active: AtomicBool,
    sample: u32,
    count: AtomicU32,
    asked: Mutex<HashMap<SocketAddr, u128>>,
}

impl Follow {
    /// Follows one of `sample` requests; none if that is 0.
    pub(super) fn new(sample: u32) -> Self {
        Self {
            active: AtomicBool::new(sample > 0),
            sample,
            count: AtomicU32::new(0),
            asked: Mutex::default(),
        }
    }

    /// The next request of a client is part of a trace.
    pub(super) fn ask(&self, client: SocketAddr, trace: u128) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() < MOST_ASKED {
            asked.insert(client, trace);
            self.active.store(true, Ordering::Relaxed);
        }
    }

    /// A client is gone, and with it what was asked of it.
    pub(super) fn forget(&self, client: SocketAddr) {
        if self.active.load(Ordering::Relaxed) {
            self.take(client);
        }
    }

    /// The trace of a client's request that has come now.
    pub(super) fn request(&self, client: SocketAddr) -> Option<Traced> {
        if !self.active.load(Ordering::Relaxed) {
            return None;
        }
        let sampled = || {
            let count = self.count.fetch_add(1, Ordering::Relaxed);
            count
                .checked_rem(self.sample)
                .filter(|rest| *rest == 0)
                .and_then(|_| new_trace())
        };
        let trace = self.take(client).or_else(sampled)?;
        Some(Traced {
            context: Context { trace, span: 0 },
            since: Instant::now().into_std(),
        })
    }

    fn take(&self, client: SocketAddr) -> Option<u128> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let trace = asked.remove(&client);
        self.active
            .store(self.sample > 0 || !asked.is_empty(), Ordering::Relaxed);
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_followed_unless_it_is_sampled_or_asked_for() {
        let (one, other) = (([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
        let follow = Follow::new(0);
        assert_eq!(follow.request(one), None);
        follow.ask(one, 7);
        assert_eq!(follow.request(other), None);
        assert_eq!(follow.request(one).map(|traced| traced.context.trace), Some(7));
        assert_eq!(follow.request(one), None, "only the next");
        follow.ask(one, 8);
        follow.forget(one);
        assert_eq!(follow.request(one), None, "it was gone in between");
        let sampling = Follow::new(10);
        let followed = (0..100).filter(|_| sampling.request(one).is_some()).count();
        assert_eq!(followed, 10);
    }
}
