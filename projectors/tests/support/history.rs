//! History in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use verbatim_domain::{Grant, Position};
use verbatim_ports::{
    StoreError,
    follow::Checkpoint,
    history::{
        HistoryStore, HistoryWriter, InboxCursor, InboxPage, MembershipAt, MessagePage, Version,
    },
    inbox::InboxRows,
    rows::{ConversationRows, HeadRow, MembershipChange, ReceiptRow},
};
use verbatim_schemas::{
    CommandId, ConversationId, Digest, Entry, Rev, Ruling, Src, UserId,
    entry::{Founding, Message},
    rest::{Conversation, Member, Receipt},
};

use super::{Changes, chaos::Chaos};

/// The rows of one partition.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    pub founded: BTreeMap<ConversationId, Founding>,
    pub entries: BTreeMap<(ConversationId, Rev), Entry>,
    pub memberships: Vec<MembershipChange>,
    pub heads: BTreeMap<ConversationId, HeadRow>,
    pub receipts: BTreeMap<(ConversationId, UserId), ReceiptRow>,
}

impl Rows {
    pub fn of(rulings: &[Ruling]) -> Self {
        let mut rows = ConversationRows::default();
        rulings.iter().for_each(|ruling| rows.add(ruling));
        let mut all = Self::default();
        all.add(rows);
        all
    }

    fn add(&mut self, rows: ConversationRows) {
        self.founded.extend(rows.founded.into_iter().map(|founding| (founding.id, founding)));
        for entry in rows.entries {
            let twice = self.entries.insert((entry.conversation_id, entry.rev), entry);
            assert_eq!(twice, None, "an entry is written once");
        }
        self.memberships.extend(rows.memberships);
        self.heads.extend(rows.heads);
        self.receipts.extend(rows.receipts);
    }

    fn digest(&self, hasher: &mut blake3::Hasher) {
        for entry in self.entries.values() {
            hasher.update(&serde_json::to_vec(entry).unwrap());
        }
        let rest = (&self.founded, &self.memberships, &self.heads, &self.receipts);
        hasher.update(format!("{rest:?}").as_bytes());
    }
}

#[derive(Default)]
struct Stored {
    partitions: BTreeMap<u32, (Option<Checkpoint>, Rows)>,
}

struct Inner {
    versions: BTreeMap<Version, Stored>,
    live: Version,
    made: u32,
}

pub struct HistoryData {
    inner: Mutex<Inner>,
    changes: Changes,
    /// Makes what a new version stores differ.
    pub spoils: AtomicBool,
    /// What was applied to which version, in order.
    pub applied: Mutex<Vec<(Version, u32, u64)>>,
}

impl HistoryData {
    pub fn new(changes: Changes) -> Self {
        let inner = Inner {
            versions: BTreeMap::from([(Version(1), Stored::default())]),
            live: Version(1),
            made: 1,
        };
        Self {
            inner: Mutex::new(inner),
            changes,
            spoils: AtomicBool::new(false),
            applied: Mutex::default(),
        }
    }

    pub fn live(&self) -> Version {
        self.inner.lock().unwrap().live
    }

    pub fn versions(&self) -> Vec<Version> {
        self.inner.lock().unwrap().versions.keys().copied().collect()
    }

    pub fn checkpoint(&self, partition: u32) -> Option<Checkpoint> {
        let inner = self.inner.lock().unwrap();
        inner.versions[&inner.live].partitions.get(&partition)?.0
    }

    pub fn set_checkpoint(&self, partition: u32, checkpoint: Checkpoint) {
        let mut inner = self.inner.lock().unwrap();
        let live = inner.live;
        let stored = inner.versions.get_mut(&live).unwrap();
        stored.partitions.entry(partition).or_default().0 = Some(checkpoint);
    }

    pub fn live_position(&self, partition: u32) -> Option<u64> {
        self.checkpoint(partition).map(|checkpoint| checkpoint.src.offset)
    }

    pub fn live_rows(&self, partition: u32) -> Rows {
        let inner = self.inner.lock().unwrap();
        inner.versions[&inner.live]
            .partitions
            .get(&partition)
            .map(|(_, rows)| rows.clone())
            .unwrap_or_default()
    }
}

pub struct HistoryView {
    data: Arc<HistoryData>,
    chaos: Arc<Chaos>,
}

impl HistoryView {
    pub fn new(data: &Arc<HistoryData>, chaos: &Arc<Chaos>) -> Self {
        Self { data: Arc::clone(data), chaos: Arc::clone(chaos) }
    }

    async fn may_fail(&self) -> Result<(), StoreError> {
        self.chaos.step().await;
        if self.chaos.fails() { Err(StoreError::Unavailable("bad luck".into())) } else { Ok(()) }
    }

    fn changed(&self) {
        self.data.changes.send_modify(|changes| *changes += 1);
    }
}

#[async_trait]
impl HistoryWriter for HistoryView {
    async fn live(&self) -> Result<Version, StoreError> {
        self.may_fail().await?;
        Ok(self.data.live())
    }

    async fn checkpoint(
        &self,
        version: Version,
        partition: u32,
    ) -> Result<Option<Checkpoint>, StoreError> {
        self.may_fail().await?;
        let inner = self.data.inner.lock().unwrap();
        let stored = inner.versions.get(&version).and_then(|v| v.partitions.get(&partition));
        Ok(stored.and_then(|stored| stored.0))
    }

    async fn apply(
        &self,
        version: Version,
        partition: u32,
        expected: Option<Src>,
        mut rows: ConversationRows,
        next: Checkpoint,
    ) -> Result<(), StoreError> {
        self.may_fail().await?;
        {
            let mut inner = self.data.inner.lock().unwrap();
            let spoil = self.data.spoils.load(Ordering::SeqCst) && version != inner.live;
            if spoil && let Some(head) = rows.heads.values_mut().next() {
                head.member_count += 1;
            }
            let Some(stored) = inner.versions.get_mut(&version) else {
                return Err(StoreError::Fenced);
            };
            let (checkpoint, all) = stored.partitions.entry(partition).or_default();
            if checkpoint.map(|checkpoint| checkpoint.src) != expected {
                return Err(StoreError::Fenced);
            }
            *checkpoint = Some(next);
            all.add(rows);
            self.data.applied.lock().unwrap().push((version, partition, next.src.offset));
        }
        self.changed();
        self.may_fail().await
    }

    async fn create(&self) -> Result<Version, StoreError> {
        self.may_fail().await?;
        let mut inner = self.data.inner.lock().unwrap();
        let live = inner.live;
        inner.versions.retain(|version, _| *version == live);
        inner.made += 1;
        let version = Version(inner.made);
        inner.versions.insert(version, Stored::default());
        Ok(version)
    }

    async fn digest(&self, version: Version) -> Result<(Position, Digest), StoreError> {
        self.may_fail().await?;
        let (mut position, mut hasher) = (Position::default(), blake3::Hasher::new());
        {
            let inner = self.data.inner.lock().unwrap();
            let stored = inner.versions.get(&version).ok_or(StoreError::Fenced)?;
            for (checkpoint, rows) in stored.partitions.values() {
                if let Some(checkpoint) = checkpoint {
                    position.include(checkpoint.src);
                }
                rows.digest(&mut hasher);
            }
        }
        self.chaos.step().await;
        Ok((position, Digest(*hasher.finalize().as_bytes())))
    }

    async fn promote(&self, version: Version) -> Result<(), StoreError> {
        self.may_fail().await?;
        {
            let mut inner = self.data.inner.lock().unwrap();
            if !inner.versions.contains_key(&version) {
                return Err(StoreError::Fenced);
            }
            inner.live = version;
            inner.versions.retain(|kept, _| *kept == version);
        }
        self.changed();
        self.may_fail().await
    }

    async fn discard(&self, version: Version) -> Result<(), StoreError> {
        self.may_fail().await?;
        let mut inner = self.data.inner.lock().unwrap();
        assert_ne!(inner.live, version, "the live version is never dropped");
        inner.versions.remove(&version);
        Ok(())
    }
}

fn not_kept<T>() -> Result<T, StoreError> {
    Err(StoreError::Corrupt("this store serves the inbox alone".into()))
}

#[async_trait]
impl HistoryStore for HistoryView {
    async fn position(&self) -> Result<Position, StoreError> {
        not_kept()
    }
    async fn reach(&self, _: &Position, _: Duration) -> Result<(), StoreError> {
        not_kept()
    }
    async fn membership(&self, _: ConversationId, _: &UserId) -> Result<MembershipAt, StoreError> {
        not_kept()
    }
    async fn conversation(&self, _: &Grant) -> Result<Conversation, StoreError> {
        not_kept()
    }
    async fn members(
        &self,
        _: &Grant,
        _: Option<&UserId>,
        _: u32,
    ) -> Result<Vec<Member>, StoreError> {
        not_kept()
    }
    async fn messages(
        &self,
        _: &Grant,
        _: MessagePage,
        _: u32,
        _: usize,
    ) -> Result<Vec<Message>, StoreError> {
        not_kept()
    }
    async fn sent_message(&self, _: &Grant, _: CommandId) -> Result<Option<Message>, StoreError> {
        not_kept()
    }
    async fn entries(&self, _: &Grant, _: Rev, _: u32, _: usize) -> Result<Vec<Entry>, StoreError> {
        not_kept()
    }
    async fn receipts(
        &self,
        _: &Grant,
        _: u32,
        _: Option<&UserId>,
        _: u32,
    ) -> Result<Vec<Receipt>, StoreError> {
        not_kept()
    }
    async fn inbox(
        &self,
        _: &UserId,
        _: Option<InboxCursor>,
        _: u32,
        _: usize,
    ) -> Result<InboxPage, StoreError> {
        not_kept()
    }
    async fn sharing(&self, _: &UserId, _: &[UserId]) -> Result<BTreeSet<UserId>, StoreError> {
        not_kept()
    }

    async fn inbox_rows(
        &self,
        partition: u32,
    ) -> Result<Option<(Checkpoint, InboxRows)>, StoreError> {
        self.may_fail().await?;
        let inner = self.data.inner.lock().unwrap();
        let Some((Some(checkpoint), rows)) = inner.versions[&inner.live].partitions.get(&partition)
        else {
            return Ok(None);
        };
        let warm = ConversationRows {
            founded: rows.founded.values().cloned().collect(),
            heads: rows.heads.clone(),
            ..ConversationRows::default()
        };
        let memberships = rows.memberships.iter().map(|change| ConversationRows {
            memberships: vec![change.clone()],
            ..ConversationRows::default()
        });
        let receipts =
            ConversationRows { receipts: rows.receipts.clone(), ..ConversationRows::default() };
        let parts: Vec<_> = std::iter::once(warm).chain(memberships).chain([receipts]).collect();
        Ok(Some((*checkpoint, stream::iter(parts.into_iter().map(Ok)).boxed())))
    }
}
