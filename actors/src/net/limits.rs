//! The time limits of one connection: a frame that begins must end, what waits to be sent must leave, a client must
//! not be idle. Pure: `now` is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::counters::Reason;
use super::line::Status;
use super::settings::NetSettings;

/// How long the rest of a frame may take after its header...
const BODY_TIME: Duration = Duration::from_secs(10);
/// ...and for how many bytes it may take a second longer.
const BODY_RATE: usize = 500;

/// When the limits of one connection are reached.
#[derive(Debug)]
pub(super) struct Limits {
    /// Set while the beginning of a frame is here and the rest is not.
    partial: Option<Partial>,
    /// Set while the client's side takes nothing.
    stall: Option<Stall>,
    /// When the client last sent a whole frame, or last had a call in flight.
    active: Instant,
}

/// A frame of which a part is here.
#[derive(Debug)]
struct Partial {
    /// Whether its header is whole.
    sized: bool,
    deadline: Instant,
}

/// Bytes wait, and none has left since.
#[derive(Debug)]
struct Stall {
    /// How many had left when it began.
    bytes_out: u64,
    deadline: Instant,
}

impl Limits {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            partial: None,
            stall: None,
            active: now,
        }
    }

    /// A whole frame came.
    pub(super) fn frame_came(&mut self, now: Instant) {
        self.partial = None;
        self.active = now;
    }

    /// The rest of no frame is waited for: there is none, or the connection is not read from.
    pub(super) fn no_frame(&mut self) {
        self.partial = None;
    }

    /// A frame has begun or goes on; `size` is known as soon as its header is here.
    pub(super) fn frame_goes_on(&mut self, size: Option<usize>, settings: &NetSettings, now: Instant) {
        let sized = size.is_some();
        if self
            .partial
            .as_ref()
            .is_some_and(|partial| partial.sized == sized)
        {
            return;
        }
        let time = match size {
            None => settings.frame_timeout,
            Some(size) => BODY_TIME + Duration::from_secs((size / BODY_RATE) as u64),
        };
        self.partial = Some(Partial {
            sized,
            deadline: now + time,
        });
    }

    /// The nearest limit, or which one has been reached.
    pub(super) fn check(
        &mut self,
        settings: &NetSettings,
        status: &Status,
        now: Instant,
    ) -> Result<Option<Instant>, Reason> {
        let limits = [
            (self.stall(settings, status, now), Reason::SlowReader),
            (
                self.partial.as_ref().map(|partial| partial.deadline),
                Reason::SlowFrame,
            ),
            (self.idle(settings, status, now), Reason::Idle),
        ];
        match limits
            .iter()
            .find(|(limit, _)| limit.is_some_and(|limit| limit <= now))
        {
            Some((_, reason)) => Err(*reason),
            None => Ok(limits.iter().filter_map(|(limit, _)| *limit).min()),
        }
    }

    fn stall(&mut self, settings: &NetSettings, status: &Status, now: Instant) -> Option<Instant> {
        let goes_on = |stall: &Stall| status.unsent > 0 && stall.bytes_out == status.bytes_out;
        if !self.stall.as_ref().is_some_and(goes_on) {
            let begins = || Stall {
                bytes_out: status.bytes_out,
                deadline: now + settings.write_stall,
            };
            self.stall = (status.unsent > 0).then(begins);
        }
        self.stall.as_ref().map(|stall| stall.deadline)
    }

    fn idle(&mut self, settings: &NetSettings, status: &Status, now: Instant) -> Option<Instant> {
        let idle = settings.idle_timeout?;
        if status.in_flight > 0 {
            self.active = now;
            return None;
        }
        Some(self.active + idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Status = Status {
        ending: None,
        closing: None,
        in_flight: 0,
        blocked: false,
        unsent: 0,
        bytes_out: 0,
        deadline: None,
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_header_has_five_seconds_and_a_body_ten_and_more_by_its_size() {
        let (start, settings) = (Instant::now(), NetSettings::default());
        let mut limits = Limits::new(start);
        limits.frame_goes_on(None, &settings, start);
        limits.frame_goes_on(None, &settings, start + seconds(4));
        assert_eq!(
            limits.check(&settings, &QUIET, start + seconds(4)),
            Ok(Some(start + seconds(5)))
        );
        limits.frame_goes_on(Some(5000), &settings, start + seconds(4));
        assert_eq!(
            limits.check(&settings, &QUIET, start + seconds(5)),
            Ok(Some(start + seconds(24)))
        );
        assert_eq!(
            limits.check(&settings, &QUIET, start + seconds(24)),
            Err(Reason::SlowFrame)
        );
        limits.frame_came(start + seconds(24));
        assert_eq!(limits.check(&settings, &QUIET, start + seconds(24)), Ok(None));
    }

    #[test]
    fn a_stall_begins_anew_whenever_a_byte_has_left() {
        let (start, settings) = (Instant::now(), NetSettings::default());
        let mut limits = Limits::new(start);
        let unsent = |bytes_out| Status {
            unsent: 1,
            bytes_out,
            ..QUIET
        };
        assert_eq!(
            limits.check(&settings, &unsent(0), start),
            Ok(Some(start + seconds(10)))
        );
        let moved = start + seconds(9);
        assert_eq!(
            limits.check(&settings, &unsent(1), moved),
            Ok(Some(start + seconds(19)))
        );
        assert_eq!(
            limits.check(&settings, &unsent(1), start + seconds(18)),
            Ok(Some(start + seconds(19)))
        );
        assert_eq!(
            limits.check(&settings, &unsent(1), start + seconds(19)),
            Err(Reason::SlowReader)
        );
        assert_eq!(limits.check(&settings, &QUIET, start + seconds(19)), Ok(None));
    }

    #[test]
    fn a_client_that_waits_for_an_answer_is_not_idle() {
        let start = Instant::now();
        let settings = NetSettings {
            idle_timeout: Some(seconds(60)),
            ..NetSettings::default()
        };
        let mut limits = Limits::new(start);
        assert_eq!(
            limits.check(&settings, &QUIET, start),
            Ok(Some(start + seconds(60)))
        );
        let waits = Status {
            in_flight: 1,
            ..QUIET
        };
        assert_eq!(limits.check(&settings, &waits, start + seconds(100)), Ok(None));
        assert_eq!(
            limits.check(&settings, &QUIET, start + seconds(100)),
            Ok(Some(start + seconds(160)))
        );
        assert_eq!(
            limits.check(&settings, &QUIET, start + seconds(160)),
            Err(Reason::Idle)
        );
    }
}
