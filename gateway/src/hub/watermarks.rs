//! Watermarks that moved, as frames: for everybody, or for the member's own sockets.

use bytes::Bytes;
use verbatim_domain::access::receipts_are_public;
use verbatim_schemas::{
    ConversationId, EntryBody, Kind, Seq, UserId,
    rest::Receipt,
    ruling::{Accepted, Context},
};

use crate::encode;

/// What content moves of somebody's own read without saying so in the entries that they get: after it comes
/// whose it is, and the frame.
pub(super) fn own_read(id: ConversationId, accepted: &Accepted) -> Option<(&UserId, Bytes)> {
    let Context { kind, head_rev, head_seq, .. } = accepted.context;
    match (&accepted.content.as_ref()?.entry.body, kind) {
        // Sending moves it to the message; a socket that does not view the channel gets no entry.
        (EntryBody::Message { .. }, Kind::Channel) => {
            let receipt = accepted.receipt.as_ref()?;
            Some((&receipt.user_id, encode::receipt(id, receipt)?))
        }
        // Joining moves it to the head. Of a channel that is told first, in place of entries.
        (EntryBody::MemberAdded { member }, Kind::Direct | Kind::Group) if head_seq > Seq::ZERO => {
            Some((&member.user_id, encode::unread(id, head_rev, head_seq, Some(head_seq))))
        }
        _ => None,
    }
}

/// The frame of a moved watermark, and whether it is for everybody
/// ([`receipts_are_public`]). Else it is the member's own: their counts. In a channel counts are the
/// client's own doing, so there it is the watermark.
pub(super) fn receipt_frame(
    id: ConversationId,
    accepted: &Accepted,
    receipt: &Receipt,
    public_up_to: u32,
) -> Option<(Bytes, bool)> {
    let context = accepted.context;
    let to_all = receipts_are_public(context.member_count, public_up_to);
    if to_all || context.kind == Kind::Channel {
        return Some((encode::receipt(id, receipt)?, to_all));
    }
    Some((encode::unread(id, context.head_rev, context.head_seq, Some(receipt.read)), false))
}
