//! History: one projection of messages, entries, memberships, heads and receipts, with one checkpoint
//! a partition.
//!
//! Content and the membership that guards it share the checkpoint, so a read is never authorized by
//! another membership than its content's.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use verbatim_domain::{Grant, Position, access::Membership};
use verbatim_schemas::{
    CommandId, ConversationId, Digest, Entry, Rev, Seq, Src, Timestamp, UserId,
    entry::Message,
    rest::{Conversation, InboxItem, Member, Receipt},
};

use crate::{StoreError, follow::Checkpoint, inbox::InboxRows, rows::ConversationRows};

/// A version of the projection. One is live; a rebuild makes another beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u32);

/// What the projector and the operator do with the projection.
#[async_trait]
pub trait HistoryWriter: Send + Sync {
    /// The version that reads are served from.
    async fn live(&self) -> Result<Version, StoreError>;

    /// Up to which ruling a version includes a partition.
    async fn checkpoint(
        &self,
        version: Version,
        partition: u32,
    ) -> Result<Option<Checkpoint>, StoreError>;

    /// Writes rows and moves the checkpoint from `expected` to `next`: all or nothing, and survives
    /// the end of the process. [`StoreError::Fenced`] when the checkpoint is not at `expected`, and when
    /// the version was dropped: the caller asks again which one is live.
    async fn apply(
        &self,
        version: Version,
        partition: u32,
        expected: Option<Src>,
        rows: ConversationRows,
        next: Checkpoint,
    ) -> Result<(), StoreError>;

    /// A new, empty version beside the live one. An earlier one that never went live is dropped.
    async fn create(&self) -> Result<Version, StoreError>;

    /// A digest over all rows of a version, and the position they include, both of one moment. Equal
    /// rows give equal digests on every back end ([`HistoryDigest`](crate::digest::HistoryDigest)).
    async fn digest(&self, version: Version) -> Result<(Position, Digest), StoreError>;

    /// Makes a version the live one and drops the one before. Reads go over without a break.
    async fn promote(&self, version: Version) -> Result<(), StoreError>;

    /// Drops a version that is not live.
    async fn discard(&self, version: Version) -> Result<(), StoreError>;
}

/// A membership and the position at which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipAt {
    /// None: no such conversation, or never a member of it.
    pub membership: Option<Membership>,
    /// The conversation's partition.
    pub position: Position,
}

/// Which messages to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessagePage {
    /// The newest first, below a seq (none: from the head).
    Before(Option<Seq>),
    /// The oldest first, above a seq.
    After(Seq),
}

/// A page of the inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxPage {
    /// The conversations.
    pub items: Vec<InboxItem>,
    /// Whether there are more.
    pub more: bool,
    /// The position of all partitions at which that was read.
    pub position: Position,
}

/// Where a page of the inbox goes on: below this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxCursor {
    /// The last item's.
    pub active_at: Timestamp,
    /// The last item's.
    pub conversation: ConversationId,
}

/// What reads are served from. Every answer is of the live version; what a [`Grant`] does not show
/// is not in it. What takes a user in place of a grant ([`inbox`](Self::inbox), [`sharing`](Self::sharing)) is
/// of that user's own memberships, and shows what they show: the caller passes who signed in. A `limit` is kept exactly where there is as much: readers ask for one more than a
/// page holds (201 at most) to know whether it is the last.
#[async_trait]
pub trait HistoryStore: Send + Sync {
    /// What is included now, in all partitions.
    async fn position(&self) -> Result<Position, StoreError>;

    /// Waits until `target` is included; [`StoreError::Behind`] when that takes longer than
    /// `within`, and at once when `target` names a generation or partition that does not exist.
    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError>;

    /// What is known of a user in a conversation.
    async fn membership(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<MembershipAt, StoreError>;

    /// The conversation as the grant's actor sees it, with the grant's head.
    async fn conversation(&self, grant: &Grant) -> Result<Conversation, StoreError>;

    /// Members in the order of their ids, after `after`.
    async fn members(
        &self,
        grant: &Grant,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError>;

    /// Messages of the visible ranges: as many as fit in `limit` and `max_bytes`, counted as
    /// [`entries`](Self::entries) counts them.
    async fn messages(
        &self,
        grant: &Grant,
        page: MessagePage,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Message>, StoreError>;

    /// The message that the grant's actor sent under an id, if it is there and visible.
    async fn sent_message(
        &self,
        grant: &Grant,
        id: CommandId,
    ) -> Result<Option<Message>, StoreError>;

    /// Entries of the visible ranges by rev, after `after`: as many as fit in `limit` and `max_bytes`
    /// of JSON, at least one where there is one. What counts is the JSON of the entries themselves,
    /// without what stands between them.
    async fn entries(
        &self,
        grant: &Grant,
        after: Rev,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Members' watermarks in the order of their ids, after `after`; of a conversation with more than
    /// `public_up_to` members, and in any case with over 256, the actor's own only.
    async fn receipts(
        &self,
        grant: &Grant,
        public_up_to: u32,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Receipt>, StoreError>;

    /// The conversations that a user is a member of, latest entry first (of the same time: the
    /// highest id first, by its bytes): as many as fit in `limit` and `max_bytes`, counted as
    /// [`entries`](Self::entries) counts them.
    async fn inbox(
        &self,
        user: &UserId,
        after: Option<InboxCursor>,
        limit: u32,
        max_bytes: usize,
    ) -> Result<InboxPage, StoreError>;

    /// Which of `users` share a conversation with `viewer` at the moment (the viewer, when named,
    /// does).
    async fn sharing(
        &self,
        viewer: &UserId,
        users: &[UserId],
    ) -> Result<BTreeSet<UserId>, StoreError>;

    /// The rows of a partition that the inbox is warmed with (founded, memberships, heads and
    /// receipts of all conversations, former memberships too, without entries), and the checkpoint
    /// that they include, all of one moment; none of a partition that holds nothing. Whoever takes
    /// them should not wait: the moment is held until the last part was taken or the rest is dropped.
    async fn inbox_rows(
        &self,
        partition: u32,
    ) -> Result<Option<(Checkpoint, InboxRows)>, StoreError>;
}
