//! Stores that break a promise: the suite has to find each.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use tempfile::TempDir;
use verbatim_adapters::embedded::conversations::EmbeddedConversations;
use verbatim_domain::state::{BatchNeeds, Change, ConversationState};
use verbatim_ports::{
    StoreError, contract::conversations::conversations_contract, conversations::ConversationStore,
    follow::Checkpoint,
};
use verbatim_schemas::{ConversationId, Digest, Src};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// One change in fifty is not written.
    ForgetsChange,
    /// The first of several changes of a row counts.
    ReversesChanges,
    /// Deletions of spent ids are not written.
    KeepsSpent,
    /// Whoever saves is the owner.
    IgnoresExpected,
    /// A fenced save writes its rows all the same.
    WritesFenced,
    /// Generations are not compared.
    IgnoresGeneration,
    /// The checkpoint's hash is lost.
    LosesHash,
    /// A batch is written in two transactions.
    SavesInTwo,
    /// The oldest members are found one short.
    StandsShort,
    /// One more of an actor's oldest ids comes than asked for.
    LoadsTooManySpent,
    /// All partitions are cleared.
    ClearsAll,
    /// Clearing clears nothing.
    ClearsNothing,
    /// Opening again loses all.
    Forgets,
}

struct Broken {
    store: EmbeddedConversations,
    fault: Fault,
    count: AtomicUsize,
}

impl Broken {
    async fn actual(&self, partition: u32) -> Result<Option<Src>, StoreError> {
        Ok(self.store.checkpoint(partition).await?.map(|checkpoint| checkpoint.src))
    }
}

#[async_trait]
impl ConversationStore for Broken {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Checkpoint>, StoreError> {
        self.store.checkpoint(partition).await
    }

    async fn load(
        &self,
        partition: u32,
        mut needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError> {
        for needs in needs.values_mut() {
            match self.fault {
                Fault::StandsShort => {
                    needs.longest_standing = needs.longest_standing.saturating_sub(1);
                }
                Fault::LoadsTooManySpent => {
                    needs.memories.values_mut().for_each(|oldest| *oldest += 1);
                }
                _ => {}
            }
        }
        self.store.load(partition, needs).await
    }

    async fn save(
        &self,
        partition: u32,
        mut expected: Option<Src>,
        mut changes: Vec<(ConversationId, Change)>,
        mut next: Checkpoint,
    ) -> Result<(), StoreError> {
        match self.fault {
            Fault::ForgetsChange => {
                changes.retain(|_| self.count.fetch_add(1, Ordering::Relaxed) % 50 != 49);
            }
            Fault::ReversesChanges => changes.reverse(),
            Fault::KeepsSpent => {
                changes.retain(|(_, change)| !matches!(change, Change::Spent(_, _, None)));
            }
            Fault::IgnoresExpected => expected = self.actual(partition).await?,
            Fault::IgnoresGeneration => {
                let actual = self.actual(partition).await?;
                if let (Some(expected), Some(actual)) = (&mut expected, actual) {
                    expected.generation = actual.generation;
                }
            }
            Fault::WritesFenced => {
                let before = self.store.checkpoint(partition).await?;
                if let Some(before) = before
                    && expected != Some(before.src)
                {
                    self.store.save(partition, Some(before.src), changes, before).await?;
                    return Err(StoreError::Fenced);
                }
            }
            Fault::LosesHash => next.hash = Digest([0; 32]),
            Fault::SavesInTwo => {
                let last = changes.split_off(changes.len() / 2);
                self.store.save(partition, expected, changes, next).await?;
                // Long enough for a load that is under way to fall between.
                for _ in 0..4 {
                    self.store.load(partition, BatchNeeds::new()).await?;
                }
                return self.store.save(partition, Some(next.src), last, next).await;
            }
            _ => {}
        }
        self.store.save(partition, expected, changes, next).await
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        match self.fault {
            Fault::ClearsAll => {
                for partition in 0..8 {
                    self.store.clear(partition).await?;
                }
                Ok(())
            }
            Fault::ClearsNothing => Ok(()),
            _ => self.store.clear(partition).await,
        }
    }
}

async fn verdict(fault: Fault) -> Result<(), &'static str> {
    let folder = TempDir::new().unwrap();
    let open = async || {
        if fault == Fault::Forgets {
            for file in std::fs::read_dir(folder.path()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        let store = super::open(folder.path());
        Arc::new(Broken { store, fault, count: AtomicUsize::new(0) }) as Arc<dyn ConversationStore>
    };
    conversations_contract(open).await.map_err(|breach| breach.promise)
}

#[tokio::test]
async fn the_decorator_itself_breaks_nothing() {
    assert_eq!(verdict(Fault::None).await, Ok(()));
}

#[tokio::test]
async fn each_fault_is_found() {
    for (fault, promise) in [
        (Fault::ForgetsChange, "part of the state"),
        (Fault::ReversesChanges, "part of the state"),
        (Fault::LosesHash, "part of the state"),
        (Fault::StandsShort, "part of the state"),
        (Fault::LoadsTooManySpent, "part of the state"),
        (Fault::ClearsNothing, "part of the state"),
        (Fault::KeepsSpent, "forgotten ids"),
        (Fault::SavesInTwo, "one moment"),
        (Fault::IgnoresExpected, "the expected checkpoint"),
        (Fault::IgnoresGeneration, "the expected checkpoint"),
        (Fault::WritesFenced, "the expected checkpoint"),
        (Fault::ClearsAll, "a cleared partition"),
        (Fault::Forgets, "opened again"),
    ] {
        assert_eq!(verdict(fault).await, Err(promise), "{fault:?}");
    }
}
