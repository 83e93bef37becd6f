//! The history projector, and its rebuild beside the live version.

mod error;
mod fill;
mod rebuild;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use verbatim_ports::{
    StoreError,
    follow::{Checkpoint, Followed},
    history::{HistoryWriter, Version},
    rows::ConversationRows,
};

use crate::runner::{Projection, Session};

pub use error::RebuildError;
pub use rebuild::{Phase, Progress, Rebuild, Rebuilder, Rebuilt};

/// The projector's name.
pub const NAME: &str = "history";

/// How often an idle partition is looked at: a version that another node made live may lack the last
/// ruling that was written to the one before, and nothing more may come.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Writes history's live version.
pub struct History {
    writer: Arc<dyn HistoryWriter>,
}

impl History {
    /// Writes through `writer`.
    pub fn new(writer: Arc<dyn HistoryWriter>) -> Self {
        Self { writer }
    }

    pub(crate) fn writer(&self) -> &dyn HistoryWriter {
        &*self.writer
    }
}

#[async_trait]
impl Projection for History {
    fn name(&self) -> &'static str {
        NAME
    }

    fn advice(&self) -> &'static str {
        "restore the log that history was made from; only if this log is the right one, drop history's \
         data (it is made again from the log), and restart"
    }

    async fn resume(&self, partition: u32) -> Result<Box<dyn Session>, StoreError> {
        let version = self.writer.live().await?;
        let checkpoint = self.writer.checkpoint(version, partition).await?;
        let writer = Arc::clone(&self.writer);
        Ok(Box::new(Writing { writer, version, partition, checkpoint }))
    }
}

/// Writing one partition of one version.
struct Writing {
    writer: Arc<dyn HistoryWriter>,
    version: Version,
    partition: u32,
    checkpoint: Option<Checkpoint>,
}

#[async_trait]
impl Session for Writing {
    fn checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint
    }

    async fn apply(&mut self, rulings: Vec<Followed>) -> Result<(), StoreError> {
        let Some(next) = rulings.last().map(|followed| followed.checkpoint) else { return Ok(()) };
        let expected = self.checkpoint.map(|checkpoint| checkpoint.src);
        let rows = rows_of(&rulings);
        self.writer.apply(self.version, self.partition, expected, rows, next).await?;
        self.checkpoint = Some(next);
        Ok(())
    }

    fn check_every(&self) -> Option<Duration> {
        Some(LOOK_EVERY)
    }

    async fn check(&mut self) -> Result<(), StoreError> {
        if self.writer.live().await? == self.version { Ok(()) } else { Err(StoreError::Fenced) }
    }
}

/// What a batch of rulings changes.
pub(crate) fn rows_of(rulings: &[Followed]) -> ConversationRows {
    let mut rows = ConversationRows::default();
    for followed in rulings {
        rows.add(&followed.ruling);
    }
    rows
}
