//! Is the other end alive? Pure; time comes as an argument.
//!
//! ```text
//!   alive ──(silent for suspect_after)──> suspect ──(silent for down_after)──> down
//!     ^                                      │
//!     └───────────(any byte heard)───────────┘
//! ```
//!
//! Every byte heard is a sign of life; a ping goes out each `heartbeat`, so that a living peer is never silent. When
//! nothing but a ping of the peer has come since this end's last tick, that ping and its echo have done it for both: one
//! end of an idle link pings and the other one echoes, as every frame wakes both. They change places now and then, so that
//! both know the time of a round trip.
//! When this process itself was held up (its own tick came late by more than [`STALL`]), silence is no evidence:
//! the clock of silence starts anew once, so that a frozen machine does not take all its peers for dead.

use std::time::{Duration, Instant};

use super::LinkSettings;
use crate::beat::Beat;

/// How late an own tick must come for the process to count as held up.
const STALL: Duration = Duration::from_millis(500);

/// After so many heartbeats that were left to the peer, this end pings itself.
const MOST_LEFT: u32 = 9;

/// What the link task must do after a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Wait,
    /// Send a ping.
    Ping,
    /// Say that the peer is suspected, and ping.
    Suspect,
    /// End the link.
    Down,
}

/// The liveness of one link's other end.
#[derive(Debug)]
pub(crate) struct Liveness {
    beat: Beat,
    heartbeat: Duration,
    suspect_after: Duration,
    down_after: Duration,
    heard: Instant,
    next_ping: Instant,
    suspected: bool,
    excused: bool,
    /// The peer has pinged since the last tick.
    pinged: bool,
    /// More than heartbeats came since the last tick.
    used: bool,
    /// Heartbeats left to the peer since this end's last ping.
    left: u32,
}

impl Liveness {
    pub(crate) fn new(settings: &LinkSettings, beat: Beat, now: Instant) -> Self {
        Self {
            beat,
            heartbeat: settings.heartbeat,
            suspect_after: settings.suspect_after,
            down_after: settings.down_after,
            heard: now,
            next_ping: beat.next(settings.heartbeat, now),
            suspected: false,
            excused: false,
            pinged: false,
            used: false,
            left: 0,
        }
    }

    /// A ping came.
    pub(crate) fn pinged(&mut self) {
        self.pinged = true;
    }

    /// Something else than a heartbeat came.
    pub(crate) fn used(&mut self) {
        self.used = true;
    }

    /// Bytes came.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.suspected = false;
        self.excused = false;
    }

    /// When [`Liveness::tick`] wants to be called next.
    pub(crate) fn next(&self) -> Instant {
        self.next_ping.min(self.heard + self.down_after)
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Verdict {
        let late = now.saturating_duration_since(self.next());
        if late > STALL && !self.excused {
            self.excused = true;
            self.heard = now;
        }
        let silent = now.saturating_duration_since(self.heard);
        if silent >= self.down_after {
            return Verdict::Down;
        }
        if now < self.next_ping {
            return Verdict::Wait;
        }
        self.next_ping = self.beat.next(self.heartbeat, now);
        if silent >= self.suspect_after && !self.suspected {
            self.suspected = true;
            return Verdict::Suspect;
        }
        let (pinged, used) = (std::mem::take(&mut self.pinged), std::mem::take(&mut self.used));
        // With both ends on one beat, their pings cross, and each leaves the next one to the other.
        let silent_then = self.next_ping.saturating_duration_since(self.heard);
        if pinged && !used && self.left < MOST_LEFT && silent_then < self.suspect_after {
            self.left += 1;
            return Verdict::Wait;
        }
        self.left = 0;
        Verdict::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Of an end that counts its beats from when it begins.
    fn liveness(start: Instant) -> Liveness {
        Liveness::new(&LinkSettings::default(), Beat::since(start), start)
    }

    /// Ticks at the times that the machine asks for, until it says `Down`.
    fn run_silent(liveness: &mut Liveness) -> (Vec<Verdict>, Instant) {
        let mut verdicts = Vec::new();
        loop {
            let now = liveness.next();
            let verdict = liveness.tick(now);
            verdicts.push(verdict);
            if verdict == Verdict::Down {
                return (verdicts, now);
            }
        }
    }

    #[test]
    fn a_silent_peer_is_suspected_and_then_down() {
        let start = Instant::now();
        let mut liveness = liveness(start);
        let (verdicts, down) = run_silent(&mut liveness);
        assert_eq!(down - start, Duration::from_secs(3));
        assert_eq!(
            verdicts
                .iter()
                .filter(|verdict| **verdict == Verdict::Suspect)
                .count(),
            1
        );
        assert_eq!(verdicts[..3], [Verdict::Ping, Verdict::Ping, Verdict::Suspect]);
    }

    #[test]
    fn any_byte_is_a_sign_of_life() {
        let start = Instant::now();
        let mut liveness = liveness(start);
        let mut now = start;
        for _ in 0..100 {
            now = liveness.next();
            assert_eq!(liveness.tick(now), Verdict::Ping);
            liveness.heard(now + MS);
        }
        assert!(now - start > Duration::from_secs(40));
    }

    #[test]
    fn of_two_idle_ends_one_pings_and_both_know_a_round_trip_now_and_then() {
        let start = Instant::now();
        let mut ends = [liveness(start), liveness(start + 100 * MS)];
        let mut pings = [0, 0];
        for _ in 0..2 * 100 {
            let at = usize::from(ends[1].next() < ends[0].next());
            let now = ends[at].next();
            match ends[at].tick(now) {
                Verdict::Ping => {
                    pings[at] += 1;
                    let other = &mut ends[1 - at];
                    other.heard(now + MS);
                    other.pinged();
                    ends[at].heard(now + 2 * MS);
                }
                Verdict::Wait => {}
                other => panic!("{other:?}"),
            }
        }
        let sum = pings[0] + pings[1];
        assert!(
            (100..=115).contains(&sum) && pings.iter().all(|pings| *pings >= 10),
            "{pings:?}"
        );
    }

    #[test]
    fn ends_on_one_beat_whose_pings_cross_suspect_nobody() {
        let start = Instant::now();
        let settings = LinkSettings {
            suspect_after: 700 * MS,
            down_after: 900 * MS,
            ..LinkSettings::default()
        };
        let mut ends = [(); 2].map(|()| Liveness::new(&settings, Beat::since(start), start));
        for _ in 0..100 {
            let now = ends[0].next();
            assert_eq!(ends[1].next(), now);
            let verdicts = [0, 1].map(|at| ends[at].tick(now));
            for (at, verdict) in verdicts.into_iter().enumerate() {
                match verdict {
                    Verdict::Ping => {
                        ends[1 - at].heard(now + MS);
                        ends[1 - at].pinged();
                        ends[at].heard(now + 2 * MS);
                    }
                    Verdict::Wait => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_peer_that_pings_no_more_is_pinged_and_so_is_one_on_a_link_in_use() {
        let start = Instant::now();
        let mut liveness = liveness(start);
        liveness.pinged();
        assert_eq!(liveness.tick(liveness.next()), Verdict::Wait);
        assert_eq!(
            liveness.tick(liveness.next()),
            Verdict::Ping,
            "nobody has pinged since"
        );
        let heard = liveness.next();
        liveness.heard(heard);
        liveness.pinged();
        liveness.used();
        assert_eq!(liveness.tick(heard), Verdict::Ping, "the link is in use");
        let (_, down) = run_silent(&mut liveness);
        assert_eq!(down - heard, Duration::from_secs(3));
    }

    #[test]
    fn an_own_stall_is_excused_once() {
        let start = Instant::now();
        let mut liveness = liveness(start);
        let woken = start + Duration::from_secs(30);
        assert_ne!(
            liveness.tick(woken),
            Verdict::Down,
            "the machine was frozen, not the peer"
        );
        let (_, down) = run_silent(&mut liveness);
        assert_eq!(
            down - woken,
            Duration::from_secs(3),
            "a peer that stays silent is still noticed"
        );
    }
}
