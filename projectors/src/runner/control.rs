//! Pausing a projection, and holding it still while its ground is changed.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedRwLockWriteGuard, RwLock, watch};

/// How long a pause waits for the batches under way.
const QUIET_WITHIN: Duration = Duration::from_secs(5);

/// A batch did not end in time; no new one begins, but that one may still be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a batch is still being written; no new one begins")]
pub struct StillBusy;

/// Steers one projection in all its partitions.
///
/// Every batch is written inside a pass through the gate. Whoever holds the gate has all partitions
/// between two batches. The gate counts how often the ground was changed under the projection: work
/// that began before reads its checkpoint again.
#[derive(Debug)]
pub struct Control {
    pub(super) paused: watch::Sender<bool>,
    pub(super) gate: Arc<RwLock<u64>>,
}

impl Default for Control {
    fn default() -> Self {
        Self { paused: watch::Sender::new(false), gate: Arc::default() }
    }
}

impl Control {
    /// Begins no batch any more, and returns when those under way are written.
    pub async fn pause(&self) -> Result<(), StillBusy> {
        self.paused.send_replace(true);
        let quiet = tokio::time::timeout(QUIET_WITHIN, self.gate.write()).await;
        quiet.map(drop).map_err(|_| StillBusy)
    }

    /// Goes on.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// Waits until no batch is being written, and lets none begin until the result is dropped.
    pub(crate) async fn still(&self) -> Still {
        Still(Arc::clone(&self.gate).write_owned().await)
    }
}

/// No batch is being written while this lives.
pub(crate) struct Still(OwnedRwLockWriteGuard<u64>);

impl Still {
    /// All partitions begin again from their checkpoints.
    pub(crate) fn reload(mut self) {
        *self.0 += 1;
    }
}
