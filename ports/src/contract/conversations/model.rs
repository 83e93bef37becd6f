//! A partition in memory beside the one in the store.

use std::{collections::BTreeMap, sync::Arc};

use verbatim_domain::{
    apply,
    state::{BatchNeeds, Change, ConversationState, Needs},
};
use verbatim_schemas::{CommandId, ConversationId, Ruling, UserId};

use crate::{
    contract::{
        breach::{Check, ensure},
        driver::checkpoint,
    },
    conversations::ConversationStore,
    follow::Checkpoint,
};

/// The whole states of a partition, and its checkpoint.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) partition: u32,
    pub(super) states: BTreeMap<ConversationId, ConversationState>,
    pub(super) checkpoint: Option<Checkpoint>,
    dice: u64,
}

impl Model {
    pub(super) fn new(partition: u32, seed: u64) -> Self {
        Self { partition, states: BTreeMap::new(), checkpoint: None, dice: seed }
    }

    /// Folds rulings and gives what changed.
    pub(super) fn fold(&mut self, rulings: &[Arc<Ruling>]) -> Vec<(ConversationId, Change)> {
        let mut changes = Vec::new();
        for ruling in rulings {
            if let Some(id) = ruling.conversation_id {
                let state = self.states.entry(id).or_default();
                changes.extend(apply(state, ruling).into_iter().map(|change| (id, change)));
            }
            self.checkpoint = Some(checkpoint(ruling));
        }
        changes
    }

    /// Folds rulings here and in the store.
    pub(super) async fn save(
        &mut self,
        store: &dyn ConversationStore,
        rulings: &[Arc<Ruling>],
    ) -> Check {
        let expected = self.checkpoint.map(|checkpoint| checkpoint.src);
        let changes = self.fold(rulings);
        let Some(next) = self.checkpoint else { return Ok(()) };
        let saved = store.save(self.partition, expected, changes, next).await;
        saved.map_err(|error| format!("a batch was not saved: {error}"))
    }

    /// Starts again from nothing, here and in the store.
    pub(super) async fn clear(&mut self, store: &dyn ConversationStore) -> Check {
        (self.states, self.checkpoint) = (BTreeMap::new(), None);
        let cleared = store.clear(self.partition).await;
        cleared.map_err(|error| format!("a partition was not cleared: {error}"))
    }

    /// What `needs` names.
    pub(super) fn part(&self, needs: &BatchNeeds) -> BTreeMap<ConversationId, ConversationState> {
        let nothing = ConversationState::default();
        let part = |id| self.states.get(id).unwrap_or(&nothing);
        needs.iter().map(|(id, needs)| (*id, part(id).part(needs))).collect()
    }

    /// Compares a load with the model, and the checkpoint.
    pub(super) async fn check(&self, store: &dyn ConversationStore, needs: &BatchNeeds) -> Check {
        let found = store.checkpoint(self.partition).await;
        let found = found.map_err(|error| format!("no checkpoint: {error}"))?;
        ensure!(
            found == self.checkpoint,
            "the checkpoint is {found:?}, saved was {:?}",
            self.checkpoint
        );
        let loaded = store.load(self.partition, needs.clone()).await;
        let loaded = loaded.map_err(|error| format!("a load failed: {error}"))?;
        let expected = self.part(needs);
        ensure!(loaded == expected, "for {needs:?} expected {expected:?}, loaded {loaded:?}");
        Ok(())
    }

    /// Compares every row.
    pub(super) async fn check_all(&self, store: &dyn ConversationStore) -> Check {
        let all = |state: &ConversationState| Needs {
            members: state.members.keys().cloned().collect(),
            longest_standing: state.members.len() + 1,
            spent: state.spent.keys().cloned().collect(),
            memories: state.memories.keys().map(|user| (user.clone(), usize::MAX >> 1)).collect(),
        };
        let needs = self.states.iter().map(|(id, state)| (*id, all(state))).collect();
        self.check(store, &needs).await
    }

    /// Some of the rows there are, and some that there are not.
    pub(super) fn some_needs(&mut self, strangers: &[UserId]) -> BatchNeeds {
        let mut needs = BatchNeeds::new();
        for (id, state) in self.states.clone() {
            if self.roll(3) == 0 {
                continue;
            }
            let mut wanted = Needs { longest_standing: self.roll(4), ..Needs::default() };
            for user in state.members.keys().chain(strangers) {
                if self.roll(2) == 0 {
                    wanted.members.insert(user.clone());
                }
                if self.roll(3) == 0 {
                    wanted.memories.insert(user.clone(), self.roll(5));
                }
                if self.roll(4) == 0 {
                    wanted.spent.insert((user.clone(), CommandId::MIN));
                }
            }
            for key in state.spent.keys() {
                if self.roll(8) == 0 {
                    wanted.spent.insert(key.clone());
                }
            }
            needs.insert(id, wanted);
        }
        needs
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.dice >> 33).unwrap_or_default() % sides.max(1)
    }
}
