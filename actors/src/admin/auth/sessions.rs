//! Sessions of the page, the one-time codes that open one, and the limit of attempts. Pure: ids are drawn elsewhere,
//! and time comes as an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Who;

/// How long a session lasts.
const LIFE: Duration = Duration::from_secs(12 * 3600);

/// How long it lasts without a request.
const IDLE: Duration = Duration::from_secs(3600);

/// Sessions at one time; the one that was used longest ago makes room.
const MOST_SESSIONS: usize = 1000;

/// Codes at one time; the oldest makes room.
const MOST_CODES: usize = 100;

/// How often it is to be written down that sessions are used.
const NOTED: Duration = Duration::from_secs(60);

/// Attempts that may fail within [`PERIOD`] from one address.
const ATTEMPTS: usize = 5;

/// The time in which failed attempts count.
const PERIOD: Duration = Duration::from_secs(60);

/// Of failed attempts one in this time is told, so that whoever guesses from many addresses does not crowd out all other
/// events.
const TOLD: Duration = Duration::from_secs(5);

/// Addresses whose attempts are counted; beyond, all share one count.
const MOST_ADDRESSES: usize = 1024;

/// How often the addresses are looked through for those that may be forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// One session.
pub(super) struct Session {
    pub(super) who: Who,
    pub(super) opened: Instant,
    pub(super) used: Instant,
}

/// Who is in, and how one comes in.
#[derive(Default)]
pub(super) struct Sessions {
    open: HashMap<String, Session>,
    codes: HashMap<String, (Who, Instant)>,
    /// The latest attempts that failed, at most [`ATTEMPTS`] of each address.
    failed: HashMap<Option<IpAddr>, Vec<Instant>>,
    swept: Option<Instant>,
    /// When a failed attempt was told last, and how many have not been since.
    told: Option<Instant>,
    untold: u64,
    noted: Option<Instant>,
}

impl Sessions {
    /// A code becomes good for one session.
    pub(super) fn add_code(&mut self, code: String, who: Who, until: Instant) {
        if self.codes.len() >= MOST_CODES {
            let oldest = self.codes.iter().min_by_key(|(_, (_, until))| *until);
            let oldest = oldest.map(|(code, _)| code.clone());
            oldest.map(|code| self.codes.remove(&code));
        }
        self.codes.insert(code, (who, until));
    }

    /// Whose a code is; it is used up.
    pub(super) fn use_code(&mut self, code: &str, now: Instant) -> Option<Who> {
        let (who, until) = self.codes.remove(code)?;
        (now < until).then_some(who)
    }

    /// Begins a session.
    pub(super) fn open(&mut self, id: String, who: Who, now: Instant) {
        self.open.retain(|_, session| session.is_good(now));
        if self.open.len() >= MOST_SESSIONS {
            let oldest = self.open.iter().min_by_key(|(_, session)| session.used);
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.map(|id| self.open.remove(&id));
        }
        let session = Session {
            who,
            opened: now,
            used: now,
        };
        self.open.insert(id, session);
    }

    /// Goes on with a session of an earlier master.
    pub(super) fn resume(&mut self, id: String, session: Session) {
        if self.open.len() < MOST_SESSIONS {
            self.open.insert(id, session);
        }
    }

    /// All sessions.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Session)> {
        self.open.iter().map(|(id, session)| (id.as_str(), session))
    }

    /// Whether it is time to write down that sessions are used: once a minute.
    pub(super) fn is_to_be_noted(&mut self, now: Instant) -> bool {
        let due = self
            .noted
            .is_none_or(|at| now.saturating_duration_since(at) >= NOTED);
        if due {
            self.noted = Some(now);
        }
        due
    }

    /// Whose a session is, while it lasts.
    pub(super) fn whose(&mut self, id: &str, now: Instant) -> Option<Who> {
        let session = self.open.get_mut(id).filter(|session| session.is_good(now))?;
        session.used = now;
        Some(session.who.clone())
    }

    /// Ends a session.
    pub(super) fn close(&mut self, id: &str) {
        self.open.remove(id);
    }

    /// Whether another attempt from this address is taken; if not, after how long one will be.
    pub(super) fn may_try(&mut self, from: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let failed = self.failed_of(from, now);
        match failed.first().filter(|_| failed.len() >= ATTEMPTS) {
            Some(first) => Err((*first + PERIOD).saturating_duration_since(now)),
            None => Ok(()),
        }
    }

    /// An attempt from this address has failed. If it is to be told: how many have not been, since the last that was.
    pub(super) fn failed(&mut self, from: Option<IpAddr>, now: Instant) -> Option<u64> {
        let failed = self.failed_of(from, now);
        if failed.len() >= ATTEMPTS {
            failed.remove(0);
        }
        failed.push(now);
        let waits = |told: Instant| now.saturating_duration_since(told) < TOLD;
        if self.told.is_some_and(waits) {
            self.untold += 1;
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    fn failed_of(&mut self, from: Option<IpAddr>, now: Instant) -> &mut Vec<Instant> {
        let counts = |at: &Instant| now.saturating_duration_since(*at) < PERIOD;
        let rested = |swept: Instant| now.saturating_duration_since(swept) >= SWEEP;
        if self.failed.len() >= MOST_ADDRESSES && self.swept.is_none_or(rested) {
            self.swept = Some(now);
            self.failed.retain(|_, failed| failed.iter().any(counts));
        }
        let full = self.failed.len() >= MOST_ADDRESSES && !self.failed.contains_key(&from);
        let failed = self.failed.entry(from.filter(|_| !full)).or_default();
        failed.retain(counts);
        failed
    }
}

impl Session {
    fn is_good(&self, now: Instant) -> bool {
        let passed = |since: Instant| now.saturating_duration_since(since);
        passed(self.opened) < LIFE && passed(self.used) < IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lampyris_runtime::config::Role;

    fn eve() -> Who {
        Who {
            name: "eve".into(),
            role: Role::Viewer,
        }
    }

    #[test]
    fn a_code_opens_once_and_not_for_ever() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let minute = Duration::from_secs(60);
        sessions.add_code("a".into(), eve(), now + minute);
        sessions.add_code("b".into(), eve(), now + minute);
        assert_eq!(sessions.use_code("c", now), None);
        assert_eq!(sessions.use_code("a", now), Some(eve()));
        assert_eq!(sessions.use_code("a", now), None, "used");
        assert_eq!(sessions.use_code("b", now + minute), None, "too late");
        for number in 0..2 * MOST_CODES {
            sessions.add_code(number.to_string(), eve(), now + minute);
        }
        assert_eq!(sessions.codes.len(), MOST_CODES);
    }

    #[test]
    fn a_session_ends_by_its_age_by_silence_and_by_wish() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        for id in ["busy", "idle", "left"] {
            sessions.open(id.into(), eve(), start);
        }
        let mut now = start;
        while now + IDLE / 2 < start + LIFE {
            assert_eq!(sessions.whose("busy", now), Some(eve()));
            now += IDLE / 2;
        }
        assert_eq!(sessions.whose("busy", start + LIFE), None);
        assert_eq!(sessions.whose("idle", start + IDLE), None);
        sessions.close("left");
        assert_eq!(sessions.whose("left", start), None);
        for number in 0..2 * MOST_SESSIONS {
            sessions.open(number.to_string(), eve(), start);
        }
        assert_eq!(sessions.open.len(), MOST_SESSIONS);
    }

    #[test]
    fn of_many_failures_a_few_are_told_with_the_number_of_the_others() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let told = (0..2000).filter_map(|at| {
            let from = IpAddr::from(u32::to_be_bytes(at));
            sessions.failed(Some(from), start + Duration::from_millis(10) * at)
        });
        assert_eq!(told.collect::<Vec<_>>(), [0, 499, 499, 499]);
    }

    #[test]
    fn five_failures_a_minute_from_one_address_are_enough() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let address = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
        for _ in 0..ATTEMPTS {
            assert_eq!(sessions.may_try(address(1), now), Ok(()));
            sessions.failed(address(1), now);
        }
        assert_eq!(sessions.may_try(address(1), now), Err(PERIOD));
        assert_eq!(sessions.may_try(address(2), now), Ok(()), "others may");
        assert_eq!(sessions.may_try(address(1), now + PERIOD), Ok(()));
        for number in 0..u32::from(u16::MAX) {
            sessions.failed(Some(IpAddr::from(number.to_be_bytes())), now);
        }
        assert!(sessions.failed.len() <= MOST_ADDRESSES + 1, "bounded");
    }
}
