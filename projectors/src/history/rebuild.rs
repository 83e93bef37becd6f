//! Rebuilding history while it serves.
//!
//! A new version is filled beside the live one from the whole timeline, and both are compared at one
//! position: the live version's digest names the position it is of, and the new one is brought exactly
//! there. Where they are equal, the history projector is held still between two batches, the new
//! version is brought to where the live one stands, and goes live; the projector begins again from the
//! new version's checkpoints. Nothing is left out and nothing doubled, since each version's rows and
//! its checkpoint are one.
//!
//! Ended at any moment, the live version serves on, and what was filled is dropped by the next rebuild.
//! Other nodes' projectors are not held still: their next write finds the old version gone
//! (`Fenced`), or they see it within seconds, and they too begin again from the new one's checkpoints.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;
use tokio::{sync::watch, task::JoinHandle};
use verbatim_domain::Position;
use verbatim_ports::{
    StoreError,
    history::Version,
    log::{EventLog, Stream},
};
use verbatim_schemas::{Digest, Src};

use super::{
    History, RebuildError,
    fill::{Fill, patiently},
};
use crate::runner::Control;

/// How often the new version is brought to where the live one stood before it must be near enough.
const ROUNDS: usize = 32;
/// How few rulings in one round are near enough: so many are written while the projector stands still.
const NEAR: usize = 2_000;

/// What a rebuild is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It fills the new version.
    Filling,
    /// It compares it with the live one.
    Comparing,
    /// The new version goes live.
    Promoting,
    /// It has ended, one way or the other.
    Ended,
}

/// How far a rebuild has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// How many records of the timeline it has read.
    pub done: u64,
    /// How many there are; grows while the system serves.
    pub total: u64,
}

/// What a rebuild found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The version that is live now.
    pub version: Version,
    /// Where the two were compared.
    pub position: Position,
    /// The digest of both there.
    pub digest: Digest,
}

/// A rebuild under way. Dropping this leaves it going.
pub struct Rebuild {
    /// How far it has come.
    pub progress: watch::Receiver<Progress>,
    task: JoinHandle<Result<Rebuilt, RebuildError>>,
}

impl Rebuild {
    /// Waits for its end.
    pub async fn outcome(self) -> Result<Rebuilt, RebuildError> {
        self.task.await.unwrap_or(Err(RebuildError::Panicked))
    }
}

/// Rebuilds the history that is projected in this process.
pub struct Rebuilder {
    log: Arc<dyn EventLog>,
    history: Arc<History>,
    control: Arc<Control>,
    stop: watch::Receiver<bool>,
    busy: Arc<AtomicBool>,
}

impl Rebuilder {
    /// The version that is live.
    pub(crate) async fn live(&self) -> Result<Version, StoreError> {
        self.history.writer().live().await
    }

    pub(crate) fn new(
        log: Arc<dyn EventLog>,
        history: Arc<History>,
        control: Arc<Control>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { log, history, control, stop, busy: Arc::default() }
    }

    /// The digest of the live version, and the position it is of.
    pub async fn digest(&self) -> Result<(Position, Digest), StoreError> {
        let writer = self.history.writer();
        writer.digest(writer.live().await?).await
    }

    /// Begins a rebuild; [`RebuildError::AlreadyRunning`] while another runs in this process.
    pub fn start(&self) -> Result<Rebuild, RebuildError> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(RebuildError::AlreadyRunning);
        }
        let busy = Busy(Arc::clone(&self.busy));
        let start = Progress { phase: Phase::Filling, done: 0, total: 0 };
        let (sender, progress) = watch::channel(start);
        let job = Job {
            log: Arc::clone(&self.log),
            history: Arc::clone(&self.history),
            control: Arc::clone(&self.control),
            stop: self.stop.clone(),
            progress: sender,
            read: BTreeMap::new(),
        };
        let task = tokio::spawn(async move {
            let outcome = job.run().await;
            drop(busy);
            outcome
        });
        Ok(Rebuild { progress, task })
    }
}

/// One rebuild at a time, however it ends.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

struct Job {
    log: Arc<dyn EventLog>,
    history: Arc<History>,
    control: Arc<Control>,
    stop: watch::Receiver<bool>,
    progress: watch::Sender<Progress>,
    /// How far each partition of the timeline was read.
    read: BTreeMap<u32, u64>,
}

impl Job {
    async fn run(mut self) -> Result<Rebuilt, RebuildError> {
        let history = Arc::clone(&self.history);
        let writer = history.writer();
        let live = patiently(&mut self.stop, || writer.live()).await?;
        let version = patiently(&mut self.stop, || writer.create()).await?;
        let outcome = self.replace(live, version).await;
        match &outcome {
            Ok(rebuilt) => {
                tracing::info!(version = version.0, digest = ?rebuilt.digest, "history rebuilt")
            }
            Err(error) => {
                tracing::error!(version = version.0, %error, "history not rebuilt");
                self.discard(version).await;
            }
        }
        self.phase(Phase::Ended);
        outcome
    }

    async fn replace(&mut self, live: Version, version: Version) -> Result<Rebuilt, RebuildError> {
        self.count().await?;
        self.come_near(live, version).await?;
        self.phase(Phase::Comparing);
        let (position, digest) = self.compare(live, version).await?;
        self.phase(Phase::Promoting);
        self.come_near(live, version).await?;
        self.promote(live, version).await?;
        Ok(Rebuilt { version, position, digest })
    }

    /// Brings the new version to where the live one stood a moment ago, until that is near.
    async fn come_near(&mut self, live: Version, version: Version) -> Result<(), RebuildError> {
        for _ in 0..ROUNDS {
            if self.catch_up(live, version).await? <= NEAR {
                break;
            }
        }
        Ok(())
    }

    /// Brings every partition of the new version to where the live one stands now.
    async fn catch_up(&mut self, live: Version, version: Version) -> Result<usize, RebuildError> {
        let history = Arc::clone(&self.history);
        let mut written = 0;
        for partition in 0..self.log.layout().partitions {
            let stands = patiently(&mut self.stop, || history.writer().checkpoint(live, partition));
            if let Some(checkpoint) = stands.await? {
                written += self.fill(version, checkpoint.src).await?;
            }
        }
        Ok(written)
    }

    async fn compare(
        &mut self,
        live: Version,
        version: Version,
    ) -> Result<(Position, Digest), RebuildError> {
        let history = Arc::clone(&self.history);
        let writer = history.writer();
        let (position, served) = patiently(&mut self.stop, || writer.digest(live)).await?;
        for (&partition, &offset) in &position.offsets {
            let target = Src { generation: position.generation, partition, offset };
            self.fill(version, target).await?;
        }
        let (stands, rebuilt) = patiently(&mut self.stop, || writer.digest(version)).await?;
        if stands.offsets != position.offsets {
            return Err(RebuildError::Astray);
        }
        if rebuilt != served {
            return Err(RebuildError::Different { live: served, rebuilt });
        }
        Ok((position, served))
    }

    /// With the projector between two batches, the new version goes live just where the old one
    /// stands. What the projector had read for the old one it drops, and reads again.
    async fn promote(&mut self, live: Version, version: Version) -> Result<(), RebuildError> {
        let history = Arc::clone(&self.history);
        let writer = history.writer();
        let still = self.control.still().await;
        let now = patiently(&mut self.stop, || writer.live()).await?;
        if now != live {
            return Err(RebuildError::Superseded(now));
        }
        self.catch_up(live, version).await?;
        let promoted = patiently(&mut self.stop, || async {
            match writer.promote(version).await {
                // It may have gone live all the same.
                Err(StoreError::Unavailable(_)) if writer.live().await? == version => Ok(()),
                outcome => outcome,
            }
        });
        let promoted = promoted.await;
        // Also after an error: the projector asks which version is live.
        still.reload();
        promoted
    }

    /// Drops what was filled, unless it went live after all. What cannot be dropped now is dropped
    /// by the next rebuild.
    async fn discard(&self, version: Version) {
        let writer = self.history.writer();
        let dropped = match writer.live().await {
            Ok(live) if live == version => return,
            Ok(_) => writer.discard(version).await,
            Err(error) => Err(error),
        };
        if let Err(error) = dropped {
            tracing::warn!(version = version.0, %error, "the next rebuild drops this version");
        }
    }

    async fn fill(&mut self, version: Version, target: Src) -> Result<usize, RebuildError> {
        let history = Arc::clone(&self.history);
        let log = Arc::clone(&self.log);
        let mut fill =
            Fill { log: &*log, writer: history.writer(), version, stop: self.stop.clone() };
        let (read, progress) = (&mut self.read, &self.progress);
        fill.up_to(target, &mut |to| {
            read.insert(target.partition, to);
            let done = read.values().sum();
            progress.send_modify(|progress| {
                progress.done = done;
                progress.total = progress.total.max(done);
            });
        })
        .await
    }

    /// Counts the records that are there.
    async fn count(&mut self) -> Result<(), RebuildError> {
        let log = Arc::clone(&self.log);
        let mut total = 0;
        for partition in 0..log.layout().partitions {
            total += patiently(&mut self.stop, || log.end(Stream::Timeline, partition)).await?;
        }
        self.progress.send_modify(|progress| progress.total = total);
        Ok(())
    }

    fn phase(&self, phase: Phase) {
        self.progress.send_modify(|progress| progress.phase = phase);
    }
}
