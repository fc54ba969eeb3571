//! The turns of a thread and its waits in between: how long they are, and whether it looks for work once more when
//! it has none, or sleeps. It looks while its waits have been short, and sleeps when they are long, or when others
//! need the processor.
//!
//! Must not know the clock: every step is told the time.

use std::time::{Duration, Instant};

/// A wait that ends sooner is better spent looking: to be put to sleep and woken costs the kernel 5 to 50 µs, and the
/// sender most of that.
const SHORT: Duration = Duration::from_micros(200);

/// How many of the last 16 waits must have been short before it looks, and below how many it stops.
const ENOUGH: u32 = 12;
const TOO_FEW: u32 = 8;

/// Whoever keeps the processor for so long when this thread gives way computes, and does not wait for messages: a
/// woken thread gets it back sooner than one that gave way.
const HELD_UP: Duration = Duration::from_millis(2);

/// How long it does not look after it was held up once, and at most.
const FIRST_REST: Duration = Duration::from_millis(20);
const LONGEST_REST: Duration = Duration::from_secs(10);

/// The turns and waits of a thread.
#[derive(Debug)]
pub(super) struct Wait {
    /// When it last looked at its sockets and timers.
    looked: Instant,
    longest_turn: Duration,
    turns: u64,
    may_look: bool,
    /// A bit for each of the last 16 waits, set for a short one.
    recent: u16,
    looks: bool,
    rest: Option<Rest>,
    present: Option<Present>,
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
    /// When it was last seen to go on.
    seen: Instant,
    /// How many turns the actors had had when it began.
    turns: u64,
    asleep: bool,
}

impl Wait {
    /// A thread that never looks only has its waits measured.
    pub(super) fn new(may_look: bool, now: Instant) -> Self {
        Self {
            looked: now,
            longest_turn: Duration::ZERO,
            turns: 0,
            may_look,
            recent: 0,
            looks: false,
            rest: None,
            present: None,
            idle: Duration::ZERO,
        }
    }

    /// The actors get a turn, right after a look at sockets and timers.
    pub(super) fn turn(&mut self, now: Instant) {
        self.turns = self.turns.wrapping_add(1);
        self.turn_ended(now);
    }

    fn turn_ended(&mut self, now: Instant) {
        let long = now.saturating_duration_since(self.looked);
        self.longest_turn = self.longest_turn.max(long);
        self.looked = now;
    }

    /// The longest that it did not look at sockets and timers while it had something to do, since this was last asked.
    pub(super) fn take_longest_turn(&mut self) -> Duration {
        std::mem::take(&mut self.longest_turn)
    }

    /// There is nothing to do: whether to look again rather than to sleep.
    pub(super) fn looks_again(&mut self, now: Instant) -> bool {
        self.turn_ended(now);
        let turns = self.turns;
        if let Some(found) = self.present.take_if(|present| present.turns != turns) {
            // By looking, as a sleep would have been ended by `woken`; so it paid, however long others ran meanwhile.
            self.ended(found.seen.saturating_duration_since(found.since), true);
        }
        let looks = self.looks && self.rest.is_none_or(|rest| rest.until <= now);
        let present = self.present.get_or_insert(Present {
            since: now,
            seen: now,
            turns,
            asleep: false,
        });
        present.seen = now;
        let again = looks && now.saturating_duration_since(present.since) < SHORT;
        present.asleep = !again;
        again
    }

    /// The thread gave way to others between two looks.
    pub(super) fn gave_way(&mut self, before: Instant, after: Instant) {
        self.looked = after;
        if let Some(present) = &mut self.present {
            present.seen = after;
        }
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
            let long = now.saturating_duration_since(slept.since);
            self.ended(long, long < SHORT);
        }
    }

    /// How long all waits were together.
    pub(super) fn idle_time(&self) -> Duration {
        self.idle
    }

    fn ended(&mut self, long: Duration, short: bool) {
        self.idle += long;
        self.recent = self.recent << 1 | u16::from(short);
        let short = self.recent.count_ones();
        self.looks = self.may_look && (short >= ENOUGH || self.looks && short >= TOO_FEW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_micros(10);

    /// A thread and its clock.
    struct Thread {
        wait: Wait,
        now: Instant,
    }

    impl Thread {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                wait: Wait::new(true, now),
                now,
            }
        }

        /// Waits for work that comes after so long; gives how often it looked, and whether it slept in the end.
        fn waits(&mut self, long: Duration) -> (u32, bool) {
            let (until, mut looks) = (self.now + long, 0);
            while self.now < until {
                if !self.wait.looks_again(self.now) {
                    assert!(self.wait.is_asleep());
                    self.now = until;
                    self.wait.woken(until);
                    self.wait.turn(self.now);
                    return (looks, true);
                }
                self.now += STEP;
                looks += 1;
            }
            self.wait.turn(self.now);
            (looks, false)
        }

        fn has_short_waits(&mut self) {
            for _ in 0..16 {
                self.waits(STEP * 3);
            }
        }
    }

    #[test]
    fn it_looks_once_its_waits_are_short() {
        let mut thread = Thread::new();
        let slept = (0..16).filter(|_| thread.waits(STEP * 3).1).count();
        assert_eq!(slept, 12);
        assert_eq!(thread.waits(STEP * 3), (3, false));
        thread.wait = Wait::new(false, thread.now);
        thread.has_short_waits();
        assert_eq!(thread.waits(STEP * 3), (0, true));
    }

    #[test]
    fn a_wait_is_looked_through_no_longer_than_a_short_one() {
        let mut thread = Thread::new();
        thread.has_short_waits();
        assert_eq!(thread.waits(Duration::from_secs(1)), (20, true));
    }

    #[test]
    fn it_stops_looking_when_most_waits_are_long() {
        let mut thread = Thread::new();
        thread.has_short_waits();
        let looked = (0..16)
            .filter(|_| thread.waits(Duration::from_millis(1)).0 > 0)
            .count();
        assert_eq!(looked, 9);
        assert_eq!(thread.waits(Duration::from_millis(1)), (0, true));
    }

    #[test]
    fn held_up_by_others_it_rests_longer_and_longer() {
        let mut thread = Thread::new();
        let mut rests = Vec::new();
        for _ in 0..12 {
            thread.has_short_waits();
            assert_eq!(thread.waits(STEP), (1, false));
            let before = thread.now;
            thread.now += HELD_UP;
            thread.wait.gave_way(before, thread.now);
            let began = thread.now;
            while thread.waits(STEP).1 {}
            rests.push((thread.now - began).as_millis());
        }
        assert_eq!(rests[..3], [20, 40, 80]);
        assert_eq!(rests[11], 10_000);
        // A while without, and it begins anew.
        thread.now += LONGEST_REST * 2;
        let before = thread.now;
        thread.now += HELD_UP;
        thread.wait.gave_way(before, thread.now);
        let (began, mut waits) = (thread.now, 0);
        while thread.waits(STEP).1 {
            waits += 1;
        }
        assert_eq!(thread.now - began, FIRST_REST + STEP);
        assert_eq!(waits, FIRST_REST.as_micros() / STEP.as_micros());
    }

    #[test]
    fn all_waits_are_idle_time_and_work_is_not() {
        let mut thread = Thread::new();
        let (mut idle, began) = (Duration::ZERO, thread.now);
        for long in [3, 5, 400, 7].repeat(20).into_iter().map(|steps| STEP * steps) {
            thread.waits(long);
            idle += long;
            thread.now += Duration::from_millis(1);
        }
        thread.wait.looks_again(thread.now);
        let off = idle.abs_diff(thread.wait.idle_time());
        assert!(off <= STEP * 80, "{off:?} of {:?}", thread.now - began);
    }

    #[test]
    fn the_longest_turn_is_known_and_sleep_is_none() {
        let mut thread = Thread::new();
        thread.waits(Duration::from_secs(5));
        thread.now += Duration::from_millis(30);
        thread.wait.turn(thread.now);
        thread.now += Duration::from_millis(20);
        thread.waits(Duration::from_secs(5));
        assert_eq!(thread.wait.take_longest_turn(), Duration::from_millis(30));
        assert_eq!(thread.wait.take_longest_turn(), Duration::ZERO);
        thread.has_short_waits();
        thread.now += Duration::from_millis(1);
        thread.waits(STEP * 3);
        assert_eq!(thread.wait.take_longest_turn(), Duration::from_millis(1));
    }
}
