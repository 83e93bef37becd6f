//! How many commands are between their submission and their answer.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;
use verbatim_schemas::{Code, Problem};

use super::measure;

/// When to try again after the bound was met, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// The commands in flight, within bounds.
pub(crate) struct InFlight {
    commands: AtomicUsize,
    bytes: AtomicUsize,
    most_commands: usize,
    most_bytes: usize,
    none: Notify,
}

/// One of them; leaves when dropped.
pub(crate) struct Flight {
    all: Arc<InFlight>,
    bytes: usize,
}

impl InFlight {
    pub(crate) fn new(most_commands: usize, most_bytes: usize) -> Self {
        let (commands, bytes, none) = Default::default();
        Self { commands, bytes, most_commands, most_bytes, none }
    }

    /// Lets a command with an event of that size in, or refuses it at once.
    pub(crate) fn enter(self: &Arc<Self>, bytes: usize) -> Result<Flight, Problem> {
        // Entered first and looked at then: too many at once never all come in.
        let flight = Flight { all: self.clone(), bytes };
        let commands = self.commands.fetch_add(1, Ordering::AcqRel);
        measure::in_flight(commands + 1);
        let before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        if commands < self.most_commands && before.saturating_add(bytes) <= self.most_bytes {
            return Ok(flight);
        }
        Err(Problem::new(Code::Unavailable).retry_after_ms(RETRY_AFTER_MS))
    }

    /// Waits for a moment without commands.
    pub(crate) async fn none(&self) {
        loop {
            let left = self.none.notified();
            if self.commands.load(Ordering::Acquire) == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        let left = self.all.commands.fetch_sub(1, Ordering::AcqRel) - 1;
        measure::in_flight(left);
        if left == 0 {
            self.all.none.notify_waiters();
        }
    }
}
