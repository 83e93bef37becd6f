//! Which users are known to be members, and the lanes of those who are being looked up.
//!
//! A submission takes its place in the order at once, while a lookup takes a while. So the commands
//! of one user for one conversation queue up in a lane behind the lookup; nobody else waits for it.
//! What is known is a hint for the rate of misses, never an authorization.

use std::{
    collections::{HashMap, HashSet},
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
    fresh: HashSet<Who>,
    old: HashSet<Who>,
    half: usize,
    lanes: HashMap<Who, Vec<Q>>,
}

impl<Q> Members<Q> {
    /// Remembers about `known` memberships.
    pub(crate) fn new(known: usize) -> Self {
        let half = known.div_ceil(2 * SHARDS).max(1);
        let shard =
            || Shard { fresh: HashSet::new(), old: HashSet::new(), half, lanes: HashMap::new() };
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
                members.iter().map(|member| who(&member.user_id)).for_each(|who| self.add(who));
            }
            (_, Some(EntryBody::MemberAdded { member })) => self.add(who(&member.user_id)),
            (_, Some(EntryBody::MemberRemoved { member, .. })) => {
                self.remove(&who(&member.user_id));
            }
            (Outcome::Rejected(reason), _) if reason.code == Code::ConversationNotFound => {
                if let Some(actor) = &ruling.actor {
                    self.remove(&who(actor));
                }
            }
            _ => {}
        }
    }

    /// Learns from the ruling of what a user did who was not known.
    pub(crate) fn learn_actor(&self, who: Who, ruling: &Ruling) {
        let left = matches!(
            ruling.content().map(|content| &content.entry.body),
            Some(EntryBody::MemberRemoved { .. })
        );
        if ruling.accepted().is_some() && !left {
            self.add(who);
        }
    }

    fn add(&self, who: Who) {
        self.shard(&who).add(who);
    }

    fn remove(&self, who: &Who) {
        let mut shard = self.shard(who);
        shard.fresh.remove(who);
        shard.old.remove(who);
    }
}

impl<Q> Shard<Q> {
    /// Whether this is a member, as far as is remembered.
    pub(crate) fn knows(&mut self, who: &Who) -> bool {
        if self.fresh.contains(who) {
            return true;
        }
        let known = self.old.contains(who);
        if known {
            self.add(who.clone());
        }
        known
    }

    /// Remembers a member.
    pub(crate) fn add(&mut self, who: Who) {
        if self.fresh.len() >= self.half {
            self.old = std::mem::take(&mut self.fresh);
        }
        self.fresh.insert(who);
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
        members.add(who(0));
        for n in 1..100_000 {
            members.add(who(n));
            assert!(members.shard(&who(0)).knows(&who(0)));
        }
        let kept: usize = (members.shards.iter())
            .map(|shard| locked(shard))
            .map(|shard| shard.fresh.len() + shard.old.len())
            .sum();
        assert!((3_200..=6_400).contains(&kept), "{kept}");
        assert!(!members.shard(&who(1)).knows(&who(1)));
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
