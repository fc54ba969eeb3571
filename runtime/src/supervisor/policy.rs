//! Whether and when a dead node starts again. Pure: the time is an argument, jitter comes from a seed.
//!
//! Must not know processes, names, or who reads the decision.
//!
//! - A node that had been ready for [`PROVEN`] starts again at once, however often.
//! - A death before that is a failed start: delays of 100 ms, 200, 400 … with jitter, up to 10 s.
//! - More than `intensity` failed starts within `period` are a crash loop: [`OnCrashLoop`] says what then.
//! - Some exit codes say that another attempt is pointless: [`FINAL_CODES`].

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::seconds;
use crate::backoff::{Backoff, Random};

/// A node that stayed ready for this long has started well; its death is no failed start.
pub const PROVEN: Duration = Duration::from_secs(1);

/// The delay after the first failed start.
const FLOOR: Duration = Duration::from_millis(100);

/// The longest delay after a failed start.
const CAP: Duration = Duration::from_secs(10);

/// Exit codes after which no attempt can help: 2 and 64 wrong usage, 77 no permission, 78 wrong
/// configuration, 125 the node's own word for "not again".
pub const FINAL_CODES: [i32; 5] = [2, 64, 77, 78, 125];

/// After which ends a node starts again; the words are those of OTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// After every end that nobody asked for.
    #[default]
    Permanent,
    /// After an abnormal end only: a signal, or a code other than 0.
    Transient,
    /// Never.
    Temporary,
}

impl fmt::Display for Restart {
    /// The word as it is configured.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Temporary => "temporary",
        })
    }
}

/// What a crash loop leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCrashLoop {
    /// Go on, with the longest delay.
    #[default]
    Backoff,
    /// Give up until an operator starts the node.
    Failed,
}

/// The configured part of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// After which ends the node starts again.
    pub restart: Restart,
    /// How many failed starts within `period` are still no crash loop.
    pub intensity: u32,
    /// The time over which failed starts are counted.
    pub period: Duration,
    /// What a crash loop leads to.
    pub on_crash_loop: OnCrashLoop,
}

impl Default for RestartPolicy {
    /// Permanent, 5 failed starts in 60 s, and on in a crash loop with the longest delay.
    fn default() -> Self {
        Self {
            restart: Restart::default(),
            intensity: 5,
            period: Duration::from_secs(60),
            on_crash_loop: OnCrashLoop::default(),
        }
    }
}

/// What follows from an end that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Start again at this time, which may be now.
    RestartAt(Instant),
    /// The node has failed, for the reason given; only an operator starts it again.
    GiveUp(String),
    /// The node has done its work.
    Done,
}

/// The decisions for one node, with its memory of failed starts.
#[derive(Debug)]
pub struct Policy {
    rules: RestartPolicy,
    backoff: Backoff,
    random: Random,
    /// Times of failed starts, oldest first, at most `intensity` + 1 of them.
    failed_starts: VecDeque<Instant>,
}

impl Policy {
    /// A policy without a past.
    pub fn new(rules: RestartPolicy, random: Random) -> Self {
        Self {
            rules,
            backoff: Backoff::new(FLOOR, CAP),
            random,
            failed_starts: VecDeque::new(),
        }
    }

    /// Goes by other rules from now on; the past stays.
    pub fn change(&mut self, rules: RestartPolicy) {
        self.rules = rules;
    }

    /// The configured part.
    pub fn rules(&self) -> &RestartPolicy {
        &self.rules
    }

    /// A process ended unasked; `ready_for` is how long it had been ready, if it ever was.
    pub fn on_exit(&mut self, now: Instant, exit: &Exit, ready_for: Option<Duration>) -> Decision {
        if let Some(code) = exit.code.filter(|code| FINAL_CODES.contains(code)) {
            return Decision::GiveUp(format!("exit code {code} is not retried"));
        }
        match self.rules.restart {
            Restart::Temporary => return Decision::Done,
            Restart::Transient if exit.is_success() => return Decision::Done,
            Restart::Transient | Restart::Permanent => {}
        }
        if ready_for.is_some_and(|time| time >= PROVEN) {
            self.backoff.reset();
            return Decision::RestartAt(now);
        }
        self.on_failed_start(now)
    }

    /// The process could not be started, or ended before it had been ready for [`PROVEN`].
    pub fn on_failed_start(&mut self, now: Instant) -> Decision {
        if self.rules.restart == Restart::Temporary {
            return Decision::Done;
        }
        self.failed_starts.push_back(now);
        let most = self.rules.intensity as usize + 1;
        while self.failed_starts.len() > most {
            self.failed_starts.pop_front();
        }
        if self.in_crash_loop(now) {
            if self.rules.on_crash_loop == OnCrashLoop::Failed {
                return Decision::GiveUp(self.crash_loop_text(now));
            }
            self.backoff.jump_to_cap();
        }
        Decision::RestartAt(now + self.backoff.next(self.random.next()))
    }

    /// How many failed starts lie within the period; no more than `intensity` + 1 are counted.
    pub fn failed_starts(&self, now: Instant) -> usize {
        let recent = |at: &&Instant| now.saturating_duration_since(**at) < self.rules.period;
        self.failed_starts.iter().filter(recent).count()
    }

    /// Whether there were more failed starts in the period than the intensity allows.
    pub fn in_crash_loop(&self, now: Instant) -> bool {
        self.failed_starts(now) > self.rules.intensity as usize
    }

    /// The crash loop in words.
    pub fn crash_loop_text(&self, now: Instant) -> String {
        let period = seconds(self.rules.period);
        format!(
            "crash loop: {} failed starts in {period}",
            self.failed_starts(now)
        )
    }

    /// Forgets the past, because an operator wants a new attempt.
    pub fn reset(&mut self) {
        self.failed_starts.clear();
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn policy(rules: RestartPolicy) -> Policy {
        Policy::new(rules, Random::new(7))
    }

    fn delay(decision: Decision, now: Instant) -> Duration {
        match decision {
            Decision::RestartAt(at) => at - now,
            other => panic!("expected a restart, got {other:?}"),
        }
    }

    #[test]
    fn a_proven_node_starts_at_once_however_often() {
        let mut policy = policy(RestartPolicy::default());
        let now = Instant::now();
        for _ in 0..1000 {
            let decision = policy.on_exit(now, &Exit::by_signal(9), Some(PROVEN));
            assert_eq!(decision, Decision::RestartAt(now));
        }
        assert!(!policy.in_crash_loop(now));
    }

    #[test]
    fn failed_starts_are_delayed_and_the_sixth_in_a_minute_is_a_crash_loop() {
        let mut policy = policy(RestartPolicy::default());
        let mut now = Instant::now();
        for nominal in [100, 200, 400, 800, 1600] {
            let delay = delay(policy.on_exit(now, &Exit::with_code(1), Some(999 * MS)), now);
            assert!(
                delay >= nominal * MS * 8 / 10 && delay <= nominal * MS * 12 / 10,
                "{delay:?}"
            );
            now += delay;
        }
        assert!(!policy.in_crash_loop(now));
        let capped = delay(policy.on_exit(now, &Exit::with_code(1), None), now);
        assert!(policy.in_crash_loop(now));
        assert!(capped >= CAP * 8 / 10 && capped <= CAP, "{capped:?}");
        assert_eq!(policy.crash_loop_text(now), "crash loop: 6 failed starts in 60 s");
        now += Duration::from_secs(61);
        assert_eq!(
            policy.failed_starts(now),
            0,
            "the past is forgotten after the period"
        );
    }

    #[test]
    fn a_crash_loop_may_end_in_failed_and_a_reset_forgives() {
        let rules = RestartPolicy {
            on_crash_loop: OnCrashLoop::Failed,
            intensity: 1,
            ..Default::default()
        };
        let mut policy = policy(rules);
        let now = Instant::now();
        delay(policy.on_exit(now, &Exit::with_code(1), None), now);
        let second = policy.on_exit(now, &Exit::with_code(1), None);
        assert!(matches!(second, Decision::GiveUp(reason) if reason.starts_with("crash loop: 2 failed")));
        policy.reset();
        assert!(delay(policy.on_failed_start(now), now) <= 120 * MS);
    }

    #[test]
    fn final_codes_are_not_retried() {
        for code in FINAL_CODES {
            let mut policy = policy(RestartPolicy::default());
            let decision = policy.on_exit(Instant::now(), &Exit::with_code(code), Some(PROVEN * 60));
            assert_eq!(
                decision,
                Decision::GiveUp(format!("exit code {code} is not retried"))
            );
        }
    }

    #[test]
    fn transient_and_temporary_nodes_may_be_done() {
        let now = Instant::now();
        let with = |restart| {
            policy(RestartPolicy {
                restart,
                ..Default::default()
            })
        };
        assert_eq!(
            with(Restart::Transient).on_exit(now, &Exit::with_code(0), None),
            Decision::Done
        );
        assert_eq!(
            with(Restart::Transient).on_exit(now, &Exit::by_signal(11), Some(PROVEN)),
            Decision::RestartAt(now)
        );
        assert_eq!(
            with(Restart::Temporary).on_exit(now, &Exit::by_signal(11), Some(PROVEN)),
            Decision::Done
        );
        assert_eq!(with(Restart::Temporary).on_failed_start(now), Decision::Done);
        delay(
            with(Restart::Permanent).on_exit(now, &Exit::with_code(0), None),
            now,
        );
    }
}
