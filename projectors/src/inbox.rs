//! The inbox projector: heads and unread counts, in a cache that may forget.
//!
//! A cache that holds nothing of a partition is warmed from history, and then follows the timeline from
//! the checkpoint that history's rows include. A cache that was flushed later shows by its checkpoint,
//! which is looked at before each batch and every few seconds.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use verbatim_ports::{
    StoreError,
    follow::{Checkpoint, Followed},
    history::{HistoryStore, HistoryWriter},
    inbox::InboxCache,
};
use verbatim_schemas::Src;

use crate::{
    history::rows_of,
    runner::{Projection, Session},
};

/// The projector's name.
pub const NAME: &str = "inbox";

/// How often an idle cache is looked at: a flush is made good within it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Writes the inbox.
pub struct Inbox {
    cache: Arc<dyn InboxCache>,
    history: Arc<dyn HistoryStore>,
    writer: Arc<dyn HistoryWriter>,
}

impl Inbox {
    /// Fills `cache`, warmed from `history`; of `writer` only the checkpoints are read.
    pub fn new(
        cache: Arc<dyn InboxCache>,
        history: Arc<dyn HistoryStore>,
        writer: Arc<dyn HistoryWriter>,
    ) -> Self {
        Self { cache, history, writer }
    }

    /// Fills the cache with what history holds, and gives the checkpoint that this includes.
    async fn warm(&self, partition: u32) -> Result<Option<Checkpoint>, StoreError> {
        let Some((checkpoint, rows)) = self.history.inbox_rows(partition).await? else {
            return Ok(None);
        };
        self.cache.warm(partition, rows, checkpoint.src).await?;
        Ok(Some(checkpoint))
    }

    /// Where to follow the timeline from when the cache includes `stored`: the cache keeps no hash, so
    /// history's checkpoint is what is compared with the log. Where history is ahead, the cache is
    /// brought there first; where it is behind, rulings are dropped up to `stored`.
    async fn join(&self, partition: u32, stored: Src) -> Result<Option<Checkpoint>, StoreError> {
        let live = self.writer.live().await?;
        let checkpoint = self.writer.checkpoint(live, partition).await?;
        match checkpoint {
            Some(ahead) if ahead.src > stored => self.warm(partition).await,
            other => Ok(other),
        }
    }
}

#[async_trait]
impl Projection for Inbox {
    fn name(&self) -> &'static str {
        NAME
    }

    fn advice(&self) -> &'static str {
        "see what the history projector of this partition says; once history is right, flush the inbox \
         cache (it is warmed from history), and restart"
    }

    async fn resume(&self, partition: u32) -> Result<Box<dyn Session>, StoreError> {
        let stored = self.cache.checkpoint(partition).await?;
        let checkpoint = match stored {
            Some(stored) => self.join(partition, stored).await?,
            None => {
                self.cache.clear(partition).await?;
                self.warm(partition).await?
            }
        };
        let included = stored.max(checkpoint.map(|checkpoint| checkpoint.src));
        let cache = Arc::clone(&self.cache);
        Ok(Box::new(Filling { cache, partition, checkpoint, included }))
    }
}

/// Filling one partition of the cache.
struct Filling {
    cache: Arc<dyn InboxCache>,
    partition: u32,
    checkpoint: Option<Checkpoint>,
    /// What the cache includes; may be beyond the checkpoint.
    included: Option<Src>,
}

#[async_trait]
impl Session for Filling {
    fn checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint
    }

    fn position(&self) -> Option<Src> {
        self.included
    }

    async fn apply(&mut self, mut rulings: Vec<Followed>) -> Result<(), StoreError> {
        let last = rulings.last().map(|followed| followed.checkpoint);
        rulings.retain(|followed| Some(followed.ruling.src) > self.included);
        if let Some(next) = rulings.last().map(|followed| followed.ruling.src) {
            self.check().await?;
            self.cache.apply(self.partition, rows_of(&rulings), next).await?;
            self.included = Some(next);
        }
        self.checkpoint = last.or(self.checkpoint);
        Ok(())
    }

    fn check_every(&self) -> Option<Duration> {
        Some(LOOK_EVERY)
    }

    async fn check(&mut self) -> Result<(), StoreError> {
        let stored = self.cache.checkpoint(self.partition).await?;
        if stored == self.included { Ok(()) } else { Err(StoreError::Fenced) }
    }
}
