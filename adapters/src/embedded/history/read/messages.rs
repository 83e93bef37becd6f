//! Messages of the visible ranges.

use rusqlite::{Connection, params};
use verbatim_domain::{Grant, access::Range};
use verbatim_ports::history::MessagePage;
use verbatim_schemas::{CommandId, entry::Message};

use super::{
    super::columns::{Columns, MESSAGE, id, int},
    part,
    room::Room,
};
use crate::embedded::sqlite::Outcome;

/// A page of messages: as many as fit, at least one where there is one. Each range that is looked at gives at least one message, so that no more of
/// them are than the page has room for.
pub(in super::super) fn page(
    reads: &Connection,
    grant: &Grant,
    page: MessagePage,
    limit: u32,
    max_bytes: usize,
) -> Outcome<Vec<Message>> {
    let mut room = Room::new(limit, max_bytes);
    let mut messages = Vec::new();
    match page {
        MessagePage::Before(before) => {
            let before = before.map(|seq| seq.0);
            let ranges = grant.seqs().iter().rev().filter_map(|range| part(*range, 0, before));
            for range in ranges {
                if !within(reads, grant, range, "DESC", &mut room, &mut messages)? {
                    break;
                }
            }
        }
        MessagePage::After(after) => {
            let ranges = grant.seqs().iter().filter_map(|range| part(*range, after.0, None));
            for range in ranges {
                if !within(reads, grant, range, "ASC", &mut room, &mut messages)? {
                    break;
                }
            }
        }
    }
    Ok(messages)
}

/// Adds the messages of a range; false when there is no room for more.
fn within(
    reads: &Connection,
    grant: &Grant,
    range: Range,
    order: &str,
    room: &mut Room,
    messages: &mut Vec<Message>,
) -> Outcome<bool> {
    let mut statement = reads.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM messages m
         WHERE m.conversation = ?1 AND m.seq BETWEEN ?2 AND ?3 ORDER BY m.seq {order}"
    ))?;
    let mut rows =
        statement.query(params![id(grant.conversation()), int(range.first), int(range.last)])?;
    while room.is_left() {
        let Some(row) = rows.next()? else { return Ok(true) };
        let message = Columns::new(row).message()?;
        if !room.take(&message)? {
            return Ok(false);
        }
        messages.push(message);
    }
    Ok(false)
}

/// The message that the grant's actor sent under an id, where it is visible.
pub(in super::super) fn sent(
    reads: &Connection,
    grant: &Grant,
    id_: CommandId,
) -> Outcome<Option<Message>> {
    let mut statement = reads.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM messages m INDEXED BY messages_by_id
         WHERE m.id = ?1 AND m.conversation = ?2 AND m.sender = ?3"
    ))?;
    let mut rows = statement.query(params![
        id_.uuid().as_bytes(),
        id(grant.conversation()),
        grant.actor().as_str()
    ])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let message = Columns::new(row).message()?;
    Ok(Some(message).filter(|message| grant.sees_seq(message.seq)))
}
