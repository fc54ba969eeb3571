//! Delays between attempts: exponential, jittered, capped. Pure: random bits come from the caller.
//!
//! Used for starting dead nodes again and for dialling lost links. Must not know clocks or what is attempted.

use std::time::Duration;

/// How far a delay may lie from its nominal value, in per cent, so that many that failed at one moment do not
/// come back at one moment.
const JITTER_PERCENT: u128 = 20;

/// The delays of one series of attempts: the floor, then twice as much each time, up to the cap.
#[derive(Debug, Clone)]
pub struct Backoff {
    floor: Duration,
    cap: Duration,
    next: Duration,
}

impl Backoff {
    /// A series from `floor` to `cap`; a floor above the cap is the cap.
    pub fn new(floor: Duration, cap: Duration) -> Self {
        let floor = floor.min(cap);
        Self {
            floor,
            cap,
            next: floor,
        }
    }

    /// The next delay, 20 % around its nominal value as `random` says, and never above the cap.
    pub fn next(&mut self, random: u64) -> Duration {
        let nominal = self.next;
        self.next = nominal.saturating_mul(2).min(self.cap);
        jittered(nominal, random).min(self.cap)
    }

    /// Goes to the cap: what has failed so often needs no quick attempt.
    pub fn jump_to_cap(&mut self) {
        self.next = self.cap;
    }

    /// Back to the floor, after a success.
    pub fn reset(&mut self) {
        self.next = self.floor;
    }
}

/// `nominal` times a factor between 0.8 and 1.2, which `random` picks evenly.
fn jittered(nominal: Duration, random: u64) -> Duration {
    let span = nominal.as_nanos() * (2 * JITTER_PERCENT) / 100;
    let lowest = nominal.as_nanos() * (100 - JITTER_PERCENT) / 100;
    // The upper 32 bits are enough for a jitter and keep the product within 128 bits.
    let part = span.saturating_mul(u128::from(random >> 32)) >> 32;
    Duration::from_nanos(u64::try_from(lowest + part).unwrap_or(u64::MAX))
}

/// Random bits for jitter: splitmix64, small, seeded, the same for the same seed. Not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A series that the seed determines.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u64 = u64::MAX / 2 + 1;

    #[test]
    fn delays_double_up_to_the_cap_and_reset_to_the_floor() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let delays: Vec<u128> = (0..6).map(|_| backoff.next(MIDDLE).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.next(MIDDLE).as_millis(), 100);
        backoff.jump_to_cap();
        assert_eq!(backoff.next(MIDDLE).as_millis(), 1000);
    }

    #[test]
    fn jitter_stays_within_a_fifth_and_below_the_cap() {
        let nominal = Duration::from_millis(100);
        assert_eq!(jittered(nominal, 0), Duration::from_millis(80));
        let most = jittered(nominal, u64::MAX);
        assert!(most > Duration::from_millis(119) && most <= Duration::from_millis(120));
        let mut backoff = Backoff::new(nominal, nominal);
        assert_eq!(
            backoff.next(u64::MAX),
            nominal,
            "the cap holds for the jitter too"
        );
        let mut endless = Backoff::new(Duration::MAX, Duration::MAX);
        endless.next(u64::MAX);
        endless.next(u64::MAX);
    }

    #[test]
    fn random_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
