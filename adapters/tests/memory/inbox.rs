//! The inbox.

use std::{collections::BTreeMap, sync::Arc, sync::Mutex, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use verbatim_adapters::embedded::inbox::Inbox;
use verbatim_domain::Position;
use verbatim_ports::{
    StoreError,
    contract::{inbox::inbox_contract, story::LAYOUT},
    inbox::{InboxCache, InboxRows, UserInbox},
    rows::{ConversationRows, MembershipStep},
};
use verbatim_schemas::{ConversationId, EntryBody, Seq, Src, UserId, rest::Unread};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn keeps_the_contract() {
    let empty = async || {
        let inbox: Arc<dyn InboxCache> = Arc::new(Inbox::new(LAYOUT));
        inbox
    };
    inbox_contract(empty, PATIENCE).await.unwrap();
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    CountsUp,
    TakesRepeats,
    ForgetsWhoLeft,
    TellsEverything,
    TellsNothingOfReceipts,
    ShowsRowsBeforeOthers,
    ClaimsWhatWasCleared,
    NeverWaits,
    KnowsNoMembers,
    KeepsHalfAWarming,
}
use Fault::*;

struct Broken {
    inner: Inbox,
    fault: Fault,
    /// Heads counted up, and checkpoints claimed.
    counted: Mutex<BTreeMap<ConversationId, u64>>,
    claimed: Mutex<Position>,
}

#[async_trait]
impl InboxCache for Broken {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Src>, StoreError> {
        self.inner.checkpoint(partition).await
    }

    async fn apply(
        &self,
        partition: u32,
        mut rows: ConversationRows,
        src: Src,
    ) -> Result<(), StoreError> {
        self.claimed.lock().unwrap().include(src);
        match self.fault {
            CountsUp => {
                let mut counted = self.counted.lock().unwrap();
                for entry in &rows.entries {
                    let count = counted.entry(entry.conversation_id).or_default();
                    *count += u64::from(matches!(entry.body, EntryBody::Message { .. }));
                }
                for (conversation, head) in &mut rows.heads {
                    head.head_seq = Seq(counted.get(conversation).copied().unwrap_or_default());
                }
            }
            TakesRepeats => {
                let now = self.inner.checkpoint(partition).await?;
                if now.is_some_and(|now| now >= src) {
                    // An older batch over newer values.
                    let next = now.map(|now| Src { offset: now.offset + 1, ..now });
                    return self.inner.apply(partition, rows, next.unwrap()).await;
                }
            }
            ForgetsWhoLeft => {
                let left = |step| matches!(step, MembershipStep::Left { .. });
                rows.memberships.retain(|change| !left(change.step));
            }
            TellsNothingOfReceipts => {
                rows.receipts.values_mut().for_each(|row| row.src.offset = 0);
            }
            ShowsRowsBeforeOthers if rows.heads.len() == 2 => {
                let mut second = rows.clone();
                let first = rows.heads.pop_first().unwrap();
                second.heads.retain(|conversation, _| *conversation == first.0);
                let before = Src { offset: src.offset.saturating_sub(1), ..src };
                self.inner.apply(partition, rows, before).await?;
                tokio::task::yield_now().await;
                return self.inner.apply(partition, second, src).await;
            }
            _ => {}
        }
        self.inner.apply(partition, rows, src).await
    }

    async fn warm(&self, partition: u32, mut rows: InboxRows, src: Src) -> Result<(), StoreError> {
        self.claimed.lock().unwrap().include(src);
        if self.fault != KeepsHalfAWarming {
            return self.inner.warm(partition, rows, src).await;
        }
        let (mut half, mut failed) = (Vec::new(), Ok(()));
        while let Some(part) = rows.next().await {
            match part {
                Ok(part) => half.push(Ok(part)),
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            }
        }
        self.inner.warm(partition, stream::iter(half).boxed(), src).await?;
        failed
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        self.inner.clear(partition).await
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        match self.fault {
            NeverWaits => Ok(()),
            _ => self.inner.reach(target, within).await,
        }
    }

    async fn user(&self, user: &UserId, since: Option<&Position>) -> Result<UserInbox, StoreError> {
        let since = since.filter(|_| self.fault != TellsEverything);
        let mut found = self.inner.user(user, since).await?;
        if self.fault == ClaimsWhatWasCleared {
            found.position.merge(&self.claimed.lock().unwrap());
        }
        Ok(found)
    }

    async fn unread(&self, user: &UserId) -> Result<(Unread, Position), StoreError> {
        self.inner.unread(user).await
    }

    async fn seems_member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        Ok(self.fault != KnowsNoMembers && self.inner.seems_member(conversation, user).await?)
    }
}

#[tokio::test]
async fn the_contract_refuses_broken_inboxes() {
    for (fault, promise) in [
        (CountsUp, "repeats change nothing"),
        (TakesRepeats, "repeats change nothing"),
        (ForgetsWhoLeft, "after each ruling"),
        (TellsEverything, "what changed since"),
        (TellsNothingOfReceipts, "what changed since"),
        (ShowsRowsBeforeOthers, "a batch is visible at once"),
        (ClaimsWhatWasCleared, "cleared and warmed while it is read"),
        (NeverWaits, "cleared and warmed while it is read"),
        (KnowsNoMembers, "after each ruling"),
        (KeepsHalfAWarming, "warmed whole or not at all"),
    ] {
        let empty = async || {
            let inbox: Arc<dyn InboxCache> = Arc::new(Broken {
                inner: Inbox::new(LAYOUT),
                fault,
                counted: Mutex::default(),
                claimed: Mutex::new(Position {
                    generation: LAYOUT.generation,
                    ..Position::default()
                }),
            });
            inbox
        };
        let breach = inbox_contract(empty, PATIENCE).await.expect_err("the suite passed");
        assert_eq!(breach.promise, promise, "{fault:?}: {:.300}", breach.what);
    }
}
