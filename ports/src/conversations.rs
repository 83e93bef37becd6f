//! The timeline projector's state: a cache of what `chat.timeline` says, kept as rows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use verbatim_domain::state::{BatchNeeds, Change, ConversationState};
use verbatim_schemas::{ConversationId, Src};

use crate::{StoreError, follow::Checkpoint};

/// The states of the conversations of each partition, and how far they include the timeline.
#[async_trait]
pub trait ConversationStore: Send + Sync {
    /// Up to which ruling the rows of a partition include the timeline; none for an empty store.
    async fn checkpoint(&self, partition: u32) -> Result<Option<Checkpoint>, StoreError>;

    /// The rows that are needed, all of one moment. A conversation that does not exist comes as an
    /// empty state. The number of rows read depends on `needs` alone, never on how large a
    /// conversation is.
    async fn load(
        &self,
        partition: u32,
        needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError>;

    /// [`load`](Self::load) at a known checkpoint: [`StoreError::Fenced`] when the rows may be of
    /// another. Else two owners of one store could rule on rows that include what they rule on.
    /// A store that can compare in the same read does so; this asks again, which is as safe because
    /// a checkpoint only moves on.
    async fn load_at(
        &self,
        partition: u32,
        expected: Option<Src>,
        needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError> {
        let states = self.load(partition, needs).await?;
        let now = self.checkpoint(partition).await?.map(|checkpoint| checkpoint.src);
        if now == expected { Ok(states) } else { Err(StoreError::Fenced) }
    }

    /// Writes rows, in order, and moves the checkpoint from `expected` to `next`: all or nothing.
    /// [`StoreError::Fenced`] when the checkpoint is not at `expected`.
    async fn save(
        &self,
        partition: u32,
        expected: Option<Src>,
        changes: Vec<(ConversationId, Change)>,
        next: Checkpoint,
    ) -> Result<(), StoreError>;

    /// Drops all rows and the checkpoint of a partition; they are folded again from the timeline.
    async fn clear(&self, partition: u32) -> Result<(), StoreError>;
}
