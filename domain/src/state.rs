//! One conversation's own state, as rows, so that a store loads only those that a record needs.

use std::collections::BTreeMap;

use verbatim_schemas::{
    Chain, CommandId, ConversationId, Event, EventBody, Kind, Name, Posting, Rev, Role, Ruling,
    Seq, Src, Timestamp, UserId, Visibility, bounds,
    entry::EntryBody,
    ruling::{First, Spent},
};

/// The state of one conversation, or that part of it which was loaded. Ordered maps only: the rule
/// must give the same result everywhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConversationState {
    /// None when the conversation does not exist.
    pub head: Option<Head>,
    /// Who is a member now.
    pub members: BTreeMap<UserId, MemberRow>,
    /// What is known of each actor's spent ids.
    pub memories: BTreeMap<UserId, Memory>,
    /// The spent ids.
    pub spent: BTreeMap<(UserId, CommandId), SpentRow>,
}

/// What a conversation is and how far it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Of groups and channels.
    pub name: Option<Name>,
    /// What later members see.
    pub history: Visibility,
    /// Who may send.
    pub posting: Posting,
    /// Who created it.
    pub creator: UserId,
    /// The creation's body, for comparing a repeat of it.
    pub founding: Spent,
    /// When it was created.
    pub created_at: Timestamp,
    /// The latest time ruled on: time never runs backwards in a conversation.
    pub last_at: Timestamp,
    /// The last entry.
    pub rev: Rev,
    /// The last message.
    pub seq: Seq,
    /// The chain up to the last entry.
    pub chain: Chain,
    /// How many members.
    pub member_count: u32,
    /// How many of them are admins.
    pub admin_count: u32,
}

/// One member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberRow {
    /// What they may do.
    pub role: Role,
    /// Member since.
    pub since: Timestamp,
    /// The entry that made them a member; who has the lowest stands longest.
    pub since_rev: Rev,
    /// Everything up to here was received.
    pub delivered: Seq,
    /// Everything up to here was read.
    pub read: Seq,
    /// When a watermark last moved by what the member did.
    pub receipt_at: Option<Timestamp>,
}

/// What is known of an actor's spent ids beyond those that are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// How many are remembered.
    pub count: u32,
    /// Every id up to here was forgotten, or never used: either way it is stale.
    pub floor: Option<CommandId>,
}

impl Memory {
    /// How many of the newest ids are needed where `count` of the oldest are: none while the memory
    /// can't run over.
    pub fn newest_needed(&self, count: usize) -> usize {
        let overflows = self.count as usize + count > bounds::ID_MEMORY_COUNT as usize;
        if overflows { count } else { 0 }
    }
}

/// A spent id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpentRow {
    /// What its body was.
    pub spent: Spent,
    /// The record that spent it.
    pub src: Src,
    /// What was decided.
    pub first: First,
}

/// One row changed by [`apply`](crate::apply::apply); `None` deletes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The head.
    Head(Box<Head>),
    /// A member.
    Member(UserId, Option<MemberRow>),
    /// An actor's memory.
    Memory(UserId, Memory),
    /// A spent id.
    Spent(UserId, CommandId, Option<SpentRow>),
}

/// How many of an actor's spent ids one ruling may forget. Two, so that ids past their age go
/// faster than new ones come.
pub const FORGET_AT_ONCE: usize = 2;

/// The rows of one conversation that some records need, besides its head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// These members, where they are.
    pub members: std::collections::BTreeSet<UserId>,
    /// So many of the members that stand longest.
    pub longest_standing: usize,
    /// These ids, where they are spent.
    pub spent: std::collections::BTreeSet<(UserId, CommandId)>,
    /// These actors' memories, and so many of their oldest spent ids; where
    /// [`Memory::newest_needed`], of their newest as well.
    pub memories: BTreeMap<UserId, usize>,
}

impl Needs {
    /// Adds what deciding on `event` and applying the ruling needs.
    pub fn add_event(&mut self, event: &Event) {
        self.members.insert(event.actor.clone());
        match &event.body {
            EventBody::MemberAdded(added) => {
                self.members.insert(added.user_id.clone());
            }
            EventBody::MemberRemoved(removed) => {
                self.members.insert(removed.user_id.clone());
                self.add_removal();
            }
            _ => {}
        }
        if !event.body.is_receipt() {
            self.spent.insert((event.actor.clone(), event.id));
            self.add_memory(&event.actor);
        }
    }

    /// Adds what applying `ruling` needs, for folding the timeline.
    pub fn add_ruling(&mut self, ruling: &Ruling) {
        if let (Some(actor), Some(_)) = (&ruling.actor, &ruling.spent) {
            self.add_memory(actor);
        }
        let Some(accepted) = ruling.accepted() else { return };
        if let Some(receipt) = &accepted.receipt {
            self.members.insert(receipt.user_id.clone());
        }
        match accepted.content.as_ref().map(|content| &content.entry.body) {
            Some(EntryBody::RoleChanged { member }) => {
                self.members.insert(member.user_id.clone());
            }
            Some(EntryBody::MemberRemoved { promoted: Some(promoted), .. }) => {
                self.members.insert(promoted.clone());
            }
            _ => {}
        }
    }

    /// Each removal in a batch may take the longest-standing member away, so one more is needed
    /// behind; the first needs itself and a successor.
    fn add_removal(&mut self) {
        self.longest_standing = self.longest_standing.max(1) + 1;
    }

    fn add_memory(&mut self, actor: &UserId) {
        *self.memories.entry(actor.clone()).or_default() += FORGET_AT_ONCE;
    }
}

/// Needs by conversation: what a batch of records needs.
pub type BatchNeeds = BTreeMap<ConversationId, Needs>;

impl ConversationState {
    /// Which rows of this state `needs` names: what a store has to load.
    pub fn part(&self, needs: &Needs) -> Self {
        let mut part = Self { head: self.head.clone(), ..Self::default() };
        for user in &needs.members {
            if let Some(member) = self.members.get(user) {
                part.members.insert(user.clone(), *member);
            }
        }
        let mut standing: Vec<_> = self.members.iter().collect();
        standing.sort_by_key(|(user, member)| (member.since_rev, *user));
        for (user, member) in standing.into_iter().take(needs.longest_standing) {
            part.members.insert(user.clone(), *member);
        }
        for (actor, count) in &needs.memories {
            let Some(memory) = self.memories.get(actor) else { continue };
            part.memories.insert(actor.clone(), *memory);
            let (oldest, newest) = (self.spent_by(actor), self.spent_by(actor).rev());
            let ids = oldest.take(*count).chain(newest.take(memory.newest_needed(*count)));
            part.spent.extend(ids.map(|(key, row)| (key.clone(), row.clone())));
        }
        for key in &needs.spent {
            if let Some(row) = self.spent.get(key) {
                part.spent.insert(key.clone(), row.clone());
            }
        }
        part
    }

    /// An actor's spent ids, oldest first.
    pub fn spent_by(
        &self,
        actor: &UserId,
    ) -> impl DoubleEndedIterator<Item = (&(UserId, CommandId), &SpentRow)> {
        let key = |id| (actor.clone(), id);
        self.spent.range(key(CommandId::MIN)..=key(CommandId::MAX))
    }

    /// The member who stands longest, `leaving` aside.
    pub fn longest_standing_without(&self, leaving: &UserId) -> Option<&UserId> {
        self.members
            .iter()
            .filter(|(user, _)| *user != leaving)
            .min_by_key(|(user, member)| (member.since_rev, *user))
            .map(|(user, _)| user)
    }
}
