//! What an inbox has to say, folded one ruling after another in the most obvious way.

use std::collections::{BTreeMap, BTreeSet};

use verbatim_domain::Position;
use verbatim_schemas::{
    ConversationId, EntryBody, Kind, Ruling, Seq, Src, Timestamp, UserId, ruling::Accepted,
};

use super::super::story::LAYOUT;
use crate::inbox::{InboxHead, UserInbox};

/// Everything up to some ruling of each partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) position: Position,
    conversations: BTreeMap<ConversationId, Told>,
    members: BTreeMap<(UserId, ConversationId), Mine>,
    former: BTreeMap<(UserId, ConversationId), Src>,
}

#[derive(Debug, Clone)]
struct Told {
    kind: Kind,
    rev: verbatim_schemas::Rev,
    seq: Seq,
    active_at: Timestamp,
    changed: Src,
}

#[derive(Debug, Clone)]
struct Mine {
    delivered: Seq,
    read: Seq,
    changed: Src,
}

impl Model {
    pub(super) fn new() -> Self {
        let position = Position { generation: LAYOUT.generation, ..Position::default() };
        Self { position, ..Self::default() }
    }

    pub(super) fn add(&mut self, ruling: &Ruling) {
        self.position.include(ruling.src);
        if let (Some(id), Some(accepted)) = (ruling.conversation_id, ruling.accepted()) {
            self.accepted(id, ruling.src, accepted);
        }
    }

    fn accepted(&mut self, id: ConversationId, src: Src, accepted: &Accepted) {
        if let Some(content) = &accepted.content {
            match &content.entry.body {
                EntryBody::ConversationCreated { members, .. } => {
                    members.iter().for_each(|member| self.join(&member.user_id, id, src));
                }
                EntryBody::MemberAdded { member } => self.join(&member.user_id, id, src),
                EntryBody::MemberRemoved { member, .. } => {
                    let key = (member.user_id.clone(), id);
                    self.members.remove(&key);
                    self.former.insert(key, src);
                }
                EntryBody::RoleChanged { .. } | EntryBody::Message { .. } => {}
            }
            let told = Told {
                kind: accepted.context.kind,
                rev: accepted.context.head_rev,
                seq: accepted.context.head_seq,
                active_at: content.entry.at,
                changed: src,
            };
            self.conversations.insert(id, told);
        }
        if let Some(receipt) = &accepted.receipt
            && let Some(mine) = self.members.get_mut(&(receipt.user_id.clone(), id))
        {
            (mine.delivered, mine.read, mine.changed) = (receipt.delivered, receipt.read, src);
        }
    }

    fn join(&mut self, user: &UserId, id: ConversationId, src: Src) {
        let key = (user.clone(), id);
        self.former.remove(&key);
        self.members.insert(key, Mine { delivered: Seq(0), read: Seq(0), changed: src });
    }

    pub(super) fn is_member(&self, conversation: ConversationId, user: &UserId) -> bool {
        self.members.contains_key(&(user.clone(), conversation))
    }

    /// What a user finds; `left` sorted.
    pub(super) fn user(&self, user: &UserId, since: Option<&Position>) -> UserInbox {
        let changed = |src: Src| {
            let known = since.and_then(|since| since.offsets.get(&src.partition));
            known.is_none_or(|known| src.offset > *known)
        };
        let mut heads = Vec::new();
        for ((_, id), mine) in self.members.iter().filter(|((member, _), _)| member == user) {
            let told = &self.conversations[id];
            if changed(told.changed) || changed(mine.changed) {
                heads.push(InboxHead {
                    conversation: *id,
                    kind: told.kind,
                    head_rev: told.rev,
                    head_seq: told.seq,
                    delivered: mine.delivered,
                    read: mine.read,
                    active_at: told.active_at,
                });
            }
        }
        heads.sort_by_key(|head| std::cmp::Reverse((head.active_at, head.conversation)));
        let left: BTreeSet<_> = self
            .former
            .iter()
            .filter(|((member, _), ended)| member == user && changed(**ended))
            .map(|((_, id), _)| *id)
            .collect();
        let left = left.into_iter().collect();
        UserInbox { heads, left, position: self.position.clone() }
    }
}
