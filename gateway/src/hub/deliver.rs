use std::sync::Arc;

use bytes::Bytes;
use verbatim_ports::follow::Followed;
use verbatim_schemas::{
    ConversationId, EntryBody, Kind, Src, UserId,
    rest::Receipt,
    ruling::{Accepted, Context},
};

use super::{
    Hub, Live,
    watermarks::{own_read, receipt_frame},
};
use crate::{
    encode,
    session::{Class, Pushed},
};

/// What a few rulings came to, beyond frames.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// How many of the rulings were taken.
    pub(crate) taken: usize,
    /// Whose memberships began or ended.
    pub(crate) moved: Vec<UserId>,
}

/// How many bytes of frames are handed to the sockets before their tasks get a turn, so that a
/// burst does not overflow the backlog of a socket that reads well.
const BYTES_AT_ONCE: usize = 32 * 1024;
/// And at most how many rulings.
const RULINGS_AT_ONCE: usize = 256;

impl Hub {
    /// Delivers the first few of a partition's rulings, and wakes each socket once.
    pub(crate) fn deliver(&mut self, partition: u32, rulings: &[Followed], now: u64) -> Delivery {
        let mut delivery = Delivery::default();
        let mut bytes = 0;
        for followed in rulings.iter().take(RULINGS_AT_ONCE) {
            delivery.taken += 1;
            if followed.ruling.accepted().is_some() {
                let live = Arc::new(Live::new(followed.ruling.clone()));
                self.deliver_one(&live, &followed.value, now, &mut delivery.moved);
                if let Some(partition) = self.partitions.get_mut(partition as usize) {
                    partition.recent.keep(live, followed.value.len());
                }
            }
            self.advance(followed.ruling.src);
            bytes += followed.value.len();
            if bytes >= BYTES_AT_ONCE {
                break;
            }
        }
        self.wake_marked();
        delivery
    }

    /// Moves the partition's position, and ends the skips that lie behind it.
    fn advance(&mut self, src: Src) {
        let Some(partition) = self.partitions.get_mut(src.partition as usize) else { return };
        partition.position = Some(src.offset);
        let sockets = &mut self.index.sockets;
        partition.ahead.retain(|slot| {
            let Some(socket) = sockets.get_mut(*slot) else { return false };
            let passed = |until: &u64| *until <= src.offset;
            socket.skips.retain(|(other, until)| *other != src.partition || !passed(until));
            if socket.skips.is_empty() {
                socket.skips = Vec::new();
            }
            socket.skips_in(src.partition) && !socket.is_behind(src.partition)
        });
    }

    fn deliver_one(&mut self, live: &Live, value: &[u8], now: u64, moved: &mut Vec<UserId>) {
        let (Some(accepted), Some(id)) = (live.accepted(), live.ruling().conversation_id) else {
            return;
        };
        let src = live.ruling().src;
        let Some(content) = &accepted.content else {
            if let Some(receipt) = &accepted.receipt {
                self.spread_receipt(id, accepted, receipt, src, now);
            }
            return;
        };
        match &content.entry.body {
            EntryBody::ConversationCreated { members, .. } => {
                for member in members {
                    self.join(id, &member.user_id, accepted.context, src, now);
                    moved.push(member.user_id.clone());
                }
            }
            EntryBody::MemberAdded { member } => {
                self.join(id, &member.user_id, accepted.context, src, now);
                moved.push(member.user_id.clone());
            }
            EntryBody::MemberRemoved { member, .. } => {
                self.leave(id, &member.user_id, src, now);
                moved.push(member.user_id.clone());
            }
            EntryBody::RoleChanged { .. } | EntryBody::Message { .. } => {}
        }
        self.spread_entry(id, accepted, live, value, now);
        if let Some((user, frame)) = own_read(id, accepted) {
            self.push_to_own(id, user, &frame, src, now);
        }
    }

    /// Pushes one frame to those of a user's sockets that have a conversation.
    fn push_to_own(
        &mut self,
        id: ConversationId,
        user: &UserId,
        frame: &Bytes,
        src: Src,
        now: u64,
    ) {
        for at in 0.. {
            let Some(slot) = self.users.get(user).and_then(|slots| slots.get(at)).copied() else {
                break;
            };
            let for_it = self.index.sockets.get(slot).is_some_and(|socket| !socket.skips(src));
            if for_it && self.index.subscribed(slot, id) {
                self.put(slot, frame.clone(), Class::Lasting, now);
            }
        }
    }

    /// Subscribes the sockets of a new member.
    fn join(&mut self, id: ConversationId, user: &UserId, context: Context, src: Src, now: u64) {
        let head = (context.head_rev, context.head_seq);
        for at in 0.. {
            let Some(slot) = self.users.get(user).and_then(|slots| slots.get(at)).copied() else {
                break;
            };
            let for_it = self.index.sockets.get(slot).is_some_and(|socket| !socket.skips(src));
            let new = for_it && self.index.subscribe(slot, id, context.kind, head);
            if new && context.kind == Kind::Channel {
                // Joining sets the own read to the head.
                let frame = encode::unread(id, head.0, head.1, Some(head.1));
                self.tell(slot, id, frame, now);
            }
        }
    }

    /// Ends the subscriptions of a former member, who gets nothing any more, not even the entry.
    fn leave(&mut self, id: ConversationId, user: &UserId, src: Src, now: u64) {
        let mut frame: Option<Bytes> = None;
        for at in 0.. {
            let Some(slot) = self.users.get(user).and_then(|slots| slots.get(at)).copied() else {
                break;
            };
            let for_it = self.index.sockets.get(slot).is_some_and(|socket| !socket.skips(src));
            if for_it && self.index.unsubscribe(slot, id) {
                let frame = frame.get_or_insert_with(|| encode::left(id)).clone();
                self.put(slot, frame, Class::Lasting, now);
            }
        }
    }

    fn spread_entry(
        &mut self,
        id: ConversationId,
        accepted: &Accepted,
        live: &Live,
        value: &[u8],
        now: u64,
    ) {
        let context = accepted.context;
        let Some(conversation) = self.index.by_id_mut(id) else { return };
        conversation.head_rev = conversation.head_rev.max(context.head_rev);
        conversation.head_seq = conversation.head_seq.max(context.head_seq);
        if conversation.kind == Kind::Channel {
            self.spread_to_viewers(id, context.head_rev, live, value, now);
            self.tell_others(id, live.ruling().src.partition, now);
            return;
        }
        let Some(frame) = live.frame(Some(value)) else { return };
        self.spread(id, &frame, Class::Lasting, live.ruling().src, now);
    }

    /// A watermark: to all in small conversations, else to the member's own sockets.
    fn spread_receipt(
        &mut self,
        id: ConversationId,
        accepted: &Accepted,
        receipt: &Receipt,
        src: Src,
        now: u64,
    ) {
        if self.index.find(id).is_none() {
            return;
        }
        let public_up_to = self.config.receipts_public_members;
        let Some((frame, to_all)) = receipt_frame(id, accepted, receipt, public_up_to) else {
            return;
        };
        if to_all {
            self.spread(id, &frame, Class::Lasting, src, now);
        } else {
            self.push_to_own(id, &receipt.user_id, &frame, src, now);
        }
    }

    /// Tells the others in a conversation that a user types: in a channel those who view it. The
    /// frame goes to none of the user's own sockets.
    pub(crate) fn typing(&mut self, slot: u32, id: ConversationId, user: &UserId, now: u64) {
        let Some(conversation) = self.index.by_id(id) else { return };
        let frame = encode::typing(id, user.clone());
        let viewers = conversation.viewers.iter().map(|(viewer, _)| *viewer);
        let slots: Vec<u32> = match conversation.kind {
            Kind::Channel => viewers.collect(),
            _ => conversation.sockets.iter().map(|link| link.place).collect(),
        };
        for other in slots.into_iter().filter(|other| *other != slot) {
            let own =
                self.index.sockets.get(other).is_none_or(|other| other.user.as_ref() == Some(user));
            if !own {
                self.put(other, frame.clone(), Class::Ephemeral, now);
            }
        }
        self.wake_marked();
    }

    /// Pushes one frame to all sockets of a conversation that the ruling is for.
    fn spread(&mut self, id: ConversationId, frame: &Bytes, class: Class, src: Src, now: u64) {
        let Some(conversation) = self.index.by_id(id) else { return };
        for link in &conversation.sockets {
            let Some(socket) = self.index.sockets.get(link.place) else { continue };
            if socket.skips(src) {
                continue;
            }
            let pushed = socket.session.push(frame.clone(), class, now);
            if pushed != Pushed::Dropped && socket.session.mark() {
                self.marked.push(link.place);
            }
        }
    }

    /// Pushes one frame to one socket, to be woken later.
    pub(super) fn put(&mut self, slot: u32, frame: Bytes, class: Class, now: u64) {
        let Some(socket) = self.index.sockets.get(slot) else { return };
        if socket.session.push(frame, class, now) != Pushed::Dropped && socket.session.mark() {
            self.marked.push(slot);
        }
    }
}
