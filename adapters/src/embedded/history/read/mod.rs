//! Reads, each of one moment. Content is read through the ranges of a [`Grant`] alone.
//!
//! [`Grant`]: verbatim_domain::Grant

pub(super) mod entries;
pub(super) mod inbox;
pub(super) mod members;
pub(super) mod membership;
pub(super) mod messages;
mod room;
pub(super) mod warm;

use rusqlite::Connection;
use verbatim_domain::{Position, access::Range};
use verbatim_ports::{StoreError, follow::Checkpoint, log::Layout};
use verbatim_schemas::Digest;

use super::columns::Columns;
use crate::embedded::{progress::Progress, sqlite::Outcome};

/// Where the projection stands in all partitions.
pub(super) fn position(reads: &Connection, layout: Layout) -> Outcome<Position> {
    let mut position = Progress::nothing(layout);
    let mut checkpoints =
        reads.prepare_cached("SELECT partition, generation, record FROM checkpoint")?;
    let mut rows = checkpoints.query([])?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::new(row);
        let partition = columns.small()?;
        let src = columns.src(partition)?;
        if src.generation != layout.generation || partition >= layout.partitions {
            return Err(StoreError::Corrupt(format!(
                "history is of another layout of the log: it includes record {src:?}"
            ))
            .into());
        }
        position.include(src);
    }
    Ok(position)
}

/// The checkpoint of a partition.
pub(super) fn checkpoint(reads: &Connection, partition: u32) -> Outcome<Option<Checkpoint>> {
    let mut checkpoint = reads.prepare_cached(
        "SELECT generation, record, hash, next FROM checkpoint WHERE partition = ?1",
    )?;
    let mut rows = checkpoint.query([partition])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut columns = Columns::new(row);
    Ok(Some(Checkpoint {
        src: columns.src(partition)?,
        hash: Digest(columns.bytes()?),
        next: columns.number()?,
    }))
}

/// The part of a range above `after` and below `before`; none where it is empty.
fn part(range: Range, after: u64, before: Option<u64>) -> Option<Range> {
    let first = range.first.max(after.saturating_add(1));
    let last = match before {
        Some(before) => range.last.min(before.checked_sub(1)?),
        None => range.last,
    };
    // Our numbers are below 2^53; what a client names may be any.
    let last = last.min(i64::MAX.cast_unsigned());
    (first <= last).then_some(Range { first, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lies_strictly_between_its_bounds() {
        let range = Range { first: 3, last: 7 };
        assert_eq!(part(range, 0, None), Some(range));
        assert_eq!(part(range, 3, Some(7)), Some(Range { first: 4, last: 6 }));
        assert_eq!(part(range, 7, None), None);
        assert_eq!(part(range, u64::MAX, None), None);
        assert_eq!(part(range, 0, Some(3)), None);
        assert_eq!(part(range, 0, Some(0)), None);
        assert_eq!(part(range, 0, Some(u64::MAX)), Some(range));
        assert_eq!(part(Range { first: 1, last: 0 }, 0, None), None);
    }
}
