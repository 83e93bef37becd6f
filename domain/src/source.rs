//! Whether a ruling is of a record.

use verbatim_schemas::Ruling;

use crate::Proposal;

/// Whether the ruling can be of this record: the same place, conversation, command and actor, and where
/// the ruling remembers the body, the same body. A log that was truncated and written on, or swapped, has
/// other records where rulings were made.
pub fn is_of(ruling: &Ruling, record: &Proposal) -> bool {
    // What could not be read says nothing that could be compared.
    if ruling.event_id.is_none() {
        return ruling.src == record.src;
    }
    let event = record.event.as_ref();
    ruling.src == record.src
        && ruling.conversation_id == record.conversation_id
        && ruling.event_id == event.map(|event| event.id)
        && ruling.actor.as_ref() == event.map(|event| &event.actor)
        && ruling.spent.is_none_or(|spent| {
            event.is_some_and(|event| event.body.digest(&spent.salt) == spent.digest)
        })
}
