//! Entries of the visible ranges.

use rusqlite::{Connection, params};
use verbatim_domain::{Grant, access::Range};
use verbatim_ports::StoreError;
use verbatim_schemas::{Entry, Rev};

use super::{
    super::{
        columns::{Columns, MESSAGE, id, int},
        write::of_message,
    },
    part,
    room::Room,
};
use crate::embedded::sqlite::Outcome;

/// Entries after `after`: as many as fit, at least one where there is one. What counts is the JSON of
/// the entries themselves.
pub(in super::super) fn entries(
    reads: &Connection,
    grant: &Grant,
    after: Rev,
    limit: u32,
    max_bytes: usize,
) -> Outcome<Vec<Entry>> {
    let mut room = Room::new(limit, max_bytes);
    let mut entries = Vec::new();
    for range in grant.revs().iter().filter_map(|range| part(*range, after.0, None)) {
        if !within(reads, grant, range, &mut room, &mut entries)? {
            break;
        }
    }
    Ok(entries)
}

/// Adds the entries of a range; false when there is no room for more.
fn within(
    reads: &Connection,
    grant: &Grant,
    range: Range,
    room: &mut Room,
    entries: &mut Vec<Entry>,
) -> Outcome<bool> {
    if !room.is_left() {
        return Ok(false);
    }
    let mut statement = reads.prepare_cached(&format!(
        "SELECT e.body, {MESSAGE} FROM entries e
         LEFT JOIN messages m ON m.conversation = e.conversation AND m.seq = e.seq
         WHERE e.conversation = ?1 AND e.rev BETWEEN ?2 AND ?3 ORDER BY e.rev"
    ))?;
    let mut rows =
        statement.query(params![id(grant.conversation()), int(range.first), int(range.last)])?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::new(row);
        let (entry, fits) = match columns.text_or_none()? {
            Some(body) => (parse(body)?, room.take_bytes(body.len())),
            None => {
                let entry = of_message(columns.message()?);
                let fits = room.take(&entry)?;
                (entry, fits)
            }
        };
        if !fits {
            return Ok(false);
        }
        entries.push(entry);
        if !room.is_left() {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(in super::super) fn parse(body: &str) -> Outcome<Entry> {
    Ok(serde_json::from_str(body)
        .map_err(|_| StoreError::Corrupt("history holds no valid entry".into()))?)
}
