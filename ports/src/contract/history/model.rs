//! What a history has to say, folded one ruling after another in the most obvious way.

use std::collections::BTreeMap;

use verbatim_domain::{
    Grant, Position,
    access::{Interval, Membership},
};
use verbatim_schemas::{
    ConversationId, Entry, EntryBody, Kind, Role, Ruling, Seq, Timestamp, UserId, Visibility,
    entry::{Founding, Message},
    rest::{Conversation, InboxItem, Member, Receipt},
    ruling::Accepted,
};

use super::super::story::LAYOUT;

/// Everything up to some ruling of each partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) position: Position,
    pub(super) conversations: BTreeMap<ConversationId, Told>,
}

/// One conversation.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) founding: Founding,
    pub(super) member_count: u32,
    pub(super) entries: Vec<Entry>,
    pub(super) messages: Vec<Message>,
    pub(super) members: BTreeMap<UserId, Present>,
    pub(super) intervals: BTreeMap<UserId, Vec<Interval>>,
}

/// A present member.
#[derive(Debug, Clone)]
pub(super) struct Present {
    pub(super) member: Member,
    pub(super) receipt: Receipt,
}

impl Model {
    pub(super) fn new() -> Self {
        let position = Position { generation: LAYOUT.generation, ..Position::default() };
        Self { position, ..Self::default() }
    }

    pub(super) fn add(&mut self, ruling: &Ruling) {
        self.position.include(ruling.src);
        let (Some(id), Some(accepted)) = (ruling.conversation_id, ruling.accepted()) else {
            return;
        };
        if let Some(content) = &accepted.content
            && let EntryBody::ConversationCreated { conversation, .. } = &content.entry.body
        {
            self.conversations.insert(id, Told::begin((**conversation).clone()));
        }
        if let Some(told) = self.conversations.get_mut(&id) {
            told.add(accepted);
        }
    }

    pub(super) fn membership(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Option<Membership> {
        self.conversations.get(&conversation)?.membership(user)
    }

    /// The user's inbox, latest entry first.
    pub(super) fn inbox(&self, user: &UserId) -> Vec<InboxItem> {
        let mut items: Vec<_> =
            self.conversations.values().filter_map(|told| told.inbox_item(user)).collect();
        items.sort_by_key(|item| std::cmp::Reverse((item.active_at, item.conversation.id)));
        items
    }

    /// Whether two users share a conversation.
    pub(super) fn share(&self, one: &UserId, other: &UserId) -> bool {
        let both = |told: &Told| told.members.contains_key(one) && told.members.contains_key(other);
        one == other || self.conversations.values().any(both)
    }
}

impl Told {
    fn begin(founding: Founding) -> Self {
        Self {
            founding,
            member_count: 0,
            entries: Vec::new(),
            messages: Vec::new(),
            members: BTreeMap::new(),
            intervals: BTreeMap::new(),
        }
    }

    fn add(&mut self, accepted: &Accepted) {
        if let Some(content) = &accepted.content {
            self.member_count = accepted.context.member_count;
            self.entries.push(content.entry.clone());
            self.change(&content.entry);
        }
        if let Some(receipt) = &accepted.receipt
            && let Some(present) = self.members.get_mut(&receipt.user_id)
        {
            present.receipt = receipt.clone();
        }
    }

    fn change(&mut self, entry: &Entry) {
        match &entry.body {
            EntryBody::ConversationCreated { members, .. } => {
                members.iter().for_each(|member| self.join(entry, member));
            }
            EntryBody::MemberAdded { member } => self.join(entry, member),
            EntryBody::RoleChanged { member } => self.role(&member.user_id, member.role),
            EntryBody::MemberRemoved { member, promoted } => {
                let head = self.head_seq();
                self.members.remove(&member.user_id);
                let intervals = self.intervals.entry(member.user_id.clone()).or_default();
                if let Some(last) = intervals.last_mut() {
                    last.until = Some((entry.rev, head));
                }
                if let Some(promoted) = promoted {
                    self.role(promoted, Role::Admin);
                }
            }
            EntryBody::Message { message } => self.messages.push(message.clone()),
        }
    }

    fn join(&mut self, entry: &Entry, member: &Member) {
        let interval =
            Interval { from_rev: entry.rev, from_seq: self.head_seq().next(), until: None };
        self.intervals.entry(member.user_id.clone()).or_default().push(interval);
        let user_id = member.user_id.clone();
        let receipt =
            Receipt { user_id: user_id.clone(), delivered: Seq(0), read: Seq(0), at: None };
        self.members.insert(user_id, Present { member: member.clone(), receipt });
    }

    fn role(&mut self, user: &UserId, role: Role) {
        if let Some(present) = self.members.get_mut(user) {
            present.member.role = role;
        }
    }

    fn head_seq(&self) -> Seq {
        Seq(self.messages.len() as u64)
    }

    fn active_at(&self) -> Timestamp {
        self.entries.last().map_or(self.founding.created_at, |entry| entry.at)
    }

    fn membership(&self, user: &UserId) -> Option<Membership> {
        Some(Membership {
            kind: self.founding.kind,
            history: self.founding.history,
            member_count: self.member_count,
            head_rev: self.entries.last()?.rev,
            head_seq: self.head_seq(),
            role: self.members.get(user).map(|present| present.member.role),
            intervals: self.intervals.get(user)?.clone(),
        })
    }

    pub(super) fn conversation(&self, user: &UserId) -> Option<Conversation> {
        let peer = self.members.keys().find(|other| *other != user).cloned();
        Some(Conversation {
            id: self.founding.id,
            kind: self.founding.kind,
            name: self.founding.name.clone(),
            peer: peer.filter(|_| self.founding.kind == Kind::Direct),
            history: self.founding.history,
            posting: self.founding.posting,
            role: self.members.get(user)?.member.role,
            member_count: self.member_count,
            head_seq: self.head_seq(),
            head_rev: self.entries.last()?.rev,
            created_at: self.founding.created_at,
        })
    }

    fn inbox_item(&self, user: &UserId) -> Option<InboxItem> {
        let Receipt { read, delivered, .. } = self.members.get(user)?.receipt;
        let visible = |message: &&Message| {
            self.founding.history == Visibility::All
                || self.intervals[user].iter().any(|interval| {
                    interval.from_seq <= message.seq
                        && interval.until.is_none_or(|(_, last)| message.seq <= last)
                })
        };
        Some(InboxItem {
            conversation: self.conversation(user)?,
            last_message: self.messages.iter().rev().find(visible).cloned(),
            unread: self.head_seq().0 - read.0,
            read,
            delivered,
            active_at: self.active_at(),
        })
    }

    /// The messages that a grant shows, oldest first.
    pub(super) fn messages(&self, grant: &Grant) -> Vec<Message> {
        self.messages.iter().filter(|message| grant.sees_seq(message.seq)).cloned().collect()
    }

    /// The entries that a grant shows.
    pub(super) fn entries(&self, grant: &Grant) -> Vec<Entry> {
        self.entries.iter().filter(|entry| grant.sees_rev(entry.rev)).cloned().collect()
    }
}
