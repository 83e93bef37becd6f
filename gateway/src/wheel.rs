use std::sync::{Arc, Mutex, PoisonError};

use crate::session::Session;

/// Buckets of one second each; what is due later waits in the furthest and is put in again.
const BUCKETS: usize = 128;
const BUCKET_MS: u64 = 1_000;

/// The timers of all sockets: a hashed wheel of whole seconds that one task turns.
///
/// A session has an entry here and no timer of its own. An entry that is not needed any more is
/// harmless: the session's task looks at its own deadlines.
pub(crate) struct Wheel {
    state: Mutex<State>,
}

struct State {
    /// The last second that was turned over.
    current: u64,
    buckets: Vec<Vec<Arc<Session>>>,
}

impl Default for Wheel {
    fn default() -> Self {
        let buckets = std::iter::repeat_with(Vec::new).take(BUCKETS).collect();
        Self { state: Mutex::new(State { current: 0, buckets }) }
    }
}

impl Wheel {
    /// Has the session's task look at its timers at `at` milliseconds of the gateway's life, or up to
    /// a second later; when that is more than two minutes ahead, once before.
    pub(crate) fn schedule(&self, session: &Arc<Session>, at: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let furthest = state.current + BUCKETS as u64 - 1;
        let second = at.div_ceil(BUCKET_MS).clamp(state.current + 1, furthest);
        state.buckets[bucket(second)].push(session.clone());
    }

    /// Turns to `now` and tells the sessions that are due.
    pub(crate) fn turn(&self, now: u64) {
        let mut due = Vec::new();
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let target = now / BUCKET_MS;
            // At most once around.
            for second in (state.current + 1..=target).take(BUCKETS) {
                due.append(&mut state.buckets[bucket(second)]);
            }
            state.current = state.current.max(target);
        }
        due.iter().for_each(|session| session.timer_due());
    }
}

fn bucket(second: u64) -> usize {
    // Below BUCKETS.
    usize::try_from(second % BUCKETS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_session_is_told_in_its_second_and_not_before() {
        let wheel = Wheel::default();
        let session = |slot| Arc::new(Session::new(slot, 0, 0));
        let (soon, later, far) = (session(0), session(1), session(2));
        wheel.schedule(&soon, 1_500);
        wheel.schedule(&later, 31_000);
        wheel.schedule(&far, 3_600_000);
        let told = |session: &Session| session.begin(Waker::noop());
        wheel.turn(1_999);
        assert!(!told(&soon));
        wheel.turn(2_000);
        assert!(told(&soon) && !told(&later));
        wheel.turn(31_500);
        assert!(told(&later) && !told(&far));
        wheel.turn(126_000);
        assert!(!told(&far));
        wheel.turn(200_000);
        assert!(told(&far), "once before, to be put in again");
        wheel.turn(1_000_000);
        assert!(!told(&soon), "once only");
    }
}
