use std::sync::{Arc, Mutex, PoisonError};

use verbatim_ports::clock::Clock;
use verbatim_schemas::Timestamp;

/// A step of the clock that is taken for what it says; a larger one is a clock that was set, or a
/// machine that slept, and nobody is to be closed for it.
const LARGEST_STEP_MS: u64 = 45_000;

/// Milliseconds of this gateway's life, for intervals: never runs backwards and never leaps.
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    elapsed: u64,
    seen: Timestamp,
}

impl Time {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let seen = clock.now();
        Self { clock, state: Mutex::new(State { elapsed: 0, seen }) }
    }

    /// How long the gateway has lived, in milliseconds.
    pub(crate) fn elapsed(&self) -> u64 {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let step = now.millis_since(state.seen);
        state.elapsed += if step > LARGEST_STEP_MS { 0 } else { step };
        state.seen = now;
        state.elapsed
    }

    /// The time of day.
    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Set(AtomicU64);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn a_clock_that_is_set_moves_no_interval() {
        let clock = Arc::new(Set(AtomicU64::new(1_000_000)));
        let time = Time::new(clock.clone());
        let at = |millis| {
            clock.0.store(millis, Ordering::SeqCst);
            time.elapsed()
        };
        assert_eq!(at(1_002_500), 2_500);
        assert_eq!(at(9_000_000), 2_500, "a leap ahead");
        assert_eq!(at(9_000_100), 2_600);
        assert_eq!(at(500), 2_600, "and back");
        assert_eq!(at(1_500), 3_600);
    }
}
