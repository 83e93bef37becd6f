//! An inbox in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use verbatim_domain::Position;
use verbatim_ports::{
    StoreError,
    inbox::{InboxCache, InboxRows, UserInbox},
    rows::{ConversationRows, HeadRow, MembershipStep, ReceiptRow},
};
use verbatim_schemas::{ConversationId, Kind, Ruling, Src, UserId, rest::Unread};

use super::{Changes, chaos::Chaos};

/// What is kept of one partition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kept {
    pub kinds: BTreeMap<ConversationId, Kind>,
    pub present: BTreeMap<(ConversationId, UserId), bool>,
    pub heads: BTreeMap<ConversationId, HeadRow>,
    pub receipts: BTreeMap<(ConversationId, UserId), ReceiptRow>,
}

impl Kept {
    pub fn of(rulings: &[Ruling]) -> Self {
        let mut rows = ConversationRows::default();
        rulings.iter().for_each(|ruling| rows.add(ruling));
        let mut kept = Self::default();
        kept.add(rows);
        kept
    }

    fn add(&mut self, rows: ConversationRows) {
        self.kinds.extend(rows.founded.iter().map(|founding| (founding.id, founding.kind)));
        for change in rows.memberships {
            let key = (change.conversation_id, change.user_id);
            match change.step {
                MembershipStep::Joined { .. } => self.present.insert(key, true),
                MembershipStep::Left { .. } => self.present.insert(key, false),
                MembershipStep::Role(_) => None,
            };
        }
        self.heads.extend(rows.heads);
        self.receipts.extend(rows.receipts);
    }
}

pub struct InboxData {
    partitions: Mutex<BTreeMap<u32, (Option<Src>, Kept)>>,
    changes: Changes,
    /// How often a partition was cleared.
    pub cleared: Mutex<u32>,
}

impl InboxData {
    pub fn new(changes: Changes) -> Self {
        Self { partitions: Mutex::default(), changes, cleared: Mutex::default() }
    }

    pub fn position(&self, partition: u32) -> Option<u64> {
        self.partitions.lock().unwrap().get(&partition)?.0.map(|src| src.offset)
    }

    pub fn kept(&self, partition: u32) -> Kept {
        self.partitions.lock().unwrap().get(&partition).map(|p| p.1.clone()).unwrap_or_default()
    }

    /// The cache forgets everything.
    pub fn flush(&self) {
        self.partitions.lock().unwrap().clear();
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub fn put(&self, partition: u32, src: Src) {
        self.partitions.lock().unwrap().entry(partition).or_default().0 = Some(src);
    }
}

pub struct InboxView {
    data: Arc<InboxData>,
    chaos: Arc<Chaos>,
}

impl InboxView {
    pub fn new(data: &Arc<InboxData>, chaos: &Arc<Chaos>) -> Self {
        Self { data: Arc::clone(data), chaos: Arc::clone(chaos) }
    }

    async fn may_fail(&self) -> Result<(), StoreError> {
        self.chaos.step().await;
        if self.chaos.fails() { Err(StoreError::Unavailable("bad luck".into())) } else { Ok(()) }
    }
}

fn not_kept<T>() -> Result<T, StoreError> {
    Err(StoreError::Corrupt("nothing is read from this cache".into()))
}

#[async_trait]
impl InboxCache for InboxView {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Src>, StoreError> {
        self.may_fail().await?;
        Ok(self.data.partitions.lock().unwrap().get(&partition).and_then(|p| p.0))
    }

    async fn apply(
        &self,
        partition: u32,
        rows: ConversationRows,
        src: Src,
    ) -> Result<(), StoreError> {
        self.may_fail().await?;
        {
            let mut partitions = self.data.partitions.lock().unwrap();
            let (included, kept) = partitions.entry(partition).or_default();
            if *included < Some(src) {
                *included = Some(src);
                kept.add(rows);
            }
        }
        self.data.changes.send_modify(|changes| *changes += 1);
        self.may_fail().await
    }

    async fn warm(&self, partition: u32, mut rows: InboxRows, src: Src) -> Result<(), StoreError> {
        let mut warmed = Kept::default();
        while let Some(part) = rows.try_next().await? {
            self.may_fail().await?;
            warmed.add(part);
        }
        {
            let mut partitions = self.data.partitions.lock().unwrap();
            let (included, kept) = partitions.entry(partition).or_default();
            if *included < Some(src) {
                (*included, *kept) = (Some(src), warmed);
            }
        }
        self.data.changes.send_modify(|changes| *changes += 1);
        self.may_fail().await
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        self.may_fail().await?;
        self.data.partitions.lock().unwrap().remove(&partition);
        *self.data.cleared.lock().unwrap() += 1;
        Ok(())
    }

    async fn reach(&self, _: &Position, _: Duration) -> Result<(), StoreError> {
        not_kept()
    }
    async fn user(&self, _: &UserId, _: Option<&Position>) -> Result<UserInbox, StoreError> {
        not_kept()
    }
    async fn unread(&self, _: &UserId) -> Result<(Unread, Position), StoreError> {
        not_kept()
    }
    async fn seems_member(&self, _: ConversationId, _: &UserId) -> Result<bool, StoreError> {
        not_kept()
    }
}
