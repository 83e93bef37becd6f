//! The hub: which sockets are there, what belongs to them, and the fan-out of rulings.
//!
//! One lock holds it. It is taken for a few rulings at a time by the follower, and by connections
//! for what they ask for; never over a wait. Within it each partition has a position, and a socket
//! that was attached at an inbox's position gets exactly what lies behind it.

mod attach;
mod channels;
mod deliver;
mod index;
mod recent;
#[cfg(test)]
mod tests;
mod watermarks;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use verbatim_domain::{Position, partition};
use verbatim_schemas::{ConversationId, Seq, UserId};

pub(crate) use attach::{Base, Plan, Standing};
pub(crate) use channels::Viewed;
pub(crate) use recent::Live;

use crate::{GatewayConfig, session::Session};
use index::Index;
use recent::Recent;

/// What a connection wants of a conversation that it is not subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Not a member, as far as the hub has come.
    NotMember,
    /// The partition's heads have yet to be sent to this socket.
    Behind,
}

/// How far one partition has come here.
#[derive(Debug)]
struct Partition {
    position: Option<u64>,
    recent: Recent,
    /// Sockets whose inbox was ahead of this position.
    ahead: Vec<u32>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Hub {
    generation: u32,
    partitions: Vec<Partition>,
    index: Index,
    /// The sockets of each user that is signed in here, oldest first.
    users: HashMap<UserId, Vec<u32>>,
    /// Channels of which somebody has to be told later.
    stale: Vec<ConversationId>,
    /// Sockets that got frames and were not woken yet; kept for its room.
    marked: Vec<u32>,
    next_number: u64,
    config: GatewayConfig,
}

impl Hub {
    pub(crate) fn new(config: GatewayConfig) -> Self {
        Self {
            generation: 0,
            partitions: Vec::new(),
            index: Index::default(),
            users: HashMap::new(),
            stale: Vec::new(),
            marked: Vec::new(),
            next_number: 0,
            config,
        }
    }

    /// Begins at a position of the timeline, in so many partitions.
    pub(crate) fn begin(&mut self, generation: u32, positions: Vec<Option<u64>>) {
        self.generation = generation;
        let (most, bytes) = (self.config.recent_rulings, self.config.recent_bytes);
        self.partitions = positions
            .into_iter()
            .map(|position| Partition {
                position,
                recent: Recent::new(position, most, bytes),
                ahead: Vec::new(),
            })
            .collect();
    }

    /// Takes a new socket in, which nothing is delivered to before it is attached.
    pub(crate) fn open(&mut self) -> Arc<Session> {
        let (number, backlog) = (self.next_number, self.config.backlog_bytes);
        self.next_number += 1;
        self.index.add_socket(|slot| Arc::new(Session::new(slot, number, backlog)))
    }

    /// Takes a socket out. Gives its user when that was the user's last.
    pub(crate) fn remove(&mut self, session: &Session) -> Option<UserId> {
        let socket = self.index.sockets.get(session.slot)?;
        if socket.session.number != session.number {
            return None;
        }
        let user = self.index.remove_socket(session.slot)?.user?;
        let slots = self.users.get_mut(&user)?;
        slots.retain(|slot| *slot != session.slot);
        if !slots.is_empty() {
            return None;
        }
        self.users.remove(&user);
        Some(user)
    }

    pub(crate) fn sockets(&self) -> usize {
        self.index.sockets.len()
    }

    /// All sockets.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.index.sockets.values().map(|socket| socket.session.clone()).collect()
    }

    /// What has been delivered.
    pub(crate) fn position(&self) -> Position {
        let offsets = (0..).zip(&self.partitions);
        let offsets = offsets.filter_map(|(id, partition)| Some((id, partition.position?)));
        Position { generation: self.generation, offsets: offsets.collect::<BTreeMap<_, _>>() }
    }

    /// The last message of a conversation that any socket here has.
    pub(crate) fn head_seq(&self, id: ConversationId) -> Option<Seq> {
        self.index.by_id(id).map(|conversation| conversation.head_seq)
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn partition_of(&self, conversation: ConversationId) -> u32 {
        partition::of(conversation, self.partition_count())
    }

    /// Whether a socket is subscribed to a conversation.
    pub(crate) fn check(&self, slot: u32, id: ConversationId) -> Result<(), Missing> {
        if self.index.subscribed(slot, id) {
            return Ok(());
        }
        let partition = self.partition_of(id);
        let behind = self.index.sockets.get(slot).is_some_and(|socket| socket.is_behind(partition));
        Err(if behind { Missing::Behind } else { Missing::NotMember })
    }

    /// Wakes the sockets that got frames.
    fn wake_marked(&mut self) {
        for slot in self.marked.drain(..) {
            if let Some(socket) = self.index.sockets.get(slot) {
                socket.session.wake_marked();
            }
        }
    }
}
