//! What read models of conversations store, made from rulings by one function for all of them
//! ([`ConversationRows::add`]).

use std::collections::BTreeMap;

use verbatim_domain::access::Interval;
use verbatim_schemas::{
    ConversationId, Entry, EntryBody, Rev, Role, Ruling, Seq, Src, Timestamp, UserId,
    entry::Founding,
};

/// The changes of a batch of rulings of one partition. Values are absolute, so that applying a batch
/// twice equals applying it once, and the last one of a key wins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConversationRows {
    /// Conversations that began.
    pub founded: Vec<Founding>,
    /// All new entries, messages among them, in order.
    pub entries: Vec<Entry>,
    /// Memberships that began, changed or ended, in order.
    pub memberships: Vec<MembershipChange>,
    /// Where conversations stand.
    pub heads: BTreeMap<ConversationId, HeadRow>,
    /// Where members' watermarks stand.
    pub receipts: BTreeMap<(ConversationId, UserId), ReceiptRow>,
}

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadRow {
    /// How many members.
    pub member_count: u32,
    /// The last entry.
    pub head_rev: Rev,
    /// The last message.
    pub head_seq: Seq,
    /// When the last entry came.
    pub active_at: Timestamp,
    /// The record of the last entry.
    pub src: Src,
}

/// Where a member's watermarks stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Everything up to here was received.
    pub delivered: Seq,
    /// Everything up to here was read.
    pub read: Seq,
    /// When the member last moved one.
    pub at: Option<Timestamp>,
    /// The record that moved it.
    pub src: Src,
}

/// A change of one user's membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipChange {
    /// Where.
    pub conversation_id: ConversationId,
    /// Whose.
    pub user_id: UserId,
    /// The record that changed it.
    pub src: Src,
    /// How.
    pub step: MembershipStep,
}

/// How a membership changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipStep {
    /// It begins.
    Joined {
        /// As what.
        role: Role,
        /// When.
        since: Timestamp,
        /// The interval that opens; `until` is none.
        interval: Interval,
    },
    /// The role changes.
    Role(Role),
    /// It ends.
    Left {
        /// The entry that ended it.
        rev: Rev,
        /// The last message before that.
        seq: Seq,
    },
}

impl ConversationRows {
    /// Adds what an admitted ruling changes. Rulings come in the order of the timeline.
    pub fn add(&mut self, ruling: &Ruling) {
        let Some(accepted) = ruling.accepted() else { return };
        if let Some(content) = &accepted.content {
            let entry = &content.entry;
            let head = HeadRow {
                member_count: accepted.context.member_count,
                head_rev: accepted.context.head_rev,
                head_seq: accepted.context.head_seq,
                active_at: entry.at,
                src: ruling.src,
            };
            self.add_entry(entry, head);
            self.heads.insert(entry.conversation_id, head);
            self.entries.push(entry.clone());
        }
        if let (Some(receipt), Some(conversation)) = (&accepted.receipt, ruling.conversation_id) {
            let row = ReceiptRow {
                delivered: receipt.delivered,
                read: receipt.read,
                at: receipt.at,
                src: ruling.src,
            };
            self.receipts.insert((conversation, receipt.user_id.clone()), row);
        }
    }

    fn add_entry(&mut self, entry: &Entry, head: HeadRow) {
        let conversation = entry.conversation_id;
        let joined = |member: &verbatim_schemas::rest::Member| MembershipStep::Joined {
            role: member.role,
            since: member.since,
            interval: Interval { from_rev: entry.rev, from_seq: head.head_seq.next(), until: None },
        };
        match &entry.body {
            EntryBody::ConversationCreated { conversation: founding, members } => {
                self.founded.push((**founding).clone());
                let none =
                    ReceiptRow { delivered: Seq::ZERO, read: Seq::ZERO, at: None, src: head.src };
                for member in members {
                    self.step(conversation, &member.user_id, head.src, joined(member));
                    self.receipts.insert((conversation, member.user_id.clone()), none);
                }
            }
            EntryBody::MemberAdded { member } => {
                self.step(conversation, &member.user_id, head.src, joined(member));
            }
            EntryBody::RoleChanged { member } => {
                let step = MembershipStep::Role(member.role);
                self.step(conversation, &member.user_id, head.src, step);
            }
            EntryBody::MemberRemoved { member, promoted } => {
                let step = MembershipStep::Left { rev: entry.rev, seq: head.head_seq };
                self.step(conversation, &member.user_id, head.src, step);
                if let Some(promoted) = promoted {
                    let step = MembershipStep::Role(Role::Admin);
                    self.step(conversation, promoted, head.src, step);
                }
            }
            EntryBody::Message { .. } => {}
        }
    }

    fn step(
        &mut self,
        conversation_id: ConversationId,
        user_id: &UserId,
        src: Src,
        step: MembershipStep,
    ) {
        let user_id = user_id.clone();
        self.memberships.push(MembershipChange { conversation_id, user_id, src, step });
    }
}
