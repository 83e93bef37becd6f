//! What a worker holds while it works on a partition: signals, the gate, and its status.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use verbatim_schemas::{Src, Timestamp};

use super::{
    Backoff, Ended,
    control::Control,
    status::{Cell, State},
};

/// One batch may be written while this lives.
#[derive(Debug)]
pub struct Pass {
    _gate: OwnedRwLockReadGuard<u64>,
}

/// Work on one partition.
pub struct Task {
    partition: u32,
    stop: watch::Receiver<bool>,
    control: Arc<Control>,
    paused: watch::Receiver<bool>,
    cell: Arc<Cell>,
}

impl Task {
    pub(super) fn new(
        partition: u32,
        stop: watch::Receiver<bool>,
        control: Arc<Control>,
        cell: Arc<Cell>,
    ) -> Self {
        let paused = control.paused.subscribe();
        Self { partition, stop, control, paused, cell }
    }

    /// Which partition.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// Counts how often the ground was changed; taken before the checkpoint is read.
    pub async fn ground(&self) -> u64 {
        *self.control.gate.read().await
    }

    /// Waits for `work`, unless told to stop meanwhile. While paused, `work` is kept but not waited
    /// for.
    pub async fn until<F: Future>(&mut self, work: F) -> Result<F::Output, Ended> {
        let mut work = pin!(work);
        loop {
            if *self.paused.borrow() {
                self.cell.set(State::Paused);
                tokio::select! {
                    biased;
                    () = stopped(&mut self.stop) => return Err(Ended::Stopped),
                    () = turned(&mut self.paused, false) => self.cell.set(State::Running),
                }
            }
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return Err(Ended::Stopped),
                () = turned(&mut self.paused, true) => {}
                output = &mut work => return Ok(output),
            }
        }
    }

    /// Waits for leave to write a batch that was made since [`ground`](Self::ground) was taken.
    pub async fn enter(&mut self, ground: u64) -> Result<Pass, Ended> {
        loop {
            let gate: Arc<RwLock<u64>> = Arc::clone(&self.control.gate);
            let gate = self.until(gate.read_owned()).await?;
            if *gate != ground {
                return Err(Ended::Reload);
            }
            // A pause between the wait and the gate counts: whoever paused waits at the gate.
            if !*self.paused.borrow() {
                return Ok(Pass { _gate: gate });
            }
        }
    }

    /// Sleeps, unless told to stop meanwhile.
    pub async fn sleep(&mut self, time: Duration) -> Result<(), Ended> {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => Err(Ended::Stopped),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }

    /// Waits after a failure, visibly, unless told to stop meanwhile.
    pub(crate) async fn back_off(
        &mut self,
        backoff: &mut Backoff,
        reason: String,
    ) -> Result<(), Ended> {
        let wait = backoff.next();
        self.cell.meters.retry();
        self.set(State::Retrying { reason, attempts: backoff.attempts() });
        self.sleep(wait).await
    }

    /// Shows what the partition is doing.
    pub fn set(&self, state: State) {
        self.cell.set(state);
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.cell.now()
    }

    /// Shows where work begins.
    pub fn begins(&self, position: Option<Src>) {
        self.cell.update(|status| status.position = position);
    }

    /// Shows that a batch was written, begun at `began`.
    pub fn wrote(&self, position: Src, records: usize, began: Timestamp) {
        self.cell.meters.batch(records, self.now().millis_since(began));
        self.cell.update(|status| {
            status.position = Some(position);
            status.batches += 1;
            status.failing_since = None;
        });
        self.set(State::Running);
    }

    /// How many batches were written since the partition was taken.
    pub(super) fn batches(&self) -> u64 {
        self.cell.status().batches
    }

    /// Shows whether rulings are skipped because one before them is missing.
    pub fn gap(&self, open: bool) {
        let now = self.now();
        let mut changed = false;
        self.cell.update(|status| {
            changed = status.gap_since.is_some() != open;
            if changed {
                status.gap_since = open.then_some(now);
            }
        });
        if changed {
            self.cell.meters.gap(open);
        }
    }
}

/// The sender ends with whoever could say stop, which is to stop as well.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn turned(paused: &mut watch::Receiver<bool>, to: bool) {
    if paused.wait_for(|paused| *paused == to).await.is_err() {
        std::future::pending::<()>().await;
    }
}
