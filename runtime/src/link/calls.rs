//! The calls of one link that wait for their answers. Pure; time comes as an argument.
//!
//! A slab finds a call by its number, a timing wheel those whose time is up; all of it in constant time and
//! without an allocation per call. The number carries the place's generation, so that a late answer never
//! meets the call that took the place since.
//!
//! Invariants: every call that is inserted leaves exactly once, by [`Calls::take`], [`Calls::expire`] or
//! [`Calls::take_all`]; a call expires at most one [`TICK`] after its deadline.

use std::time::{Duration, Instant};

use crate::reply::ReplyTo;

/// How late a deadline may be noticed.
pub const TICK: Duration = Duration::from_millis(10);

/// Places on the wheel. Calls that lie further ahead than all of them go round again.
const SLOTS: usize = 1024;

/// The first generation of a place; not 0, so that no call has the number 0, which means a notification.
const FIRST: u32 = 1;

/// No call: the end of a list.
const NONE: u32 = u32::MAX;

/// One call that waits.
#[derive(Debug)]
pub struct Pending {
    /// Where its answer goes.
    pub reply: ReplyTo,
    /// Where its frame began in the stream of the link's bytes; tells whether it was handed to the socket.
    pub mark: u64,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    /// The tick at which it expires.
    due: u64,
    previous: u32,
    next: u32,
    call: Option<Pending>,
}

/// All waiting calls of a link.
#[derive(Debug)]
pub struct Calls {
    places: Vec<Place>,
    free: u32,
    len: usize,
    start: Instant,
    /// The first tick that has not been looked at.
    tick: u64,
    /// The deadline of the last call, and its tick: calls that came together often share it.
    last: (Instant, u64),
    wheel: Box<[u32; SLOTS]>,
}

impl Calls {
    /// None yet; ticks are counted from `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            places: Vec::new(),
            free: NONE,
            len: 0,
            start: now,
            tick: 0,
            last: (now, 0),
            wheel: Box::new([NONE; SLOTS]),
        }
    }

    /// How many wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number that the next inserted call will have.
    pub fn next_id(&self) -> u64 {
        match self.places.get(self.free as usize) {
            Some(place) => id(self.free, place.generation),
            None => id(u32::try_from(self.places.len()).unwrap_or(NONE), FIRST),
        }
    }

    /// Adds a call under [`Calls::next_id`].
    pub fn insert(&mut self, deadline: Instant, call: Pending) -> u64 {
        if self.last.0 != deadline {
            self.last = (deadline, self.tick_of(deadline));
        }
        let due = self.last.1.max(self.tick);
        let at = self.free;
        let at = if let Some(place) = self.places.get_mut(at as usize) {
            self.free = place.next;
            place.call = Some(call);
            place.due = due;
            at
        } else {
            let at = u32::try_from(self.places.len()).expect("because a link has fewer calls than 2^32");
            self.places.push(Place {
                generation: FIRST,
                due,
                previous: NONE,
                next: NONE,
                call: Some(call),
            });
            at
        };
        self.hang(at, due);
        self.len += 1;
        id(at, self.places[at as usize].generation)
    }

    /// Takes the call of an answer; `None` if it has ended before, or never was.
    pub fn take(&mut self, id: u64) -> Option<Pending> {
        let (at, generation) = ((id & 0xffff_ffff) as u32, (id >> 32) as u32);
        let place = self.places.get(at as usize)?;
        if place.generation != generation || place.call.is_none() {
            return None;
        }
        Some(self.remove(at))
    }

    /// Takes the calls whose deadline has passed.
    pub fn expire(&mut self, now: Instant) -> Vec<Pending> {
        let mut expired = Vec::new();
        let elapsed = self.elapsed(now);
        if self.is_empty() {
            self.tick = elapsed;
            return expired;
        }
        // After a long pause one round looks at every slot, and so at every call.
        let first = self.tick.max(elapsed.saturating_sub(SLOTS as u64));
        for tick in first..elapsed {
            let mut at = self.wheel[slot(tick)];
            while at != NONE {
                let (next, due) = (self.places[at as usize].next, self.places[at as usize].due);
                if due < elapsed {
                    expired.push(self.remove(at));
                }
                at = next;
            }
        }
        self.tick = elapsed;
        expired
    }

    /// Takes all calls.
    pub fn take_all(&mut self) -> Vec<Pending> {
        let all: Vec<u32> = (0..)
            .zip(&self.places)
            .filter(|(_, p)| p.call.is_some())
            .map(|(at, _)| at)
            .collect();
        all.into_iter().map(|at| self.remove(at)).collect()
    }

    fn remove(&mut self, at: u32) -> Pending {
        self.unhang(at);
        let free = self.free;
        let place = &mut self.places[at as usize];
        let call = place
            .call
            .take()
            .expect("because only places with a call hang on the wheel");
        place.generation = place.generation.wrapping_add(1);
        place.next = free;
        self.free = at;
        self.len -= 1;
        call
    }

    fn hang(&mut self, at: u32, due: u64) {
        let first = std::mem::replace(&mut self.wheel[slot(due)], at);
        let place = &mut self.places[at as usize];
        (place.previous, place.next) = (NONE, first);
        if let Some(first) = self.places.get_mut(first as usize) {
            first.previous = at;
        }
    }

    fn unhang(&mut self, at: u32) {
        let Place {
            previous, next, due, ..
        } = self.places[at as usize];
        match self.places.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.wheel[slot(due)] = next,
        }
        if let Some(next) = self.places.get_mut(next as usize) {
            next.previous = previous;
        }
    }

    /// The first tick that begins at or after `time`.
    fn tick_of(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.start);
        ticks(since) + u64::from(!since.subsec_nanos().is_multiple_of(TICK.subsec_nanos()))
    }

    /// How many ticks are over at `now`: a call of tick `n` has expired when `n < elapsed`.
    fn elapsed(&self, now: Instant) -> u64 {
        ticks(now.saturating_duration_since(self.start)) + 1
    }
}

/// Whole ticks in a time that is shorter than the machine's life, in numbers of 64 bits.
const fn ticks(time: Duration) -> u64 {
    const A_SECOND: u64 = 1_000_000_000 / TICK.subsec_nanos() as u64;
    time.as_secs().saturating_mul(A_SECOND) + (time.subsec_nanos() / TICK.subsec_nanos()) as u64
}

const fn id(at: u32, generation: u32) -> u64 {
    (generation as u64) << 32 | at as u64
}

const fn slot(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(mark: u64) -> Pending {
        Pending {
            reply: ReplyTo::nobody(),
            mark,
        }
    }

    #[test]
    fn a_call_leaves_once_and_a_late_answer_finds_nothing() {
        let now = Instant::now();
        let mut calls = Calls::new(now);
        let expected = calls.next_id();
        let first = calls.insert(now + TICK, pending(1));
        assert_eq!(first, expected);
        assert_eq!(calls.take(first).map(|call| call.mark), Some(1));
        assert!(calls.take(first).is_none());
        let second = calls.insert(now + TICK, pending(2));
        assert_ne!(first, second, "the place is used again under another number");
        assert!(calls.take(first).is_none());
        assert_eq!(calls.len(), 1);
        assert!(calls.take(u64::MAX).is_none());
    }

    #[test]
    fn a_call_expires_within_a_tick_of_its_deadline_and_never_before() {
        let start = Instant::now();
        for wait in [0, 1, 9, 10, 11, 500, 5_000, 30_000, 120_000] {
            let mut calls = Calls::new(start);
            let deadline = start + Duration::from_millis(wait);
            calls.insert(deadline, pending(wait));
            let mut now = start;
            let over = loop {
                let expired = calls.expire(now);
                if !expired.is_empty() {
                    break now;
                }
                now += Duration::from_millis(3);
            };
            assert!(over >= deadline, "{wait} ms ended early");
            assert!(
                over <= deadline + TICK + Duration::from_millis(3),
                "{wait} ms ended late"
            );
        }
    }

    #[test]
    fn a_random_life_loses_and_doubles_nothing() {
        let start = Instant::now();
        let mut calls = Calls::new(start);
        let mut random = 42_u64;
        let (mut now, mut inserted, mut left, mut open) = (start, 0_u64, 0_u64, Vec::new());
        for _ in 0..50_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            match random >> 60 {
                0..=8 => {
                    inserted += 1;
                    let wait = Duration::from_millis((random >> 20) % 20_000);
                    open.push(calls.insert(now + wait, pending(inserted)));
                }
                9..=13 if !open.is_empty() => {
                    let at = (random >> 20) as usize % open.len();
                    left += u64::from(calls.take(open.swap_remove(at)).is_some());
                }
                _ => {
                    now += Duration::from_millis((random >> 30) % 40);
                    left += calls.expire(now).len() as u64;
                }
            }
        }
        left += calls.expire(now + Duration::from_secs(3600)).len() as u64;
        assert_eq!(left, inserted);
        assert!(calls.is_empty());
        assert!(calls.take_all().is_empty());
    }
}
