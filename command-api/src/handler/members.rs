//! Who is known to be a member, or to be none, and the lanes of those who are being looked up.
//!
//! A submission takes its place in the order at once, while a lookup takes a while. So the commands
//! of one user for one conversation queue up in a lane behind the lookup; nobody else waits for it.
//! What is known comes from rulings that passed by, and only where they are silent from the lookup.
//! It is a hint for the rate of misses, never an authorization.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard},
};

use verbatim_schemas::{Code, ConversationId, EntryBody, Outcome, Ruling, UserId};

use super::locked;

/// So that submissions rarely wait for each other.
const SHARDS: usize = 64;

/// One user in one conversation.
pub(crate) type Who = (ConversationId, UserId);

/// What is known, and who is being looked up with what is queued behind.
pub(crate) struct Members<Q> {
    shards: Vec<Mutex<Shard<Q>>>,
    hasher: RandomState,
}

/// A part of it, under one lock.
pub(crate) struct Shard<Q> {
    /// Used since the last turn; when it is full it becomes the old one.
    fresh: HashMap<Who, bool>,
    old: HashMap<Who, bool>,
    half: usize,
    lanes: HashMap<Who, Vec<Q>>,
}

impl<Q> Members<Q> {
    /// Remembers up to about `known` users of conversations; 0: none.
    pub(crate) fn new(known: usize) -> Self {
        let half = known.div_ceil(2 * SHARDS);
        let shard =
            || Shard { fresh: HashMap::new(), old: HashMap::new(), half, lanes: HashMap::new() };
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The part that `who` is in.
    pub(crate) fn shard(&self, who: &Who) -> MutexGuard<'_, Shard<Q>> {
        let index = self.hasher.hash_one(who) % SHARDS as u64;
        locked(&self.shards[usize::try_from(index).unwrap_or_default()])
    }

    /// Learns from a ruling that passes by, whoever's it is.
    pub(crate) fn learn(&self, ruling: &Ruling) {
        let Some(conversation) = ruling.conversation_id else { return };
        let who = |user: &UserId| (conversation, user.clone());
        match (&ruling.outcome, ruling.content().map(|content| &content.entry.body)) {
            (_, Some(EntryBody::ConversationCreated { members, .. })) => {
                members.iter().for_each(|member| self.set(who(&member.user_id), true));
            }
            (_, Some(EntryBody::MemberAdded { member })) => self.set(who(&member.user_id), true),
            (_, Some(EntryBody::MemberRemoved { member, .. })) => {
                self.set(who(&member.user_id), false);
            }
            (Outcome::Rejected(reason), _) if reason.code == Code::ConversationNotFound => {
                if let Some(actor) = &ruling.actor {
                    self.set(who(actor), false);
                }
            }
            _ => {}
        }
    }

    /// Learns from the ruling of what a user did of whom nothing was known.
    pub(crate) fn learn_actor(&self, who: Who, ruling: &Ruling) {
        let mut shard = self.shard(&who);
        // What passed by is newer than this, which comes when somebody gets to it.
        if ruling.accepted().is_some() && shard.knows(&who).is_none() {
            shard.set(who, true);
        }
    }

    fn set(&self, who: Who, member: bool) {
        self.shard(&who).set(who, member);
    }
}

impl<Q> Shard<Q> {
    /// Whether this is a member, where anything is known.
    pub(crate) fn knows(&mut self, who: &Who) -> Option<bool> {
        if let Some(member) = self.fresh.get(who) {
            return Some(*member);
        }
        let member = self.old.get(who).copied()?;
        self.set(who.clone(), member);
        Some(member)
    }

    /// Remembers whether this is a member.
    pub(crate) fn set(&mut self, who: Who, member: bool) {
        if self.half == 0 {
            return;
        }
        if self.fresh.len() >= self.half {
            self.old = std::mem::take(&mut self.fresh);
        }
        self.fresh.insert(who, member);
    }

    /// The queue behind a lookup that is on its way.
    pub(crate) fn lane(&mut self, who: &Who) -> Option<&mut Vec<Q>> {
        self.lanes.get_mut(who)
    }

    /// Opens a lane; whoever does has to look up and to close it.
    pub(crate) fn open_lane(&mut self, who: Who, first: Q) {
        self.lanes.insert(who, vec![first]);
    }

    /// What queued up, in order; from now on nothing queues up.
    pub(crate) fn close_lane(&mut self, who: &Who) -> Vec<Q> {
        self.lanes.remove(who).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(n: usize) -> Who {
        let user: UserId = format!("u{n}").parse().unwrap();
        (ConversationId::direct(&user, &"x".parse().unwrap()), user)
    }

    #[test]
    fn memory_is_bounded_and_keeps_what_is_used() {
        let members = Members::<()>::new(6_400);
        members.set(who(0), true);
        for n in 1..100_000 {
            members.set(who(n), n % 2 == 0);
            assert_eq!(members.shard(&who(0)).knows(&who(0)), Some(true));
        }
        let kept: usize = (members.shards.iter())
            .map(|shard| locked(shard))
            .map(|shard| shard.fresh.len() + shard.old.len())
            .sum();
        assert!((3_200..=6_400).contains(&kept), "{kept}");
        assert_eq!(members.shard(&who(1)).knows(&who(1)), None);
        assert_eq!(members.shard(&who(99_999)).knows(&who(99_999)), Some(false));
    }

    #[test]
    fn a_lane_keeps_its_order_and_closes_once() {
        let members = Members::new(10);
        let mut shard = members.shard(&who(1));
        assert!(shard.lane(&who(1)).is_none());
        shard.open_lane(who(1), 1);
        shard.lane(&who(1)).unwrap().push(2);
        assert_eq!(shard.close_lane(&who(1)), [1, 2]);
        assert!(shard.lane(&who(1)).is_none());
        assert!(shard.close_lane(&who(1)).is_empty());
    }
}
