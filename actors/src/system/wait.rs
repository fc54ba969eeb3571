//! The turns of a thread and its waits in between: how long they are, and whether it looks for work once more when
//! it has none, or sleeps.
//!
//! It has a credit, which work earns and looking spends, so that a thread with little to do looks little. While others
//! need the processor it does not look at all, nor between two pieces of work that are far apart.
//!
//! Must not know the clock: every step is told the time.

use std::time::{Duration, Instant};

/// The longest that it looks. To be put to sleep and woken costs 5 to 50 µs, most of which the sender pays.
const LONGEST_LOOK: Duration = Duration::from_micros(200);

/// So many times as long as it has worked it may look, if it finds something ...
const FOUND: i64 = 4;

/// ... and a look in vain counts as so many: all of them together take at most a quarter of the time that work takes.
const IN_VAIN: i64 = 4 * FOUND;

/// Most credit that is kept, in nanoseconds: soon after a rush of work it sleeps again.
const MOST_CREDIT: i64 = 20_000_000;

/// Work that comes after a wait of so long is rare: the next will not come while the thread would look.
const RARE: Duration = Duration::from_millis(2);

/// Whoever keeps the processor for so long when this thread gives way computes, and does not wait for messages: a
/// woken thread gets it back sooner than one that gave way.
const HELD_UP: Duration = Duration::from_millis(2);

/// How long it does not look after it was held up once, and at most.
const FIRST_REST: Duration = Duration::from_millis(20);
const LONGEST_REST: Duration = Duration::from_secs(10);

/// The turns and waits of a thread.
#[derive(Debug)]
pub(super) struct Wait {
    may_look: bool,
    /// When it last looked at its sockets and timers.
    looked: Instant,
    longest_turn: Duration,
    /// For how long it may look, in nanoseconds; below zero after a look in vain.
    credit: i64,
    rest: Option<Rest>,
    present: Option<Present>,
    /// How long the wait was that ended last.
    last: Duration,
    /// Of all waits that have ended.
    idle: Duration,
}

/// After it was held up. Held up again soon after its end, it rests twice as long.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    long: Duration,
}

#[derive(Debug)]
struct Present {
    since: Instant,
    asleep: bool,
}

impl Wait {
    /// A thread that may not look only has its turns and waits measured.
    pub(super) fn new(may_look: bool, now: Instant) -> Self {
        Self {
            may_look,
            looked: now,
            longest_turn: Duration::ZERO,
            credit: 0,
            rest: None,
            present: None,
            last: Duration::ZERO,
            idle: Duration::ZERO,
        }
    }

    /// The actors get a turn, right after a look at sockets and timers.
    pub(super) fn turn(&mut self, now: Instant) {
        match self.present.take() {
            // As who sleeps is woken first, it has found its work by looking.
            Some(wait) => {
                let looked = now.saturating_duration_since(wait.since);
                self.ended(looked);
                self.credit -= nanos(looked);
                self.looked = now;
            }
            None => self.turn_ended(now),
        }
    }

    fn turn_ended(&mut self, now: Instant) {
        let earned = nanos(self.held_until(now)).saturating_mul(FOUND);
        self.credit = self.credit.saturating_add(earned).min(MOST_CREDIT);
    }

    /// Something held the thread since its last look; gives for how long.
    fn held_until(&mut self, now: Instant) -> Duration {
        let held = now.saturating_duration_since(self.looked);
        self.longest_turn = self.longest_turn.max(held);
        self.looked = now;
        held
    }

    /// There is nothing to do: whether to look again rather than to sleep.
    pub(super) fn looks_again(&mut self, now: Instant) -> bool {
        let since = match self.present.as_ref().map(|present| present.since) {
            Some(since) => {
                // Tasks that are no actor's can hold the thread as well; they earn nothing.
                self.held_until(now);
                since
            }
            None => {
                self.turn_ended(now);
                now
            }
        };
        let looked = now.saturating_duration_since(since);
        let may_look = self.may_look && self.last < RARE && self.rest.is_none_or(|rest| rest.until <= now);
        let again = may_look && looked < LONGEST_LOOK && nanos(looked) < self.credit;
        if !again {
            self.credit -= nanos(looked).saturating_mul(IN_VAIN);
        }
        self.present = Some(Present {
            since,
            asleep: !again,
        });
        again
    }

    /// The thread gave way to others between two looks.
    pub(super) fn gave_way(&mut self, before: Instant, after: Instant) {
        self.looked = after;
        if after.saturating_duration_since(before) < HELD_UP {
            return;
        }
        let long = match self.rest {
            Some(last) if before < last.until + last.long => LONGEST_REST.min(last.long * 2),
            _ => FIRST_REST,
        };
        let until = after + long;
        self.rest = Some(Rest { until, long });
    }

    /// Whether it went to sleep, and was not told of its end yet.
    pub(super) fn is_asleep(&self) -> bool {
        self.present.as_ref().is_some_and(|present| present.asleep)
    }

    /// The thread was woken from its sleep.
    pub(super) fn woken(&mut self, now: Instant) {
        self.looked = now;
        if let Some(slept) = self.present.take() {
            self.ended(now.saturating_duration_since(slept.since));
        }
    }

    fn ended(&mut self, long: Duration) {
        self.last = long;
        self.idle += long;
    }

    /// How long all waits were together.
    pub(super) fn idle_time(&self) -> Duration {
        self.idle
    }

    /// The longest that it did not look at sockets and timers while it had something to do, since this was last asked.
    pub(super) fn take_longest_turn(&mut self) -> Duration {
        std::mem::take(&mut self.longest_turn)
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_micros(10);
    const MILLI: Duration = Duration::from_millis(1);

    /// A thread and its clock.
    struct Thread {
        wait: Wait,
        now: Instant,
    }

    impl Thread {
        fn new() -> Self {
            let now = Instant::now();
            let wait = Wait::new(true, now);
            Self { wait, now }
        }

        fn works(&mut self, long: Duration) {
            self.wait.turn(self.now);
            self.now += long;
        }

        /// Waits for work that comes after so long; gives how often it looked, and whether it slept in the end.
        fn waits(&mut self, long: Duration) -> (u32, bool) {
            let (until, mut looks) = (self.now + long, 0);
            while self.now < until {
                if !self.wait.looks_again(self.now) {
                    assert!(self.wait.is_asleep());
                    self.now = until;
                    self.wait.woken(until);
                    return (looks, true);
                }
                self.now += STEP;
                self.wait.gave_way(self.now, self.now);
                looks += 1;
            }
            (looks, false)
        }
    }

    #[test]
    fn it_looks_for_as_long_as_it_has_earned_and_then_sleeps() {
        let mut thread = Thread::new();
        assert_eq!(thread.waits(MILLI), (0, true), "nothing is earned yet");
        thread.works(STEP * 4);
        assert_eq!(thread.waits(STEP * 3), (3, false));
        thread.works(Duration::ZERO);
        assert_eq!(
            thread.waits(STEP * 14),
            (13, true),
            "160 us were earned, 30 are spent"
        );
        thread.works(STEP * 40);
        assert_eq!(thread.waits(STEP), (0, true), "to look in vain is expensive");
        thread.wait = Wait::new(false, thread.now);
        thread.works(MILLI);
        assert_eq!(thread.waits(STEP), (0, true), "it may not look");
    }

    #[test]
    fn it_looks_no_longer_than_is_worth_it_however_much_it_has_worked() {
        let mut thread = Thread::new();
        thread.works(MILLI * 1000);
        assert_eq!(thread.waits(MILLI), (20, true));
        let mut looked = 0;
        for _ in 0..10 {
            thread.works(Duration::ZERO);
            looked += u32::from(thread.waits(MILLI).0 > 0);
        }
        assert!(
            (4..8).contains(&looked),
            "{looked} looks in vain of a credit that is bounded"
        );
    }

    #[test]
    fn to_look_in_vain_takes_a_quarter_of_what_work_takes() {
        let mut thread = Thread::new();
        let (mut looked, mut worked) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..10_000 {
            thread.works(STEP * 2);
            worked += STEP * 2;
            looked += STEP * thread.waits(MILLI).0;
        }
        assert!(looked <= worked / 4 + LONGEST_LOOK, "{looked:?} of {worked:?}");
        assert!(looked >= worked / 8, "{looked:?} of {worked:?}");
    }

    #[test]
    fn work_that_is_rare_is_not_looked_for() {
        let mut thread = Thread::new();
        thread.works(MILLI);
        assert_eq!(thread.waits(RARE), (20, true));
        thread.works(MILLI);
        assert_eq!(thread.waits(STEP), (0, true));
        thread.works(MILLI);
        assert_eq!(thread.waits(STEP), (1, false), "the last wait was short");
    }

    #[test]
    fn held_up_by_others_it_rests_longer_and_longer() {
        let mut thread = Thread::new();
        let held_up = |thread: &mut Thread| {
            thread.works(MILLI * 10);
            assert_eq!(thread.waits(STEP), (1, false));
            let before = thread.now;
            thread.now += HELD_UP;
            thread.wait.gave_way(before, thread.now);
            let began = thread.now;
            loop {
                thread.works(STEP);
                if !thread.waits(STEP).1 {
                    return (thread.now - began).as_millis();
                }
            }
        };
        let rests: Vec<_> = (0..12).map(|_| held_up(&mut thread)).collect();
        assert_eq!(rests[..3], [20, 40, 80]);
        assert_eq!(rests[11], 10_000);
        // A while without, and it begins anew.
        thread.works(LONGEST_REST * 2);
        assert_eq!(held_up(&mut thread), 20);
    }

    #[test]
    fn all_waits_are_idle_time_and_work_is_not() {
        let mut thread = Thread::new();
        let mut idle = Duration::ZERO;
        for long in [3, 5, 400, 7].repeat(20).into_iter().map(|steps| STEP * steps) {
            thread.waits(long);
            idle += long;
            thread.works(MILLI);
        }
        assert_eq!(thread.wait.idle_time(), idle);
    }

    #[test]
    fn the_longest_turn_is_known_and_sleep_is_none() {
        let mut thread = Thread::new();
        thread.waits(MILLI * 5000);
        thread.works(MILLI * 30);
        thread.works(MILLI * 20);
        thread.waits(MILLI * 5000);
        assert_eq!(thread.wait.take_longest_turn(), MILLI * 30);
        assert_eq!(thread.wait.take_longest_turn(), Duration::ZERO);
        thread.works(MILLI);
        thread.waits(STEP * 3);
        assert_eq!(thread.wait.take_longest_turn(), MILLI);
    }
}
