//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicU64, Ordering};

use verbatim_schemas::Timestamp;

use crate::clock::Clock;

/// Begins in the year 2025.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_750_000_000_000))
    }
}

impl ManualClock {
    /// Moves on; returns the time then.
    pub fn advance(&self, millis: u64) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(millis, Ordering::SeqCst) + millis)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
