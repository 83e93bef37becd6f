//! Taking over a partition: folding the timeline from the store's checkpoint to its end.

use verbatim_domain::{RULE_V, apply, state::BatchNeeds};
use verbatim_ports::{
    follow::{Followed, Follower},
    log::Stream,
    source::check_source,
};

use super::{Ruler, changes::Changes};
use crate::runner::{Ended, Task, check_place};

impl Ruler<'_> {
    /// Brings the store to the timeline's end. Memory is bounded by a batch.
    ///
    /// A checkpoint that the timeline does not reach means that the timeline lost its tail (it is
    /// written without waiting for the disk, since it can be computed again): the store then holds
    /// what is not on the timeline, so it is dropped and folded from the beginning.
    pub(super) async fn take_over(&mut self, task: &mut Task) -> Result<(), Ended> {
        self.saved = self.store.checkpoint(self.partition).await?;
        check_place(self.log, self.partition, self.last()).await?;
        task.begins(self.last());
        let end = self.log.end(Stream::Timeline, self.partition).await?;
        let mut follower = Follower::resume(self.log, self.partition, self.saved).await?;
        self.fold_to(task, &mut follower, end).await?;
        if follower.seeking(self.partition) {
            let partition = self.partition;
            tracing::warn!(partition, "chat.timeline lost its tail: rules again from chat.events");
            self.witness = self.saved.take();
            self.store.clear(partition).await?;
            task.begins(None);
            follower = Follower::resume(self.log, partition, None).await?;
            self.fold_to(task, &mut follower, end).await?;
        }
        check_source(self.log, self.partition, self.last()).await?;
        Ok(())
    }

    async fn fold_to(
        &mut self,
        task: &mut Task,
        follower: &mut Follower,
        end: u64,
    ) -> Result<(), Ended> {
        while follower.read_to(self.partition) < end {
            let rulings = task.until(follower.next()).await??.rulings;
            let _pass = task.enter(self.ground).await?;
            self.fold(task, rulings).await?;
        }
        Ok(())
    }

    async fn fold(&mut self, task: &mut Task, rulings: Vec<Followed>) -> Result<(), Ended> {
        let Some(next) = rulings.last().map(|followed| followed.checkpoint) else { return Ok(()) };
        let began = task.now();
        let mut needs = BatchNeeds::new();
        for Followed { ruling, checkpoint, .. } in &rulings {
            if ruling.rule_v > RULE_V {
                return Err(Ended::Unusable(format!(
                    "partition {} is ruled by version {} of the rule from record {} on, and this \
                     program knows version {RULE_V} only: upgrade it",
                    self.partition, ruling.rule_v, ruling.src.offset
                )));
            }
            self.confront(*checkpoint)?;
            if let Some(conversation) = ruling.conversation_id {
                needs.entry(conversation).or_default().add_ruling(ruling);
            }
        }
        let mut states = self.store.load_at(self.partition, self.last(), needs).await?;
        let mut changes = Changes::default();
        for Followed { ruling, .. } in &rulings {
            if let Some(conversation) = ruling.conversation_id {
                let state = states.entry(conversation).or_default();
                changes.add(conversation, apply(state, ruling));
            }
        }
        self.store.save(self.partition, self.last(), changes.into_rows(), next).await?;
        self.saved = Some(next);
        task.wrote(next.src, rulings.len(), began);
        Ok(())
    }
}
