//! Ruling on a batch of records.

use std::collections::BTreeMap;

use bytes::Bytes;
use verbatim_domain::{ConversationState, Proposal, apply, decide, partition, state::BatchNeeds};
use verbatim_ports::{follow::Checkpoint, log::Record};
use verbatim_schemas::{ConversationId, Digest, Ruling, bounds};

use super::{
    Ruler,
    changes::Changes,
    hold::{hold, ready},
};
use crate::runner::{Ended, Task};

/// How many records are decided before others on this thread get their turn.
const TURN: usize = 64;

/// What deciding on a batch made.
struct Ruled {
    /// Keys and rulings, in the order of the records.
    rulings: Vec<(Bytes, Bytes)>,
    changes: Changes,
    /// The last ruling; where to read on is known when it is appended.
    last: Checkpoint,
}

impl Ruler<'_> {
    /// Rules on records, holding those from the future.
    pub(super) async fn rule_all(
        &mut self,
        task: &mut Task,
        mut records: Vec<Record>,
    ) -> Result<(), Ended> {
        let next = self.next_offset();
        records.retain(|record| record.offset >= next);
        while let Some(first) = records.first() {
            let count = ready(&records, task.now());
            if count == 0 {
                hold(task, first).await?;
                continue;
            }
            let later = records.split_off(count);
            self.rule(task, records).await?;
            records = later;
        }
        Ok(())
    }

    async fn rule(&mut self, task: &mut Task, records: Vec<Record>) -> Result<(), Ended> {
        let _pass = task.enter(self.ground).await?;
        let (began, count) = (task.now(), records.len());
        let Some(ruled) = self.decide(records).await? else { return Ok(()) };
        let next = self.emit(task, ruled.rulings).await?;
        let checkpoint = Checkpoint { next, ..ruled.last };
        let changes = ruled.changes.into_rows();
        self.store.save(self.partition, self.last(), changes, checkpoint).await?;
        self.saved = Some(checkpoint);
        task.wrote(checkpoint.src, count, began);
        Ok(())
    }

    /// Decides on records one after the other, each on the state that the one before left.
    async fn decide(&mut self, records: Vec<Record>) -> Result<Option<Ruled>, Ended> {
        let (proposals, needs) = self.read(&records);
        let mut states = self.store.load_at(self.partition, self.last(), needs).await?;
        let mut rulings = Vec::with_capacity(records.len());
        let mut changes = Changes::default();
        let mut last = None;
        for (index, (record, proposal)) in records.into_iter().zip(proposals).enumerate() {
            if index % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            let (value, ruling) = ruled(&mut states, &proposal, &mut changes)?;
            let hash = Digest(*blake3::hash(&value).as_bytes());
            let checkpoint = Checkpoint { src: ruling.src, hash, next: 0 };
            self.confront(checkpoint)?;
            last = Some(checkpoint);
            rulings.push((record.key, value));
        }
        Ok(last.map(|last| Ruled { rulings, changes, last }))
    }

    /// Reads records, and says which rows deciding on them needs.
    fn read(&self, records: &[Record]) -> (Vec<Proposal>, BatchNeeds) {
        let layout = self.log.layout();
        let mut previous = self.last();
        let mut needs = BatchNeeds::new();
        let mut proposals = Vec::with_capacity(records.len());
        for record in records {
            let src = layout.src(self.partition, record.offset);
            let mut proposal =
                Proposal::read(src, previous, record.time, &record.key, &record.value);
            // A conversation lives in one partition. A record of it elsewhere has the wrong key
            // there: ruled on, it would found a second state.
            if partition::of_key(&record.key, layout.partitions) != self.partition {
                proposal.event = None;
            }
            if let Some(event) = &proposal.event {
                needs.entry(event.conversation_id).or_default().add_event(event);
            }
            previous = Some(src);
            proposals.push(proposal);
        }
        (proposals, needs)
    }
}

/// The ruling on a proposal, applied, and as it goes onto the timeline.
fn ruled(
    states: &mut BTreeMap<ConversationId, ConversationState>,
    proposal: &Proposal,
    changes: &mut Changes,
) -> Result<(Bytes, Ruling), Ended> {
    let ruling = match &proposal.event {
        Some(event) => {
            let state = states.entry(event.conversation_id).or_default();
            let ruling = decide(state, proposal);
            changes.add(event.conversation_id, apply(state, &ruling));
            ruling
        }
        None => decide(&ConversationState::default(), proposal),
    };
    let offset = proposal.src.offset;
    let value = ruling.encode().map_err(|error| {
        Ended::Unusable(format!("the ruling on record {offset} cannot be written: {error}"))
    })?;
    // Events are bounded so that this cannot be (a test makes the largest); appended, such a ruling
    // would be refused for ever.
    if value.len() > bounds::RULING_BYTES {
        return Err(Ended::Unusable(format!(
            "the ruling on record {offset} has {} bytes, more than chat.timeline takes",
            value.len()
        )));
    }
    Ok((value.into(), ruling))
}
