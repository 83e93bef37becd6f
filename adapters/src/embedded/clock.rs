//! The one place of this crate that looks at the time of day and at randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use verbatim_ports::clock::{Clock, Entropy};
use verbatim_schemas::Timestamp;

/// The machine's time of day. A clock before 1970 reads 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the clock that all others take as a parameter")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The machine's randomness. Ends the process where there is none: secrets and salts that can be
/// guessed are worse than no process.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "the randomness that all others take as a parameter"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            tracing::error!("the system has no randomness");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_past_2025_and_bytes_differ() {
        assert!(SystemClock.now() > Timestamp::from_millis(1_735_689_600_000));
        let (mut one, mut other) = ([0; 32], [0; 32]);
        SystemEntropy.fill(&mut one);
        SystemEntropy.fill(&mut other);
        assert_ne!(one, other);
    }
}
