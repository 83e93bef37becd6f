use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use verbatim_schemas::{
    ConversationId, EntryBody, Kind, Rev, Seq, UserId,
    ruling::{Accepted, Context},
};

use super::{
    Hub, Live,
    watermarks::{own_read, receipt_frame},
};
use crate::{
    encode,
    session::{Class, Goodbye, Session},
};

/// What of a partition the heads include.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// Everything up to this record (none: nothing).
    At(Option<u64>),
    /// The heads were not sent, since the partition lags.
    Behind,
}

/// A conversation as the heads have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) id: ConversationId,
    pub(crate) kind: Kind,
    pub(crate) head_rev: Rev,
    pub(crate) head_seq: Seq,
}

/// A socket that is to go live.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) session: &'a Session,
    pub(crate) user: &'a UserId,
    /// The partitions in question: all on the first attach.
    pub(crate) bases: &'a BTreeMap<u32, Base>,
    /// The user's conversations in them.
    pub(crate) conversations: &'a [Standing],
    /// What is sent before anything live: `welcome`, `heads`, `left`.
    pub(crate) greeting: &'a [Bytes],
}

/// A socket that is live.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    /// Whether it is the user's first here.
    pub(crate) first: bool,
}

/// The partitions whose latest rulings do not reach back to the heads.
pub(crate) type Uncovered = BTreeSet<u32>;

impl Hub {
    /// Makes a socket live: sends the greeting, then what was delivered here after the heads, and
    /// subscribes it to what follows. All of that, or nothing where rulings are missing: then load
    /// the inbox again.
    pub(crate) fn attach(&mut self, plan: &Plan<'_>, now: u64) -> Result<Attached, Uncovered> {
        let slot = plan.session.slot;
        let alive = self.index.sockets.get(slot);
        if alive.is_none_or(|socket| socket.session.number != plan.session.number) {
            // It was closed meanwhile.
            return Ok(Attached::default());
        }
        let mut view = Catchup::new(plan, self.config.receipts_public_members);
        let uncovered = self.catch_up(&mut view, plan);
        if !uncovered.is_empty() {
            return Err(uncovered);
        }
        let attached = self.sign_in(slot, plan.user, now);
        for standing in view.conversations.values() {
            let Standing { id, kind, head_rev, head_seq } = *standing;
            self.index.subscribe(slot, id, kind, (head_rev, head_seq));
        }
        self.skip_what_is_included(slot, plan.bases);
        view.tell_channels();
        for frame in plan.greeting.iter().cloned().chain(view.frames) {
            self.put(slot, frame, Class::Lasting, now);
        }
        self.wake_marked();
        Ok(attached)
    }

    /// Runs the latest rulings that the heads do not include, as if they came now.
    fn catch_up(&self, view: &mut Catchup<'_>, plan: &Plan<'_>) -> Uncovered {
        // The greeting and what follows have to fit the backlog, with room for what comes.
        let greeting: usize = plan.greeting.iter().map(Bytes::len).sum();
        let room = (self.config.backlog_bytes / 4 * 3).saturating_sub(greeting);
        let mut uncovered = Uncovered::new();
        for (id, base) in plan.bases {
            let (Base::At(base), Some(partition)) = (base, self.partitions.get(*id as usize))
            else {
                continue;
            };
            if !partition.recent.reaches(*base) {
                uncovered.insert(*id);
                continue;
            }
            for live in partition.recent.after(*base) {
                view.take(live);
                if view.bytes > room {
                    uncovered.insert(*id);
                    break;
                }
            }
        }
        uncovered
    }

    fn sign_in(&mut self, slot: u32, user: &UserId, now: u64) -> Attached {
        let Some(socket) = self.index.sockets.get_mut(slot) else { return Attached::default() };
        if socket.user.is_some() {
            return Attached::default();
        }
        socket.user = Some(user.clone());
        let most = self.config.sockets_per_user;
        let slots = self.users.entry(user.clone()).or_default();
        let first = slots.is_empty();
        slots.push(slot);
        slots.shrink_to_fit();
        // The oldest socket goes. It stays in the hub until its task ends, and is not counted twice:
        // a closing socket takes no frames.
        let open = slots.iter().filter_map(|slot| self.index.sockets.get(*slot));
        let open: Vec<&Arc<Session>> =
            open.map(|socket| &socket.session).filter(|session| !session.is_closing()).collect();
        let over = open.len().saturating_sub(most.max(1));
        let mut oldest = open;
        oldest.sort_by_key(|session| session.number);
        oldest.into_iter().take(over).for_each(|session| session.close(&Goodbye::replaced(), now));
        Attached { first }
    }

    fn skip_what_is_included(&mut self, slot: u32, bases: &BTreeMap<u32, Base>) {
        for (id, base) in bases {
            let Some(partition) = self.partitions.get_mut(*id as usize) else { continue };
            let until = match base {
                Base::Behind => Some(u64::MAX),
                Base::At(base) if *base > partition.position => {
                    partition.ahead.push(slot);
                    *base
                }
                Base::At(_) => None,
            };
            if let Some(socket) = self.index.sockets.get_mut(slot)
                && (until.is_some() || !socket.skips.is_empty())
            {
                socket.set_skip(*id, until);
            }
        }
    }
}

/// One user's view of rulings that the hub has delivered already.
struct Catchup<'a> {
    user: &'a UserId,
    conversations: BTreeMap<ConversationId, Standing>,
    frames: Vec<Bytes>,
    bytes: usize,
    /// Channels that moved, each with the own read where that was set by joining.
    channels: BTreeMap<ConversationId, Option<Seq>>,
    /// Up to how many members receipts go to all.
    receipts_public_members: u32,
}

impl<'a> Catchup<'a> {
    fn new(plan: &Plan<'a>, receipts_public_members: u32) -> Self {
        let conversations = plan.conversations.iter();
        Self {
            user: plan.user,
            conversations: conversations.map(|standing| (standing.id, *standing)).collect(),
            frames: Vec::new(),
            bytes: 0,
            channels: BTreeMap::new(),
            receipts_public_members,
        }
    }

    /// What [`Hub::deliver`] would have done for this socket.
    fn take(&mut self, live: &Live) {
        let (Some(accepted), Some(id)) = (live.accepted(), live.ruling().conversation_id) else {
            return;
        };
        let Some(content) = &accepted.content else {
            self.receipt(id, accepted);
            return;
        };
        match &content.entry.body {
            EntryBody::ConversationCreated { members, .. }
                if members.iter().any(|member| member.user_id == *self.user) =>
            {
                self.join(id, accepted.context);
            }
            EntryBody::MemberAdded { member } if member.user_id == *self.user => {
                self.join(id, accepted.context);
            }
            EntryBody::MemberRemoved { member, .. } if member.user_id == *self.user => {
                if self.conversations.remove(&id).is_some() {
                    self.channels.remove(&id);
                    self.push(encode::left(id));
                }
                return;
            }
            _ => {}
        }
        let Some(standing) = self.conversations.get_mut(&id) else { return };
        standing.head_rev = standing.head_rev.max(accepted.context.head_rev);
        standing.head_seq = standing.head_seq.max(accepted.context.head_seq);
        if standing.kind == Kind::Channel {
            self.channels.entry(id).or_default();
        } else if let Some(frame) = live.frame(None) {
            self.push(frame);
        }
        if let Some((_, frame)) = own_read(id, accepted).filter(|(user, _)| *user == self.user) {
            self.push(frame);
        }
    }

    fn join(&mut self, id: ConversationId, context: Context) {
        let Context { kind, head_rev, head_seq, .. } = context;
        self.conversations.insert(id, Standing { id, kind, head_rev, head_seq });
        if kind == Kind::Channel {
            self.channels.insert(id, Some(head_seq));
        }
    }

    fn receipt(&mut self, id: ConversationId, accepted: &Accepted) {
        let Some(receipt) = &accepted.receipt else { return };
        if !self.conversations.contains_key(&id) {
            return;
        }
        if let Some((frame, to_all)) =
            receipt_frame(id, accepted, receipt, self.receipts_public_members)
            && (to_all || receipt.user_id == *self.user)
        {
            self.push(frame);
        }
    }

    fn tell_channels(&mut self) {
        for (id, read) in std::mem::take(&mut self.channels) {
            if let Some(Standing { head_rev, head_seq, .. }) = self.conversations.get(&id).copied()
            {
                self.push(encode::unread(id, head_rev, head_seq, read));
            }
        }
    }

    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push(frame);
    }
}
