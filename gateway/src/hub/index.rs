//! Which sockets belong to which conversation.

use std::{collections::HashMap, sync::Arc};

use verbatim_schemas::{ConversationId, Kind, Rev, Seq, Src, UserId};

use crate::{session::Session, slab::Slab};

/// A conversation that some local socket is subscribed to.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) id: ConversationId,
    pub(super) kind: Kind,
    pub(super) head_rev: Rev,
    pub(super) head_seq: Seq,
    /// The subscribed sockets, and where each keeps this conversation among its own.
    pub(super) sockets: Vec<Link>,
    /// Of a channel, when each of `sockets` was told of it last, in seconds of the gateway's life.
    pub(super) told: Vec<u32>,
    /// Of a channel, the sockets that view it, and the head each has been acknowledged.
    pub(super) viewers: Vec<(u32, Rev)>,
    /// Of a channel, whether some socket has to be told of the head later.
    pub(super) stale: bool,
}

/// Half of a subscription: the other side's place, and where that side keeps this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) place: u32,
    back: u32,
}

/// A socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) session: Arc<Session>,
    /// Who is signed in; none before `welcome`.
    pub(super) user: Option<UserId>,
    /// Its conversations.
    conversations: Vec<Link>,
    /// Per partition, up to which record rulings are not for this socket, because the heads it was
    /// sent include them; `u64::MAX` while the partition's heads were not sent at all.
    pub(super) skips: Vec<(u32, u64)>,
    /// How many channels it views.
    pub(super) views: usize,
}

impl Socket {
    /// Whether a ruling is not for this socket.
    pub(super) fn skips(&self, src: Src) -> bool {
        let mut skips = self.skips.iter();
        skips.any(|(partition, until)| *partition == src.partition && src.offset <= *until)
    }

    /// Whether it skips anything of a partition.
    pub(super) fn skips_in(&self, partition: u32) -> bool {
        self.skips.iter().any(|(other, _)| *other == partition)
    }

    /// Whether the partition's heads have yet to be sent.
    pub(super) fn is_behind(&self, partition: u32) -> bool {
        self.skips.contains(&(partition, u64::MAX))
    }

    pub(super) fn set_skip(&mut self, partition: u32, until: Option<u64>) {
        self.skips.retain(|(other, _)| *other != partition);
        self.skips.extend(until.map(|until| (partition, until)));
        self.skips.shrink_to_fit();
    }
}

/// Sockets and conversations, each knowing its place with the other, so that a subscription ends in
/// constant time: 20 bytes each.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) sockets: Slab<Socket>,
    pub(super) conversations: Slab<Conversation>,
    by_id: HashMap<ConversationId, u32>,
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Index {
    pub(super) fn find(&self, id: ConversationId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn by_id(&self, id: ConversationId) -> Option<&Conversation> {
        self.conversations.get(self.find(id)?)
    }

    pub(super) fn by_id_mut(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        self.conversations.get_mut(self.find(id)?)
    }

    pub(super) fn add_socket(&mut self, make: impl FnOnce(u32) -> Arc<Session>) -> Arc<Session> {
        let unset = Arc::new(Session::new(u32::MAX, 0, 0));
        let socket = Socket {
            session: unset,
            user: None,
            conversations: Vec::new(),
            skips: Vec::new(),
            views: 0,
        };
        let slot = self.sockets.insert(socket);
        let session = make(slot);
        if let Some(socket) = self.sockets.get_mut(slot) {
            socket.session = session.clone();
        }
        session
    }

    /// Subscribes a socket; false when it is already.
    pub(super) fn subscribe(
        &mut self,
        slot: u32,
        id: ConversationId,
        kind: Kind,
        head: (Rev, Seq),
    ) -> bool {
        if self.subscribed(slot, id) || self.sockets.get(slot).is_none() {
            return false;
        }
        let index = match self.find(id) {
            Some(index) => index,
            None => {
                let index = self.conversations.insert(Conversation {
                    id,
                    kind,
                    head_rev: Rev::ZERO,
                    head_seq: Seq::ZERO,
                    sockets: Vec::new(),
                    told: Vec::new(),
                    viewers: Vec::new(),
                    stale: false,
                });
                self.by_id.insert(id, index);
                index
            }
        };
        let Some(conversation) = self.conversations.get_mut(index) else { return false };
        let Some(socket) = self.sockets.get_mut(slot) else { return false };
        conversation.head_rev = conversation.head_rev.max(head.0);
        conversation.head_seq = conversation.head_seq.max(head.1);
        let (there, here) = (place(socket.conversations.len()), place(conversation.sockets.len()));
        conversation.sockets.push(Link { place: slot, back: there });
        if kind == Kind::Channel {
            conversation.told.push(0);
        }
        socket.conversations.push(Link { place: index, back: here });
        true
    }

    /// Where the socket keeps the conversation; looks through the shorter of the two lists.
    fn link(&self, slot: u32, index: u32) -> Option<usize> {
        let socket = self.sockets.get(slot)?;
        let conversation = self.conversations.get(index)?;
        if socket.conversations.len() <= conversation.sockets.len() {
            socket.conversations.iter().position(|link| link.place == index)
        } else {
            let link = conversation.sockets.iter().find(|link| link.place == slot)?;
            Some(link.back as usize)
        }
    }

    /// Where the conversation keeps the socket.
    pub(super) fn place_in(&self, slot: u32, index: u32) -> Option<usize> {
        let link = self.link(slot, index)?;
        Some(self.sockets.get(slot)?.conversations.get(link)?.back as usize)
    }

    pub(super) fn subscribed(&self, slot: u32, id: ConversationId) -> bool {
        self.find(id).is_some_and(|index| self.link(slot, index).is_some())
    }

    /// Ends a subscription; false when there is none.
    pub(super) fn unsubscribe(&mut self, slot: u32, id: ConversationId) -> bool {
        let Some(link) = self.find(id).and_then(|index| self.link(slot, index)) else {
            return false;
        };
        self.unlink(slot, link);
        true
    }

    fn unlink(&mut self, slot: u32, at: usize) {
        let Some(socket) = self.sockets.get_mut(slot) else { return };
        let Link { place: index, back } = socket.conversations.swap_remove(at);
        let moved = socket.conversations.get(at).copied();
        if let Some(moved) = moved
            && let Some(other) = self.conversations.get_mut(moved.place)
            && let Some(link) = other.sockets.get_mut(moved.back as usize)
        {
            link.back = place(at);
        }
        let Some(conversation) = self.conversations.get_mut(index) else { return };
        conversation.sockets.swap_remove(back as usize);
        if conversation.kind == Kind::Channel {
            conversation.told.swap_remove(back as usize);
        }
        let views = conversation.viewers.len();
        conversation.viewers.retain(|(viewer, _)| *viewer != slot);
        let viewed = conversation.viewers.len() < views;
        let moved = conversation.sockets.get(back as usize).copied();
        let empty = conversation.sockets.is_empty();
        let id = conversation.id;
        if let Some(moved) = moved
            && let Some(other) = self.sockets.get_mut(moved.place)
            && let Some(link) = other.conversations.get_mut(moved.back as usize)
        {
            link.back = back;
        }
        if viewed && let Some(socket) = self.sockets.get_mut(slot) {
            socket.views -= 1;
        }
        if empty {
            self.conversations.remove(index);
            self.by_id.remove(&id);
        }
    }

    /// Takes a socket and all its subscriptions out.
    pub(super) fn remove_socket(&mut self, slot: u32) -> Option<Socket> {
        // Bounded: each round takes one out.
        while let Some(last) =
            self.sockets.get(slot).and_then(|socket| socket.conversations.len().checked_sub(1))
        {
            self.unlink(slot, last);
        }
        self.sockets.remove(slot)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> ConversationId {
        let uuid = uuid::Builder::from_unix_timestamp_millis(number.into(), &[0; 10]).into_uuid();
        ConversationId::new(uuid).unwrap()
    }

    proptest! {
        #[test]
        fn both_sides_of_every_subscription_agree(
            steps in proptest::collection::vec((0u8..3, 0u32..5, 0u8..5), 0..200),
        ) {
            let mut index = Index::default();
            let mut model: std::collections::BTreeSet<(u32, u8)> = Default::default();
            for _ in 0..5 {
                index.add_socket(|slot| Arc::new(Session::new(slot, 0, 0)));
            }
            for (step, slot, conversation) in steps {
                match step {
                    0 => {
                        let kind = if conversation == 0 { Kind::Channel } else { Kind::Group };
                        let head = (Rev(1), Seq(0));
                        let new = index.subscribe(slot, id(conversation), kind, head);
                        prop_assert_eq!(new, model.insert((slot, conversation)));
                    }
                    1 => {
                        let ended = index.unsubscribe(slot, id(conversation));
                        prop_assert_eq!(ended, model.remove(&(slot, conversation)));
                    }
                    _ => {
                        index.remove_socket(slot);
                        model.retain(|(other, _)| *other != slot);
                        let session = index.add_socket(|slot| Arc::new(Session::new(slot, 0, 0)));
                        prop_assert_eq!(session.slot, slot);
                    }
                }
                for slot in 0..5 {
                    for conversation in 0..5 {
                        let there = model.contains(&(slot, conversation));
                        prop_assert_eq!(index.subscribed(slot, id(conversation)), there);
                    }
                }
                for conversation in index.conversations.values() {
                    for (at, link) in conversation.sockets.iter().enumerate() {
                        let socket = index.sockets.get(link.place).unwrap();
                        prop_assert_eq!(socket.conversations[link.back as usize].back as usize, at);
                    }
                    let told = if conversation.kind == Kind::Channel {
                        conversation.sockets.len()
                    } else {
                        0
                    };
                    prop_assert_eq!(conversation.told.len(), told);
                }
            }
        }
    }
}
