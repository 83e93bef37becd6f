use bytes::Bytes;
use verbatim_schemas::{ConversationId, Kind, Rev, Seq};

use super::{Hub, Live, Missing};
use crate::{
    config::millis,
    encode,
    session::{Class, Pushed},
};

/// What `view` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Viewed {
    /// Entries follow right after this head.
    From(Rev, Seq),
    /// The socket views as many as it may.
    TooMany,
    /// Not subscribed.
    Missing(Missing),
}

impl Hub {
    /// A socket has a channel on its screen. Of other conversations it only tells the head, since
    /// their entries come anyway.
    pub(crate) fn view(&mut self, slot: u32, id: ConversationId) -> Viewed {
        if let Err(missing) = self.check(slot, id) {
            return Viewed::Missing(missing);
        }
        let most = self.config.view_channels;
        let Some(index) = self.index.find(id) else {
            return Viewed::Missing(Missing::NotMember);
        };
        let at = self.index.place_in(slot, index);
        let (Some(conversation), Some(socket), Some(at)) =
            (self.index.conversations.get_mut(index), self.index.sockets.get_mut(slot), at)
        else {
            return Viewed::Missing(Missing::NotMember);
        };
        let head = (conversation.head_rev, conversation.head_seq);
        if conversation.kind != Kind::Channel {
            return Viewed::From(head.0, head.1);
        }
        match conversation.viewers.iter_mut().find(|(viewer, _)| *viewer == slot) {
            // What was delivered up to this head stays delivered.
            Some((_, after)) => *after = head.0,
            None if socket.views >= most => return Viewed::TooMany,
            None => {
                socket.views += 1;
                conversation.viewers.push((slot, head.0));
            }
        }
        if let Some(told) = conversation.told.get_mut(at) {
            *told = VIEWING;
        }
        Viewed::From(head.0, head.1)
    }

    pub(crate) fn unview(&mut self, slot: u32, id: ConversationId) {
        let Some(index) = self.index.find(id) else { return };
        let at = self.index.place_in(slot, index);
        let Some(conversation) = self.index.conversations.get_mut(index) else { return };
        let before = conversation.viewers.len();
        conversation.viewers.retain(|(viewer, _)| *viewer != slot);
        if conversation.viewers.len() == before {
            return;
        }
        if let Some(told) = at.and_then(|at| conversation.told.get_mut(at)) {
            *told = NEVER;
        }
        if let Some(socket) = self.index.sockets.get_mut(slot) {
            socket.views -= 1;
        }
    }

    pub(super) fn spread_to_viewers(
        &mut self,
        id: ConversationId,
        rev: Rev,
        live: &Live,
        value: &[u8],
        now: u64,
    ) {
        let Some(conversation) = self.index.by_id(id) else { return };
        if conversation.viewers.is_empty() {
            return;
        }
        let Some(frame) = live.frame(Some(value)) else { return };
        for (slot, after) in &conversation.viewers {
            let Some(socket) = self.index.sockets.get(*slot) else { continue };
            if rev <= *after {
                continue;
            }
            let pushed = socket.session.push(frame.clone(), Class::Lasting, now);
            if pushed != Pushed::Dropped && socket.session.mark() {
                self.marked.push(*slot);
            }
        }
    }

    /// Tells the sockets that do not view a channel where it stands: those that were not told within
    /// the interval at once, the others when it has passed.
    pub(super) fn tell_others(&mut self, id: ConversationId, partition: u32, now: u64) {
        let interval = millis(self.config.unread_interval) / 1_000;
        let second = seconds(now);
        let index = &mut self.index;
        let Some(conversation) = index.find(id).and_then(|at| index.conversations.get_mut(at))
        else {
            return;
        };
        if conversation.sockets.len() == conversation.viewers.len() {
            return;
        }
        let (rev, seq) = (conversation.head_rev, conversation.head_seq);
        let mut frame: Option<Bytes> = None;
        let mut later = false;
        for (link, told) in conversation.sockets.iter().zip(&mut conversation.told) {
            if *told == VIEWING {
                continue;
            }
            let Some(socket) = index.sockets.get(link.place) else { continue };
            // Where the heads that were sent are ahead of what is delivered here, they say more.
            let ahead = socket.skips_in(partition);
            if ahead {
                continue;
            }
            if *told != NEVER && u64::from(second.saturating_sub(*told)) <= interval {
                later = true;
                continue;
            }
            *told = second;
            let frame = frame.get_or_insert_with(|| encode::unread(id, rev, seq, None)).clone();
            let pushed = socket.session.push(frame, Class::Lasting, now);
            if pushed != Pushed::Dropped && socket.session.mark() {
                self.marked.push(link.place);
            }
        }
        if later && !conversation.stale {
            conversation.stale = true;
            self.stale.push(id);
        }
    }

    /// Tells one socket of a channel, which counts as told.
    pub(super) fn tell(&mut self, slot: u32, id: ConversationId, frame: Bytes, now: u64) {
        let second = seconds(now);
        if let Some(index) = self.index.find(id)
            && let Some(at) = self.index.place_in(slot, index)
            && let Some(conversation) = self.index.conversations.get_mut(index)
            && let Some(told) = conversation.told.get_mut(at)
        {
            *told = second;
        }
        self.put(slot, frame, Class::Lasting, now);
    }

    /// Tells those whose interval has passed. Called each second.
    pub(crate) fn tell_later(&mut self, now: u64) {
        for id in std::mem::take(&mut self.stale) {
            let partition = self.partition_of(id);
            if let Some(conversation) = self.index.by_id_mut(id) {
                conversation.stale = false;
                self.tell_others(id, partition, now);
            }
        }
        self.wake_marked();
    }
}

/// In `told`: not told yet.
const NEVER: u32 = 0;
/// In `told`: views the channel, and so gets its entries.
const VIEWING: u32 = u32::MAX;

/// Whole seconds of the gateway's life, from 1.
fn seconds(now: u64) -> u32 {
    u32::try_from(now / 1_000).unwrap_or(u32::MAX - 1) + 1
}
