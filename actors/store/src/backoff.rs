//! How long to wait before the next attempt. Without jitter: one store has one writer.

use std::time::Duration;

/// The first delay.
const FIRST: Duration = Duration::from_millis(100);

/// The delay before the attempt after `failures` failures: doubled each time, never above `longest`.
pub(crate) fn delay(failures: u32, longest: Duration) -> Duration {
    FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(20))
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let longest = Duration::from_secs(5);
        let delays: Vec<u128> = (0..9)
            .map(|failures| delay(failures, longest).as_millis())
            .collect();
        assert_eq!(delays, [100, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(delay(u32::MAX, longest), longest);
    }
}
