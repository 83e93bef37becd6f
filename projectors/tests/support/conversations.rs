//! The timeline projector's state in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use verbatim_domain::state::{BatchNeeds, Change, ConversationState};
use verbatim_ports::{StoreError, conversations::ConversationStore, follow::Checkpoint};
use verbatim_schemas::{ConversationId, Src};

use super::{Changes, chaos::Chaos};

type States = BTreeMap<ConversationId, ConversationState>;

pub struct StoreData {
    partitions: Mutex<BTreeMap<u32, (Option<Checkpoint>, States)>>,
    changes: Changes,
}

impl StoreData {
    pub fn new(changes: Changes) -> Self {
        Self { partitions: Mutex::default(), changes }
    }

    pub fn checkpoint(&self, partition: u32) -> Option<Checkpoint> {
        self.partitions.lock().unwrap().get(&partition)?.0
    }

    pub fn position(&self, partition: u32) -> Option<u64> {
        self.checkpoint(partition).map(|checkpoint| checkpoint.src.offset)
    }

    /// The states of the conversations that anything is known of.
    pub fn states(&self, partition: u32) -> States {
        let states = self.partitions.lock().unwrap().get(&partition).map(|p| p.1.clone());
        let mut states = states.unwrap_or_default();
        states.retain(|_, state| *state != ConversationState::default());
        states
    }

    pub fn set_checkpoint(&self, partition: u32, checkpoint: Option<Checkpoint>) {
        self.partitions.lock().unwrap().entry(partition).or_default().0 = checkpoint;
    }
}

pub struct StoreView {
    data: Arc<StoreData>,
    chaos: Arc<Chaos>,
}

impl StoreView {
    pub fn new(data: &Arc<StoreData>, chaos: &Arc<Chaos>) -> Self {
        Self { data: Arc::clone(data), chaos: Arc::clone(chaos) }
    }

    async fn may_fail(&self) -> Result<(), StoreError> {
        self.chaos.step().await;
        if self.chaos.fails() { Err(StoreError::Unavailable("bad luck".into())) } else { Ok(()) }
    }
}

pub fn change(state: &mut ConversationState, change: Change) {
    match change {
        Change::Head(head) => state.head = Some(*head),
        Change::Member(user, Some(row)) => {
            state.members.insert(user, row);
        }
        Change::Member(user, None) => {
            state.members.remove(&user);
        }
        Change::Memory(user, memory) => {
            state.memories.insert(user, memory);
        }
        Change::Spent(user, id, Some(row)) => {
            state.spent.insert((user, id), row);
        }
        Change::Spent(user, id, None) => {
            state.spent.remove(&(user, id));
        }
    }
}

#[async_trait]
impl ConversationStore for StoreView {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Checkpoint>, StoreError> {
        self.may_fail().await?;
        Ok(self.data.checkpoint(partition))
    }

    async fn load(
        &self,
        partition: u32,
        needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError> {
        self.may_fail().await?;
        let states = {
            let partitions = self.data.partitions.lock().unwrap();
            let empty = States::new();
            let states = partitions.get(&partition).map_or(&empty, |p| &p.1);
            let load = |id: &ConversationId, needs| {
                states.get(id).map(|state| state.part(needs)).unwrap_or_default()
            };
            needs.iter().map(|(id, needs)| (*id, load(id, needs))).collect()
        };
        self.chaos.step().await;
        Ok(states)
    }

    async fn save(
        &self,
        partition: u32,
        expected: Option<Src>,
        changes: Vec<(ConversationId, Change)>,
        next: Checkpoint,
    ) -> Result<(), StoreError> {
        self.may_fail().await?;
        {
            let mut partitions = self.data.partitions.lock().unwrap();
            let (checkpoint, states) = partitions.entry(partition).or_default();
            if checkpoint.map(|checkpoint| checkpoint.src) != expected {
                return Err(StoreError::Fenced);
            }
            *checkpoint = Some(next);
            for (conversation, row) in changes {
                change(states.entry(conversation).or_default(), row);
            }
        }
        self.data.changes.send_modify(|changes| *changes += 1);
        // Written, but the answer may be lost.
        self.may_fail().await
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        self.may_fail().await?;
        self.data.partitions.lock().unwrap().remove(&partition);
        self.may_fail().await
    }
}
