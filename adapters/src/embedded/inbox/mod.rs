//! The inbox in memory: one `Partition` of the log a lock, so that a batch becomes visible at once
//! and says so at once. No lock is held across an await.

mod partition;

use std::{
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use verbatim_domain::{Position, partition::of as partition_of};
use verbatim_ports::{
    StoreError,
    inbox::{InboxCache, InboxHead, InboxRows, UserInbox},
    log::Layout,
    rows::ConversationRows,
};
use verbatim_schemas::{ConversationId, Src, UserId, rest::Unread};

use self::partition::Partition;
use super::progress::Progress;

/// The inbox of everybody: at most about 240 bytes a user with one membership, 160 a conversation of
/// somebody with many (`tests/scale` holds it to that), 24 a conversation that was left. So a channel of a
/// million members takes some 200 MB, which is why large installations keep the inbox elsewhere. Empty
/// when the process starts, and warmed from history.
pub struct Inbox {
    layout: Layout,
    partitions: Vec<RwLock<Partition>>,
    progress: Progress,
}

impl Inbox {
    /// An empty inbox.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            partitions: (0..layout.partitions).map(|_| RwLock::default()).collect(),
            progress: Progress::new(layout, Progress::nothing(layout)),
        }
    }

    fn lock(&self, partition: u32) -> Result<&RwLock<Partition>, StoreError> {
        self.partitions
            .get(partition as usize)
            .ok_or_else(|| StoreError::Unavailable(format!("there is no partition {partition}")))
    }

    fn each(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Partition>> {
        self.partitions.iter().map(read)
    }

    /// Under the partition's lock, so that waiters hear of its changes in their order.
    fn moved(&self, partition: u32, now: Option<Src>) {
        self.progress.change(|position| match now {
            Some(src) => position.include(src),
            None => {
                position.offsets.remove(&partition);
            }
        });
    }
}

fn read(partition: &RwLock<Partition>) -> RwLockReadGuard<'_, Partition> {
    partition.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(partition: &RwLock<Partition>) -> RwLockWriteGuard<'_, Partition> {
    partition.write().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl InboxCache for Inbox {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Src>, StoreError> {
        Ok(read(self.lock(partition)?).checkpoint())
    }

    async fn apply(
        &self,
        partition: u32,
        rows: ConversationRows,
        src: Src,
    ) -> Result<(), StoreError> {
        let mut partition_now = write(self.lock(partition)?);
        if partition_now.checkpoint().is_some_and(|included| src <= included) {
            return Ok(());
        }
        partition_now.apply(&rows, src)?;
        self.moved(partition, Some(src));
        Ok(())
    }

    async fn warm(&self, partition: u32, mut rows: InboxRows, src: Src) -> Result<(), StoreError> {
        let lock = self.lock(partition)?;
        // Built beside, while readers go on.
        let mut built = Partition::default();
        while let Some(part) = rows.try_next().await? {
            built.apply(&part, src)?;
        }
        let mut partition_now = write(lock);
        if partition_now.checkpoint().is_some_and(|included| src <= included) {
            return Ok(());
        }
        built.include(src);
        let before = std::mem::replace(&mut *partition_now, built);
        self.moved(partition, Some(src));
        drop(partition_now);
        drop(before);
        Ok(())
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        let mut partition_now = write(self.lock(partition)?);
        let before = std::mem::take(&mut *partition_now);
        self.moved(partition, None);
        drop(partition_now);
        drop(before);
        Ok(())
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        self.progress.reach(target, within).await
    }

    async fn user(&self, user: &UserId, since: Option<&Position>) -> Result<UserInbox, StoreError> {
        let since = since.filter(|since| since.generation == self.layout.generation);
        let mut inbox =
            UserInbox { position: Progress::nothing(self.layout), ..UserInbox::default() };
        for partition in self.each() {
            let Some(included) = partition.checkpoint() else { continue };
            inbox.position.include(included);
            let since = since.and_then(|since| since.offsets.get(&included.partition)).copied();
            partition.user(user, since, &mut inbox.heads, &mut inbox.left);
        }
        inbox.heads.sort_unstable_by(latest_first);
        Ok(inbox)
    }

    async fn unread(&self, user: &UserId) -> Result<(Unread, Position), StoreError> {
        let mut totals = Unread { conversations: 0, messages: 0 };
        let mut position = Progress::nothing(self.layout);
        for partition in self.each() {
            let Some(included) = partition.checkpoint() else { continue };
            position.include(included);
            for unread in partition.unread(user) {
                totals.conversations += 1;
                totals.messages += unread;
            }
        }
        Ok((totals, position))
    }

    async fn seems_member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        let lock = self.lock(partition_of(conversation, self.layout.partitions))?;
        Ok(read(lock).is_member(conversation, user))
    }
}

fn latest_first(one: &InboxHead, other: &InboxHead) -> std::cmp::Ordering {
    (other.active_at, other.conversation).cmp(&(one.active_at, one.conversation))
}
