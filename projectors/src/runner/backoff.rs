//! How long to wait before something is tried again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(50);
/// The longest wait: a store that comes back is noticed within it.
const LONGEST: Duration = Duration::from_secs(5);

/// Waits that double up to a bound.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// How often in a row it failed so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The wait after one more failure.
    pub(crate) fn next(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.attempts.min(10));
        self.attempts = self.attempts.saturating_add(1);
        doubled.min(LONGEST)
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..9).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(backoff.attempts(), 9);
        backoff.reset();
        assert_eq!(backoff.next(), FIRST);
        backoff.attempts = u32::MAX;
        assert_eq!(backoff.next(), LONGEST);
    }
}
