//! A history under test, and what the checks do with it.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::timeout;
use verbatim_domain::{
    Grant,
    access::{Action, authorize},
};
use verbatim_schemas::{ConversationId, Ruling, Src, UserId};

use super::model::Model;
use crate::{
    StoreError,
    contract::{
        breach::{Check, ensure},
        driver::rows,
        story::Story,
    },
    history::{HistoryStore, HistoryWriter, Version},
};

/// Both sides of a history.
pub trait History: HistoryStore + HistoryWriter {}
impl<T: HistoryStore + HistoryWriter + ?Sized> History for T {}

/// A history that holds a story.
pub(super) struct Scene {
    pub(super) history: Arc<dyn History>,
    pub(super) story: Story,
    pub(super) model: Model,
    pub(super) patience: Duration,
}

impl Scene {
    /// Applies a whole story to an empty history.
    pub(super) async fn begin(
        history: Arc<dyn History>,
        story: Story,
        patience: Duration,
    ) -> Result<Self, String> {
        let mut model = Model::new();
        story.told.rulings().iter().for_each(|ruling| model.add(ruling));
        let scene = Self { history, story, model, patience };
        let live = said("live", scene.history.live().await)?;
        scene.fill(live, 50).await?;
        Ok(scene)
    }

    /// Applies the story to a version in batches of a size.
    pub(super) async fn fill(&self, version: Version, size: usize) -> Check {
        for partition in self.story.partitions() {
            let mut expected = None;
            for batch in partition.chunks(size) {
                expected = Some(apply(&*self.history, version, expected, batch).await?);
            }
        }
        Ok(())
    }

    /// What a present member may read.
    pub(super) async fn grant(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Grant>, String> {
        let known = said("membership", self.history.membership(conversation, user).await)?;
        Ok(authorize(user, conversation, known.membership.as_ref(), Action::Read).ok())
    }

    /// All grants that there are, with their conversations as the model has them.
    pub(super) async fn grants(&self) -> Result<Vec<Grant>, String> {
        let mut grants = Vec::new();
        for conversation in &self.story.conversations {
            for user in &self.story.users {
                grants.extend(self.grant(*conversation, user).await?);
            }
        }
        ensure!(grants.len() > 20, "only {} memberships to read with", grants.len());
        Ok(grants)
    }

    pub(super) async fn within<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, String> {
        timeout(self.patience, future).await.map_err(|_| what.to_owned())
    }
}

/// Applies a batch. A store may be unavailable for a moment, but then nothing of it may be there.
pub(super) async fn apply(
    history: &dyn History,
    version: Version,
    expected: Option<Src>,
    batch: &[Arc<Ruling>],
) -> Result<Src, String> {
    let (rows, next) = rows(batch);
    let partition = next.src.partition;
    for _ in 0..3 {
        match history.apply(version, partition, expected, rows.clone(), next).await {
            Ok(()) => return Ok(next.src),
            Err(StoreError::Unavailable(_)) => {
                let now = said("checkpoint", history.checkpoint(version, partition).await)?;
                let now = now.map(|checkpoint| checkpoint.src);
                ensure!(now == expected, "a batch failed and moved the checkpoint to {now:?}");
            }
            Err(error) => return Err(format!("a batch was not taken: {error}")),
        }
    }
    Err("a batch was not taken three times".to_owned())
}

/// What a call answered, or which call failed.
pub(super) fn said<T>(call: &str, answer: Result<T, StoreError>) -> Result<T, String> {
    answer.map_err(|error| format!("{call} failed: {error}"))
}
