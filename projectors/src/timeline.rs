//! The timeline projector: rules on every record of `chat.events`, once and for ever.
//!
//! In each owned partition: fold `chat.timeline` from the store's checkpoint to its end, then rule on
//! the records after the last one ruled on. Per batch: load rows once, decide and apply in order,
//! append the rulings, wait until they are acknowledged, then save the rows and the checkpoint in one
//! transaction. Consumers see a ruling when it is acknowledged; saving comes after.
//!
//! Ended between any two steps, it does the same again with the same result: rulings are a function of
//! the log alone, and consumers drop repeats. For the same reason two owners at once do no harm.

mod changes;
mod emit;
mod hold;
mod rule;
mod take_over;

use std::{convert::Infallible, sync::Arc};

use async_trait::async_trait;
use verbatim_ports::{
    conversations::ConversationStore,
    follow::Checkpoint,
    log::{EventLog, Stream},
};
use verbatim_schemas::Src;

use crate::runner::{Ended, State, Task, Worker};

/// The projector's name.
pub const NAME: &str = "timeline";

/// Rules on `chat.events`.
pub struct Timeline {
    log: Arc<dyn EventLog>,
    store: Arc<dyn ConversationStore>,
}

impl Timeline {
    /// Reads and writes `log`, and keeps its state in `store`.
    pub fn new(log: Arc<dyn EventLog>, store: Arc<dyn ConversationStore>) -> Self {
        Self { log, store }
    }
}

/// Where the work on one partition stands.
struct Ruler<'a> {
    log: &'a dyn EventLog,
    store: &'a dyn ConversationStore,
    partition: u32,
    /// Counts changes of the ground; see [`Task::ground`].
    ground: u64,
    /// What the store includes; always all that was ruled on, between two batches.
    saved: Option<Checkpoint>,
    /// A checkpoint that lay beyond the timeline's end: when the record is ruled on again, the
    /// ruling has to be the same.
    witness: Option<Checkpoint>,
}

#[async_trait]
impl Worker for Timeline {
    fn name(&self) -> &'static str {
        NAME
    }

    fn advice(&self) -> &'static str {
        "restore the log that was ruled on; only if this chat.events is the right one, remove chat.timeline, \
         the timeline's state and history together (they are made again from it), and restart"
    }

    async fn run(&self, task: &mut Task) -> Result<Infallible, Ended> {
        let mut ruler = Ruler {
            log: &*self.log,
            store: &*self.store,
            partition: task.partition(),
            ground: task.ground().await,
            saved: None,
            witness: None,
        };
        ruler.take_over(task).await?;
        task.set(State::Running);
        let from = vec![(ruler.partition, ruler.next_offset())];
        let mut tail = self.log.tail(Stream::Events, from).await?;
        loop {
            let batch = task.until(tail.next()).await??;
            ruler.rule_all(task, batch.records).await?;
        }
    }
}

impl Ruler<'_> {
    /// The last record ruled on.
    fn last(&self) -> Option<Src> {
        self.saved.map(|checkpoint| checkpoint.src)
    }

    /// The offset on `chat.events` to rule from.
    fn next_offset(&self) -> u64 {
        self.last().map_or(0, |src| src.offset + 1)
    }

    /// Compares a ruling of the record of the lost checkpoint with what it was.
    fn confront(&mut self, ruled: Checkpoint) -> Result<(), Ended> {
        let Some(witness) = self.witness else { return Ok(()) };
        if ruled.src < witness.src {
            return Ok(());
        }
        if ruled.src > witness.src || ruled.hash != witness.hash {
            return Err(Ended::Unusable(format!(
                "partition {} of chat.events does not give the ruling on record {} that stood on \
                 chat.timeline before: the log was swapped, or restored from a copy",
                self.partition, witness.src.offset
            )));
        }
        self.witness = None;
        Ok(())
    }
}
