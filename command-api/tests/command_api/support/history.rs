//! History as the timeline has it: every question is answered by reading it from its beginning.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use verbatim_domain::{
    Grant, Position,
    access::{Interval, Membership},
};
use verbatim_ports::follow::Checkpoint;
use verbatim_ports::{
    StoreError,
    history::{HistoryStore, InboxCursor, InboxPage, MembershipAt, MessagePage},
    inbox::InboxRows,
    log::Stream,
    rows::{ConversationRows, MembershipStep},
};
use verbatim_schemas::{
    CommandId, ConversationId, Entry, EntryBody, Rev, Ruling, UserId,
    entry::Message,
    rest::{Conversation, Member, Receipt},
};

use super::FakeLog;

/// The history.
pub struct FakeHistory {
    log: FakeLog,
    behind: AtomicBool,
}

impl FakeHistory {
    pub fn new(log: FakeLog) -> Self {
        Self { log, behind: AtomicBool::new(false) }
    }

    /// From now on nothing new arrives.
    pub fn fall_behind(&self) {
        self.behind.store(true, Ordering::SeqCst);
    }

    fn rows(&self) -> (ConversationRows, Position) {
        let (mut rows, mut position) = (ConversationRows::default(), Position::default());
        for record in self.log.records(Stream::Timeline) {
            let ruling = Ruling::decode(&record.value).unwrap();
            rows.add(&ruling);
            position.include(ruling.src);
        }
        (rows, position)
    }
}

fn not_here<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("not part of this world".into()))
}

#[async_trait]
impl HistoryStore for FakeHistory {
    async fn reach(&self, target: &Position, _: Duration) -> Result<(), StoreError> {
        let here = !self.behind.load(Ordering::SeqCst) && self.rows().1.covers(target);
        if here { Ok(()) } else { Err(StoreError::Behind) }
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<MembershipAt, StoreError> {
        let (rows, position) = self.rows();
        let mut role = None;
        let mut intervals: Vec<Interval> = Vec::new();
        for change in &rows.memberships {
            if (change.conversation_id, &change.user_id) != (conversation, user) {
                continue;
            }
            match change.step {
                MembershipStep::Joined { role: as_what, interval, .. } => {
                    role = Some(as_what);
                    intervals.push(interval);
                }
                MembershipStep::Role(as_what) => role = Some(as_what),
                MembershipStep::Left { rev, seq } => {
                    role = None;
                    intervals.last_mut().unwrap().until = Some((rev, seq));
                }
            }
        }
        let founding = rows.founded.iter().find(|founding| founding.id == conversation);
        let membership =
            founding.zip(rows.heads.get(&conversation)).map(|(founding, head)| Membership {
                kind: founding.kind,
                history: founding.history,
                member_count: head.member_count,
                head_rev: head.head_rev,
                head_seq: head.head_seq,
                role,
                intervals,
            });
        Ok(MembershipAt { membership, position })
    }

    async fn sent_message(
        &self,
        grant: &Grant,
        id: CommandId,
    ) -> Result<Option<Message>, StoreError> {
        let (rows, _) = self.rows();
        let messages = rows.entries.into_iter().filter_map(|entry| match entry.body {
            EntryBody::Message { message } => Some(message),
            _ => None,
        });
        let mut mine = messages.filter(|message| {
            (message.conversation_id, &message.sender) == (grant.conversation(), grant.actor())
                && grant.sees_seq(message.seq)
        });
        Ok(mine.find(|message| message.id == id))
    }

    async fn position(&self) -> Result<Position, StoreError> {
        Ok(Position::default())
    }
    async fn conversation(&self, _: &Grant) -> Result<Conversation, StoreError> {
        not_here()
    }
    async fn members(
        &self,
        _: &Grant,
        _: Option<&UserId>,
        _: u32,
    ) -> Result<Vec<Member>, StoreError> {
        not_here()
    }
    async fn messages(
        &self,
        _: &Grant,
        _: MessagePage,
        _: u32,
        _: usize,
    ) -> Result<Vec<Message>, StoreError> {
        not_here()
    }
    async fn entries(&self, _: &Grant, _: Rev, _: u32, _: usize) -> Result<Vec<Entry>, StoreError> {
        not_here()
    }
    async fn receipts(
        &self,
        _: &Grant,
        _: u32,
        _: Option<&UserId>,
        _: u32,
    ) -> Result<Vec<Receipt>, StoreError> {
        not_here()
    }
    async fn inbox(
        &self,
        _: &UserId,
        _: Option<InboxCursor>,
        _: u32,
        _: usize,
    ) -> Result<InboxPage, StoreError> {
        not_here()
    }
    async fn sharing(&self, _: &UserId, _: &[UserId]) -> Result<BTreeSet<UserId>, StoreError> {
        not_here()
    }
    async fn inbox_rows(&self, _: u32) -> Result<Option<(Checkpoint, InboxRows)>, StoreError> {
        not_here()
    }
}
