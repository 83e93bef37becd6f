//! What a projection of some rulings holds.

use std::collections::BTreeMap;

use verbatim_domain::access::{Interval, Membership};
use verbatim_schemas::{
    ConversationId, Entry, EntryBody, Kind, Rev, Role, Ruling, Seq, Src, Timestamp, UserId,
    Visibility, rest::Receipt,
};

#[derive(Debug, Clone)]
pub struct Folded {
    pub kind: Kind,
    pub history: Visibility,
    pub entries: Vec<Entry>,
    pub head_seq: Seq,
    pub member_count: u32,
    pub active_at: Timestamp,
    pub last: Src,
    pub members: BTreeMap<UserId, Known>,
}

#[derive(Debug, Clone)]
pub struct Known {
    pub role: Option<Role>,
    pub intervals: Vec<Interval>,
    pub receipt: Receipt,
    /// The last record that concerns this user alone.
    pub last: Src,
}

pub type Fold = BTreeMap<ConversationId, Folded>;

pub fn add(fold: &mut Fold, ruling: &Ruling) {
    let (Some(accepted), Some(id)) = (ruling.accepted(), ruling.conversation_id) else { return };
    let context = accepted.context;
    let folded = fold.entry(id).or_insert_with(|| Folded {
        kind: context.kind,
        history: context.history,
        entries: Vec::new(),
        head_seq: Seq::ZERO,
        member_count: 0,
        active_at: ruling.at,
        last: ruling.src,
        members: BTreeMap::new(),
    });
    if let Some(content) = &accepted.content {
        let entry = &content.entry;
        folded.entries.push(entry.clone());
        (folded.head_seq, folded.member_count) = (context.head_seq, context.member_count);
        (folded.active_at, folded.last) = (entry.at, ruling.src);
        match &entry.body {
            EntryBody::ConversationCreated { members, .. } => {
                members.iter().for_each(|member| folded.join(&member.user_id, entry.rev, ruling));
            }
            EntryBody::MemberAdded { member } => folded.join(&member.user_id, entry.rev, ruling),
            EntryBody::MemberRemoved { member, .. } => {
                if let Some(known) = folded.members.get_mut(&member.user_id) {
                    known.role = None;
                    known.last = ruling.src;
                    if let Some(last) = known.intervals.last_mut() {
                        last.until = Some((entry.rev, context.head_seq));
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(receipt) = &accepted.receipt
        && let Some(known) = folded.members.get_mut(&receipt.user_id)
    {
        known.receipt = receipt.clone();
        known.last = ruling.src;
    }
}

impl Folded {
    fn join(&mut self, user: &UserId, rev: Rev, ruling: &Ruling) {
        let receipt = Receipt {
            user_id: user.clone(),
            delivered: self.head_seq,
            read: self.head_seq,
            at: None,
        };
        let interval = Interval { from_rev: rev, from_seq: self.head_seq.next(), until: None };
        let known = self.members.entry(user.clone()).or_insert_with(|| Known {
            role: None,
            intervals: Vec::new(),
            receipt: receipt.clone(),
            last: ruling.src,
        });
        known.role = Some(Role::Member);
        known.receipt = receipt;
        known.last = ruling.src;
        known.intervals.push(interval);
    }

    pub fn head_rev(&self) -> Rev {
        self.entries.last().map_or(Rev::ZERO, |entry| entry.rev)
    }

    pub fn membership(&self, user: &UserId) -> Option<Membership> {
        let known = self.members.get(user)?;
        Some(Membership {
            kind: self.kind,
            history: self.history,
            member_count: self.member_count,
            head_rev: self.head_rev(),
            head_seq: self.head_seq,
            role: known.role,
            intervals: known.intervals.clone(),
        })
    }

    pub fn is_member(&self, user: &UserId) -> bool {
        self.members.get(user).is_some_and(|known| known.role.is_some())
    }
}
