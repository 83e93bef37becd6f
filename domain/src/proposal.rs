//! A record of `chat.events`, read or found unreadable. Decoding is part of the rule: what cannot be
//! read is ruled out, and stops nothing.

use verbatim_schemas::{ConversationId, Event, Src, Timestamp, bounds};

/// A record and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Where the record stands.
    pub src: Src,
    /// The record before it in the partition; none for the first.
    pub prev_src: Option<Src>,
    /// The record's append time.
    pub time: Timestamp,
    /// The conversation that the record's key names.
    pub conversation_id: Option<ConversationId>,
    /// The event; none when the record is too large, no event, of an unknown type, or has a key that
    /// is not its conversation's.
    pub event: Option<Event>,
}

impl Proposal {
    /// Reads a record. Never fails: an unreadable one is a proposal without an event.
    pub fn read(
        src: Src,
        prev_src: Option<Src>,
        time: Timestamp,
        key: &[u8],
        value: &[u8],
    ) -> Self {
        let conversation_id = std::str::from_utf8(key).ok().and_then(|key| key.parse().ok());
        let event = (value.len() <= bounds::EVENT_BYTES)
            .then(|| Event::decode(value).ok())
            .flatten()
            .filter(|event| Some(event.conversation_id) == conversation_id);
        Self { src, prev_src, time, conversation_id, event }
    }
}
