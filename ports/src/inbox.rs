//! The inbox: where each of a user's conversations stands, and how much is unread. A cache, served
//! from memory, warmed from history.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use verbatim_domain::Position;
use verbatim_schemas::{ConversationId, Kind, Rev, Seq, Src, Timestamp, UserId, rest::Unread};

use crate::{StoreError, rows::ConversationRows};

/// Where one conversation stands for one of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxHead {
    /// Which.
    pub conversation: ConversationId,
    /// What it is.
    pub kind: Kind,
    /// The last entry.
    pub head_rev: Rev,
    /// The last message.
    pub head_seq: Seq,
    /// Everything up to here was received.
    pub delivered: Seq,
    /// Everything up to here was read.
    pub read: Seq,
    /// When the last entry came.
    pub active_at: Timestamp,
}

impl InboxHead {
    /// How many messages are unread.
    pub fn unread(&self) -> u64 {
        self.head_seq.0.saturating_sub(self.read.0)
    }
}

/// What a user finds on coming back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserInbox {
    /// The user's conversations (that changed), latest entry first.
    pub heads: Vec<InboxHead>,
    /// Conversations that the user was a member of and is no more (since).
    pub left: Vec<ConversationId>,
    /// What this includes, in all partitions.
    pub position: Position,
}

/// The rows of a whole partition, in parts of a few thousand at most, so that nobody holds all of them: a
/// conversation's head comes before or with its memberships, a membership before or with its receipt.
pub type InboxRows = BoxStream<'static, Result<ConversationRows, StoreError>>;

/// Unread and heads per user. Values are absolute: nothing is counted up.
#[async_trait]
pub trait InboxCache: Send + Sync {
    /// Up to which record a partition is included; none when it is empty or was flushed.
    async fn checkpoint(&self, partition: u32) -> Result<Option<Src>, StoreError>;

    /// Writes the rows of a batch whose last record is `src`; does nothing when the partition
    /// includes `src` already. A partition's rows become visible together. In a channel nothing is
    /// written per member for a message.
    async fn apply(
        &self,
        partition: u32,
        rows: ConversationRows,
        src: Src,
    ) -> Result<(), StoreError>;

    /// Takes in a whole partition up to `src`, in place of what there is; does nothing when the
    /// partition includes `src` already. Visible at once when the last part is in; nothing changes
    /// when one fails.
    async fn warm(&self, partition: u32, rows: InboxRows, src: Src) -> Result<(), StoreError>;

    /// Forgets a partition; it is warmed from history next.
    async fn clear(&self, partition: u32) -> Result<(), StoreError>;

    /// Waits until `target` is included; [`StoreError::Behind`] when that takes longer than
    /// `within`.
    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError>;

    /// A user's conversations; with `since` only those where anything changed for the user after
    /// it, and the memberships that ended after it. Of a partition that `since` does not name, all.
    async fn user(&self, user: &UserId, since: Option<&Position>) -> Result<UserInbox, StoreError>;

    /// Unread totals and the position they include.
    async fn unread(&self, user: &UserId) -> Result<(Unread, Position), StoreError>;

    /// Whether the user is a member, as far as the cache knows. A hint for rate limits, never an
    /// authorization.
    async fn seems_member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<bool, StoreError>;
}
