//! Stores that end the process around a write, or do not keep all of it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use verbatim_domain::{
    Position,
    state::{BatchNeeds, Change, ConversationState},
};
use verbatim_ports::{
    StoreError,
    conversations::ConversationStore,
    follow::Checkpoint,
    history::{HistoryWriter, Version},
    rows::ConversationRows,
};
use verbatim_schemas::{ConversationId, Digest, Src};

use super::{Broken, Faults};

pub(super) struct FaultyConversations {
    pub inner: Arc<dyn ConversationStore>,
    pub faults: Arc<Faults>,
}

#[async_trait]
impl ConversationStore for FaultyConversations {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Checkpoint>, StoreError> {
        self.inner.checkpoint(partition).await
    }

    async fn load(
        &self,
        partition: u32,
        needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError> {
        let mut states = self.inner.load(partition, needs).await?;
        if self.faults.broken == Some(Broken::ForgetsIds) {
            for state in states.values_mut() {
                state.memories.clear();
                state.spent.clear();
            }
        }
        Ok(states)
    }

    async fn save(
        &self,
        partition: u32,
        expected: Option<Src>,
        changes: Vec<(ConversationId, Change)>,
        next: Checkpoint,
    ) -> Result<(), StoreError> {
        self.faults.pass("state", "before");
        let saved = self.inner.save(partition, expected, changes, next).await;
        self.faults.pass("state", "after");
        saved
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        self.inner.clear(partition).await
    }
}

pub(super) struct FaultyHistory {
    pub inner: Arc<dyn HistoryWriter>,
    pub faults: Arc<Faults>,
}

#[async_trait]
impl HistoryWriter for FaultyHistory {
    async fn live(&self) -> Result<Version, StoreError> {
        self.inner.live().await
    }

    async fn checkpoint(
        &self,
        version: Version,
        partition: u32,
    ) -> Result<Option<Checkpoint>, StoreError> {
        self.inner.checkpoint(version, partition).await
    }

    async fn apply(
        &self,
        version: Version,
        partition: u32,
        expected: Option<Src>,
        mut rows: ConversationRows,
        next: Checkpoint,
    ) -> Result<(), StoreError> {
        let live = self.inner.live().await? == version;
        if !live && self.faults.broken == Some(Broken::RebuildsLess) {
            rows.receipts.pop_last();
        }
        let step = if live { "history" } else { "rebuild" };
        self.faults.pass(step, "before");
        let applied = self.inner.apply(version, partition, expected, rows, next).await;
        self.faults.pass(step, "after");
        applied
    }

    async fn create(&self) -> Result<Version, StoreError> {
        self.inner.create().await
    }

    async fn digest(&self, version: Version) -> Result<(Position, Digest), StoreError> {
        self.inner.digest(version).await
    }

    async fn promote(&self, version: Version) -> Result<(), StoreError> {
        self.faults.pass("promote", "before");
        let promoted = self.inner.promote(version).await;
        self.faults.pass("promote", "after");
        promoted
    }

    async fn discard(&self, version: Version) -> Result<(), StoreError> {
        self.inner.discard(version).await
    }
}
