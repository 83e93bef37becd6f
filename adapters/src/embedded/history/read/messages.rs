//! Messages of the visible ranges.

use rusqlite::{Connection, params};
use verbatim_domain::{Grant, access::Range};
use verbatim_ports::history::MessagePage;
use verbatim_schemas::{CommandId, entry::Message};

use super::{
    super::columns::{Columns, MESSAGE, id, int},
    part,
};
use crate::embedded::sqlite::Outcome;

/// A page of messages. Each range that is looked at gives at least one message, so that no more of
/// them are than the page has room for.
pub(in super::super) fn page(
    reads: &Connection,
    grant: &Grant,
    page: MessagePage,
    limit: u32,
) -> Outcome<Vec<Message>> {
    let limit = limit as usize;
    let mut messages = Vec::new();
    match page {
        MessagePage::Before(before) => {
            let before = before.map(|seq| seq.0);
            let ranges = grant.seqs().iter().rev().filter_map(|range| part(*range, 0, before));
            for range in ranges {
                if messages.len() >= limit {
                    break;
                }
                within(reads, grant, range, "DESC", limit, &mut messages)?;
            }
        }
        MessagePage::After(after) => {
            let ranges = grant.seqs().iter().filter_map(|range| part(*range, after.0, None));
            for range in ranges {
                if messages.len() >= limit {
                    break;
                }
                within(reads, grant, range, "ASC", limit, &mut messages)?;
            }
        }
    }
    Ok(messages)
}

fn within(
    reads: &Connection,
    grant: &Grant,
    range: Range,
    order: &str,
    limit: usize,
    messages: &mut Vec<Message>,
) -> Outcome<()> {
    let mut statement = reads.prepare_cached(&format!(
        "SELECT {MESSAGE} FROM messages m
         WHERE m.conversation = ?1 AND m.seq BETWEEN ?2 AND ?3 ORDER BY m.seq {order}"
    ))?;
    let mut rows =
        statement.query(params![id(grant.conversation()), int(range.first), int(range.last)])?;
    while messages.len() < limit
        && let Some(row) = rows.next()?
    {
        messages.push(Columns::new(row).message()?);
    }
    Ok(())
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
