//! One partition's part of the inbox.

use std::collections::{HashMap, HashSet};

use verbatim_ports::{
    StoreError,
    inbox::InboxHead,
    rows::{ConversationRows, HeadRow, MembershipChange, MembershipStep, ReceiptRow},
};
use verbatim_schemas::{ConversationId, Kind, Rev, Seq, Src, Timestamp, UserId};

/// Up to how many conversations a user's memberships take no more room than they need.
const FEW: usize = 16;

/// Conversations of one partition and their members. Every value keeps the offset of the record that
/// last changed it.
#[derive(Default)]
pub(super) struct Partition {
    checkpoint: Option<Src>,
    conversations: HashMap<ConversationId, Head>,
    users: HashMap<UserId, User>,
}

/// One for all members, so that a message costs the same however many they are.
struct Head {
    kind: Kind,
    head_rev: Rev,
    head_seq: Seq,
    active_at: Timestamp,
    changed: u64,
}

/// A user's memberships, in the order of the conversations' ids.
#[derive(Default)]
struct User {
    present: Vec<Membership>,
    former: Vec<Former>,
}

struct Membership {
    conversation: ConversationId,
    delivered: Seq,
    read: Seq,
    /// By the user's own receipts or joining.
    changed: u64,
}

struct Former {
    conversation: ConversationId,
    ended: u64,
}

impl Partition {
    pub(super) fn checkpoint(&self) -> Option<Src> {
        self.checkpoint
    }

    /// Says that everything up to `src` is taken in.
    pub(super) fn include(&mut self, src: Src) {
        self.checkpoint = Some(src);
    }

    /// Takes in a batch whose last record is `src`, or nothing of it.
    pub(super) fn apply(&mut self, rows: &ConversationRows, src: Src) -> Result<(), StoreError> {
        self.check(rows)?;
        for founding in &rows.founded {
            let head = Head {
                kind: founding.kind,
                head_rev: Rev::ZERO,
                head_seq: Seq::ZERO,
                active_at: founding.created_at,
                changed: 0,
            };
            self.conversations.insert(founding.id, head);
        }
        rows.heads.iter().for_each(|(conversation, row)| self.head(*conversation, row));
        rows.memberships.iter().for_each(|change| self.membership(change));
        for ((conversation, user), row) in &rows.receipts {
            self.receipt(*conversation, user, row);
        }
        self.include(src);
        Ok(())
    }

    /// A head without a beginning shows that something is missing before the batch.
    fn check(&self, rows: &ConversationRows) -> Result<(), StoreError> {
        let founded: HashSet<_> = rows.founded.iter().map(|founding| founding.id).collect();
        let known = |id| self.conversations.contains_key(id) || founded.contains(id);
        match rows.heads.keys().find(|id| !known(*id)) {
            None => Ok(()),
            Some(id) => Err(StoreError::Corrupt(format!(
                "the inbox does not know conversation {id}: it has to be warmed first"
            ))),
        }
    }

    fn head(&mut self, conversation: ConversationId, row: &HeadRow) {
        if let Some(head) = self.conversations.get_mut(&conversation) {
            (head.head_rev, head.head_seq) = (row.head_rev, row.head_seq);
            (head.active_at, head.changed) = (row.active_at, row.src.offset);
        }
    }

    fn membership(&mut self, change: &MembershipChange) {
        let conversation = change.conversation_id;
        // Looked up first, so that only a new user's id is kept.
        let user = match self.users.get_mut(&change.user_id) {
            Some(user) => user,
            None => self.users.entry(change.user_id.clone()).or_default(),
        };
        match change.step {
            MembershipStep::Joined { .. } => {
                if let Ok(index) = user.find_former(conversation) {
                    user.former.remove(index);
                }
                let (delivered, read) = (Seq::ZERO, Seq::ZERO);
                let changed = change.src.offset;
                let membership = Membership { conversation, delivered, read, changed };
                match user.find(conversation) {
                    Ok(index) => user.present[index] = membership,
                    Err(index) => insert(&mut user.present, index, membership),
                }
            }
            MembershipStep::Role(_) => {}
            MembershipStep::Left { .. } => {
                if let Ok(index) = user.find(conversation) {
                    user.present.remove(index);
                }
                let former = Former { conversation, ended: change.src.offset };
                match user.find_former(conversation) {
                    Ok(index) => user.former[index] = former,
                    Err(index) => insert(&mut user.former, index, former),
                }
            }
        }
    }

    /// Of somebody who is no member any more nothing is kept.
    fn receipt(&mut self, conversation: ConversationId, user: &UserId, row: &ReceiptRow) {
        let Some(user) = self.users.get_mut(user) else { return };
        let Ok(index) = user.find(conversation) else { return };
        let membership = &mut user.present[index];
        (membership.delivered, membership.read) = (row.delivered, row.read);
        membership.changed = membership.changed.max(row.src.offset);
    }

    /// Adds the user's conversations where anything changed after `since` (none: all).
    pub(super) fn user(
        &self,
        user: &UserId,
        since: Option<u64>,
        heads: &mut Vec<InboxHead>,
        left: &mut Vec<ConversationId>,
    ) {
        let Some(user) = self.users.get(user) else { return };
        let changed = |offset: u64| since.is_none_or(|since| offset > since);
        let shown = user.present.iter().filter_map(|membership| {
            let head = self.conversations.get(&membership.conversation)?;
            changed(head.changed.max(membership.changed)).then(|| membership.with(head))
        });
        heads.extend(shown);
        let ended = user.former.iter().filter(|former| changed(former.ended));
        left.extend(ended.map(|former| former.conversation));
    }

    /// How much is unread, of each conversation where anything is.
    pub(super) fn unread(&self, user: &UserId) -> impl Iterator<Item = u64> {
        let present = self.users.get(user).map(|user| user.present.as_slice()).unwrap_or_default();
        present
            .iter()
            .filter_map(|membership| {
                let head = self.conversations.get(&membership.conversation)?;
                Some(membership.with(head).unread())
            })
            .filter(|unread| *unread > 0)
    }

    pub(super) fn is_member(&self, conversation: ConversationId, user: &UserId) -> bool {
        self.users.get(user).is_some_and(|user| user.find(conversation).is_ok())
    }
}

/// Most users are in few conversations, so that room kept for more would be most of the memory.
fn insert<T>(sorted: &mut Vec<T>, index: usize, value: T) {
    if sorted.len() < FEW {
        sorted.reserve_exact(1);
    }
    sorted.insert(index, value);
}

impl User {
    fn find(&self, conversation: ConversationId) -> Result<usize, usize> {
        self.present.binary_search_by_key(&conversation, |membership| membership.conversation)
    }

    fn find_former(&self, conversation: ConversationId) -> Result<usize, usize> {
        self.former.binary_search_by_key(&conversation, |former| former.conversation)
    }
}

impl Membership {
    fn with(&self, head: &Head) -> InboxHead {
        InboxHead {
            conversation: self.conversation,
            kind: head.kind,
            head_rev: head.head_rev,
            head_seq: head.head_seq,
            delivered: self.delivered,
            read: self.read,
            active_at: head.active_at,
        }
    }
}
