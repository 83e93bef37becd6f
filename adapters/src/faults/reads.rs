//! History's reads, broken in one way or none.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use verbatim_domain::{Grant, Position, access::Interval};
use verbatim_ports::{
    StoreError,
    follow::Checkpoint,
    history::{HistoryStore, InboxCursor, InboxPage, MembershipAt, MessagePage},
    inbox::InboxRows,
};
use verbatim_schemas::{
    CommandId, ConversationId, Entry, Rev, Role, Seq, Timestamp, UserId,
    entry::Message,
    rest::{Conversation, Member, Receipt},
};

use super::Broken;

pub(super) struct BrokenReads {
    pub inner: Arc<dyn HistoryStore>,
    pub broken: Option<Broken>,
}

impl BrokenReads {
    fn bytes(&self, max_bytes: usize) -> usize {
        if self.broken == Some(Broken::IgnoresBytes) { usize::MAX } else { max_bytes }
    }
}

#[async_trait]
impl HistoryStore for BrokenReads {
    async fn position(&self) -> Result<Position, StoreError> {
        self.inner.position().await
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        match self.broken {
            Some(Broken::HistoryNeverWaits) => Ok(()),
            _ => self.inner.reach(target, within).await,
        }
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<MembershipAt, StoreError> {
        let mut found = self.inner.membership(conversation, user).await?;
        if let Some(membership) = &mut found.membership {
            let all = Interval { from_rev: Rev(1), from_seq: Seq(1), until: None };
            match self.broken {
                Some(Broken::OpensIntervals) if membership.role.is_some() => {
                    membership.intervals = vec![all];
                }
                Some(Broken::KeepsMembers) if membership.role.is_none() => {
                    membership.role = Some(Role::Member);
                    membership.intervals = vec![all];
                }
                _ => {}
            }
        }
        Ok(found)
    }

    async fn conversation(&self, grant: &Grant) -> Result<Conversation, StoreError> {
        self.inner.conversation(grant).await
    }

    async fn members(
        &self,
        grant: &Grant,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        self.inner.members(grant, after, limit).await
    }

    async fn messages(
        &self,
        grant: &Grant,
        page: MessagePage,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let max_bytes = self.bytes(max_bytes);
        let mut messages = self.inner.messages(grant, page, limit, max_bytes).await?;
        if self.broken == Some(Broken::ReordersMessages) {
            messages.chunks_mut(2).for_each(<[Message]>::reverse);
        }
        Ok(messages)
    }

    async fn sent_message(
        &self,
        grant: &Grant,
        id: CommandId,
    ) -> Result<Option<Message>, StoreError> {
        self.inner.sent_message(grant, id).await
    }

    async fn entries(
        &self,
        grant: &Grant,
        after: Rev,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let max_bytes = self.bytes(max_bytes);
        let mut entries = self.inner.entries(grant, after, limit, max_bytes).await?;
        if self.broken == Some(Broken::AltersEntries) {
            for entry in entries.iter_mut().filter(|entry| entry.rev.0 % 2 == 0) {
                entry.at = Timestamp::from_millis(entry.at.as_millis() + 1);
            }
        }
        Ok(entries)
    }

    async fn receipts(
        &self,
        grant: &Grant,
        public_up_to: u32,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Receipt>, StoreError> {
        self.inner.receipts(grant, public_up_to, after, limit).await
    }

    async fn inbox(
        &self,
        user: &UserId,
        after: Option<InboxCursor>,
        limit: u32,
        max_bytes: usize,
    ) -> Result<InboxPage, StoreError> {
        self.inner.inbox(user, after, limit, self.bytes(max_bytes)).await
    }

    async fn sharing(
        &self,
        viewer: &UserId,
        users: &[UserId],
    ) -> Result<BTreeSet<UserId>, StoreError> {
        self.inner.sharing(viewer, users).await
    }

    async fn inbox_rows(
        &self,
        partition: u32,
    ) -> Result<Option<(Checkpoint, InboxRows)>, StoreError> {
        self.inner.inbox_rows(partition).await
    }
}
