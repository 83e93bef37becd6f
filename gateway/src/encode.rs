//! Frames to clients, each encoded once for all its receivers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use verbatim_schemas::{
    Entry, Problem, Rev, Seq, UserId,
    frames::{Ack, ServerFrame},
    ids::ConversationId,
    rest::Receipt,
};

use crate::codec::TextFrame;

/// What a small frame takes.
const USUAL_BYTES: usize = 256;

/// A frame of the published language.
pub(crate) fn encode(frame: &ServerFrame) -> Bytes {
    write(frame, USUAL_BYTES)
}

pub(crate) fn ack(ack: Ack) -> Bytes {
    encode(&ServerFrame::Ack(ack))
}

pub(crate) fn bare_ack(reference: Option<String>) -> Bytes {
    ack(Ack { reference, ..Ack::default() })
}

pub(crate) fn error(reference: Option<String>, problem: Problem) -> Bytes {
    encode(&ServerFrame::error(reference, problem))
}

pub(crate) fn left(conversation_id: ConversationId) -> Bytes {
    encode(&ServerFrame::Left { conversation_id })
}

/// Where a conversation stands; `read` for the user's own counts.
pub(crate) fn unread(
    conversation_id: ConversationId,
    head_rev: Rev,
    head_seq: Seq,
    read: Option<Seq>,
) -> Bytes {
    let unread = read.map(|read| head_seq.0.saturating_sub(read.0));
    encode(&ServerFrame::Unread { conversation_id, head_rev, head_seq, unread, read })
}

/// A moved watermark; none for those that move without the member's doing.
pub(crate) fn receipt(conversation_id: ConversationId, receipt: &Receipt) -> Option<Bytes> {
    Some(encode(&ServerFrame::Receipt {
        conversation_id,
        user_id: receipt.user_id.clone(),
        delivered: receipt.delivered,
        read: receipt.read,
        at: receipt.at?,
    }))
}

pub(crate) fn typing(conversation_id: ConversationId, user_id: UserId) -> Bytes {
    encode(&ServerFrame::Typing { conversation_id, user_id })
}

/// An `entry` frame. The ruling's bytes hold the entry's JSON, which is taken over as it is.
pub(crate) fn entry(entry: &Entry, ruling: Option<&[u8]>) -> Bytes {
    let raw = ruling.and_then(raw_entry);
    match raw.and_then(|raw| raw.strip_prefix('{')) {
        Some(fields) => {
            const HEAD: &[u8] = br#"{"type":"entry","#;
            let mut frame = TextFrame::with_capacity(HEAD.len() + fields.len());
            frame.push(HEAD);
            frame.push(fields.as_bytes());
            frame.finish()
        }
        None => write(&EntryFrame { frame_type: "entry", entry }, USUAL_BYTES),
    }
}

fn raw_entry(ruling: &[u8]) -> Option<&str> {
    #[derive(Deserialize)]
    struct Holder<'a> {
        #[serde(borrow)]
        entry: &'a RawValue,
    }
    serde_json::from_slice::<Holder<'_>>(ruling).ok().map(|holder| holder.entry.get())
}

#[derive(Serialize)]
struct EntryFrame<'a> {
    #[serde(rename = "type")]
    frame_type: &'static str,
    #[serde(flatten)]
    entry: &'a Entry,
}

fn write<T: Serialize>(value: &T, capacity: usize) -> Bytes {
    let mut frame = TextFrame::with_capacity(capacity);
    if let Err(error) = serde_json::to_writer(&mut frame, value) {
        // No type here can fail to be written; a client must not get half a frame if one does.
        tracing::error!(%error, "frame cannot be encoded");
        return crate::codec::encode_text(
            br#"{"type":"error","code":"unavailable","detail":"try again","retry":"same_id"}"#,
        );
    }
    frame.finish()
}
