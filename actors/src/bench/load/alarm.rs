//! Waits until a moment, exactly. The runtime's own timers have steps of a millisecond, several times the latencies
//! that are measured here; a timer of the system's that is waited for like a socket has none.

use std::io;
use std::time::Instant;

#[cfg(target_os = "linux")]
use nix::sys::time::TimeSpec;
#[cfg(target_os = "linux")]
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
#[cfg(target_os = "linux")]
use tokio::{io::AsyncReadExt, net::unix::pipe};

/// One timer.
#[cfg(target_os = "linux")]
pub(super) struct Alarm {
    timer: TimerFd,
    /// Its other handle. It is no pipe, but is read like one: eight bytes come when it has rung.
    rings: pipe::Receiver,
}

#[cfg(target_os = "linux")]
impl Alarm {
    /// A timer that is not set.
    ///
    /// # Errors
    /// The system has none left.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let other = std::os::fd::AsFd::as_fd(&timer).try_clone_to_owned()?;
        Ok(Self {
            timer,
            rings: pipe::Receiver::from_owned_fd_unchecked(other)?,
        })
    }

    /// Returns at `due`, or at once when that is past.
    ///
    /// # Errors
    /// The timer does not work.
    pub(super) async fn ring_at(&mut self, due: Instant) -> io::Result<()> {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let once = Expiration::OneShot(TimeSpec::from_duration(left));
            self.timer.set(once, TimerSetTimeFlags::empty())?;
            // Room for more than comes: a read that is not full tells tokio that nothing is left.
            let _how_often: usize = self.rings.read(&mut [0; 16]).await?;
        }
    }
}

/// One timer, as exact as the runtime's.
#[cfg(not(target_os = "linux"))]
pub(super) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// Nothing is needed.
    ///
    /// # Errors
    /// None.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Returns up to a millisecond after `due`.
    ///
    /// # Errors
    /// None.
    pub(super) async fn ring_at(&mut self, due: Instant) -> io::Result<()> {
        tokio::time::sleep_until(due.into()).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_rings_at_its_time_and_not_before() {
        let mut alarm = Alarm::new().unwrap();
        let start = Instant::now();
        for step in 1..=20 {
            let due = start + Duration::from_micros(300) * step;
            alarm.ring_at(due).await.unwrap();
            assert!(Instant::now() >= due);
        }
        alarm.ring_at(start).await.unwrap();
    }
}
