//! A store of conversations that counts rows.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use tokio::sync::watch;
use verbatim_adapters::embedded::conversations::EmbeddedConversations;
use verbatim_domain::state::{BatchNeeds, Change, ConversationState};
use verbatim_ports::{StoreError, conversations::ConversationStore, follow::Checkpoint};
use verbatim_schemas::{ConversationId, Src};

/// Counts the rows that come out of a store and go into it.
pub struct Counted {
    inner: EmbeddedConversations,
    read: AtomicUsize,
    written: AtomicUsize,
    saved: watch::Sender<Option<Src>>,
}

impl Counted {
    pub fn new(inner: EmbeddedConversations) -> Self {
        Self {
            inner,
            read: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            saved: watch::Sender::new(None),
        }
    }

    /// Rows read and written so far.
    pub fn counted(&self) -> (usize, usize) {
        (self.read.load(Ordering::Acquire), self.written.load(Ordering::Acquire))
    }

    /// Waits until the ruling on a record of the one partition is saved.
    pub async fn saved(&self, offset: u64) {
        let mut saved = self.saved.subscribe();
        saved.wait_for(|src| src.is_some_and(|src| src.offset >= offset)).await.unwrap();
    }

    fn came(&self, states: &BTreeMap<ConversationId, ConversationState>) {
        let rows = |state: &ConversationState| {
            let head = usize::from(state.head.is_some());
            head + state.members.len() + state.memories.len() + state.spent.len()
        };
        self.read.fetch_add(states.values().map(rows).sum(), Ordering::AcqRel);
    }
}

#[async_trait]
impl ConversationStore for Counted {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Checkpoint>, StoreError> {
        self.inner.checkpoint(partition).await
    }

    async fn load(
        &self,
        partition: u32,
        needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError> {
        let states = self.inner.load(partition, needs).await?;
        self.came(&states);
        Ok(states)
    }

    async fn load_at(
        &self,
        partition: u32,
        expected: Option<Src>,
        needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError> {
        let states = self.inner.load_at(partition, expected, needs).await?;
        self.came(&states);
        Ok(states)
    }

    async fn save(
        &self,
        partition: u32,
        expected: Option<Src>,
        changes: Vec<(ConversationId, Change)>,
        next: Checkpoint,
    ) -> Result<(), StoreError> {
        let rows = changes.len();
        self.inner.save(partition, expected, changes, next).await?;
        self.written.fetch_add(rows, Ordering::AcqRel);
        self.saved.send_replace(Some(next.src));
        Ok(())
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        self.inner.clear(partition).await
    }
}
