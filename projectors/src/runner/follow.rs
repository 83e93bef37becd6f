//! Projections of `chat.timeline`: read, and write batch by batch with a checkpoint.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_trait::async_trait;
use verbatim_ports::{
    StoreError,
    follow::{Checkpoint, FollowError, Followed, FollowedBatch, Follower},
    log::{EventLog, Stream},
};
use verbatim_schemas::Src;

use super::{Ended, State, Task, Worker};

/// A read model that is made from the rulings.
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What an operator does when a partition stopped because its data is not usable.
    fn advice(&self) -> &'static str;

    /// Begins or goes on in one partition.
    async fn resume(&self, partition: u32) -> Result<Box<dyn Session>, StoreError>;
}

/// A projection's work in one partition from one checkpoint on.
#[async_trait]
pub trait Session: Send {
    /// What is included. Rulings after it are applied.
    fn checkpoint(&self) -> Option<Checkpoint>;

    /// The last record that is included, where that is beyond the checkpoint.
    fn position(&self) -> Option<Src> {
        self.checkpoint().map(|checkpoint| checkpoint.src)
    }

    /// Writes a batch (at least one ruling, in order) and moves the checkpoint to its last, all or
    /// nothing. After an error the session is dropped and [`Projection::resume`] called again.
    async fn apply(&mut self, rulings: Vec<Followed>) -> Result<(), StoreError>;

    /// How often to [`check`](Self::check) while nothing comes; none for stores that nobody else changes.
    fn check_every(&self) -> Option<Duration> {
        None
    }

    /// Sees whether the store still holds what was written: [`StoreError::Fenced`] when not.
    async fn check(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Runs a [`Projection`] over the timeline.
///
/// A batch is whatever arrived while the last one was being written, at most
/// [`BATCH_RECORDS`](verbatim_ports::log::BATCH_RECORDS); so an idle system adds no delay.
pub struct Following<P> {
    log: Arc<dyn EventLog>,
    projection: Arc<P>,
}

impl<P: Projection> Following<P> {
    /// Reads from `log`.
    pub fn new(log: Arc<dyn EventLog>, projection: Arc<P>) -> Self {
        Self { log, projection }
    }
}

#[async_trait]
impl<P: Projection> Worker for Following<P> {
    fn name(&self) -> &'static str {
        self.projection.name()
    }

    fn advice(&self) -> &'static str {
        self.projection.advice()
    }

    async fn run(&self, task: &mut Task) -> Result<Infallible, Ended> {
        let ground = task.ground().await;
        let partition = task.partition();
        let mut session = self.projection.resume(partition).await?;
        let checkpoint = session.checkpoint();
        check_place(&*self.log, partition, session.position()).await?;
        let mut follower = Follower::resume(&*self.log, partition, checkpoint).await?;
        task.begins(session.position());
        task.gap(false);
        task.set(State::Running);
        loop {
            let every = session.check_every();
            let Some(batch) = task.until(next(&mut follower, every)).await?? else {
                session.check().await?;
                continue;
            };
            task.gap(follower.skipped() > 0);
            let Some(last) = batch.rulings.last().map(|followed| followed.checkpoint.src) else {
                continue;
            };
            let _pass = task.enter(ground).await?;
            let (began, records) = (task.now(), batch.rulings.len());
            session.apply(batch.rulings).await?;
            task.wrote(session.position().unwrap_or(last), records, began);
        }
    }
}

/// The next rulings; none when none came within `patience`.
async fn next(
    follower: &mut Follower,
    patience: Option<Duration>,
) -> Result<Option<FollowedBatch>, FollowError> {
    let Some(patience) = patience else { return follower.next().await.map(Some) };
    match tokio::time::timeout(patience, follower.next()).await {
        Ok(batch) => batch.map(Some),
        Err(_) => Ok(None),
    }
}

/// Sees whether a position can belong to this log: it has the log's layout, and its record is there.
/// The ruling's hash is compared when it comes.
pub(crate) async fn check_place(
    log: &dyn EventLog,
    partition: u32,
    position: Option<Src>,
) -> Result<(), Ended> {
    let Some(src) = position else { return Ok(()) };
    let layout = log.layout();
    if src.generation != layout.generation || src.partition != partition {
        return Err(Ended::Unusable(format!(
            "the checkpoint names record {src:?}, but this is partition {partition} of generation {}",
            layout.generation
        )));
    }
    check_end(log, partition, src).await
}

/// Sees whether a record that was ruled on is on `chat.events`. Were it not, new records would get
/// the offsets of lost ones, and never be ruled on.
pub(crate) async fn check_end(log: &dyn EventLog, partition: u32, src: Src) -> Result<(), Ended> {
    let end = log.end(Stream::Events, partition).await?;
    if src.offset < end {
        return Ok(());
    }
    Err(Ended::Unusable(format!(
        "partition {partition} of chat.events ends at offset {end}, but record {} was ruled on: \
         acknowledged records are missing from the log",
        src.offset
    )))
}
