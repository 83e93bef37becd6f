//! Whether `chat.events` still holds what `chat.timeline` ruled on.
//!
//! A log that lost acknowledged records must not be written on: new records would take the places of lost
//! ones, and what was lost would no longer show.

use std::collections::BTreeMap;

use verbatim_domain::{Proposal, is_of};
use verbatim_schemas::Src;

use crate::{
    log::{EventLog, LogError, Record, Stream},
    reading::Read,
};

/// How many records before the end are looked at to find the last ruling.
pub(crate) const LOOK_BACK: u64 = 256;

/// Why a partition must not be written on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Try again later.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record that was ruled on is not there.
    #[error(
        "partition {} of chat.events ends at offset {end}, but record {} was ruled on: acknowledged \
         records are missing from the log", src.partition, src.offset
    )]
    Missing {
        /// The record.
        src: Src,
        /// Where the partition ends.
        end: u64,
    },
    /// Another record stands where one was ruled on.
    #[error(
        "record {} in partition {} of chat.events is not the one that was ruled on: the log was \
         truncated and written on, swapped, or altered", src.offset, src.partition
    )]
    Other {
        /// The record.
        src: Src,
    },
}

/// Compares the last ruling of a partition with the record that it is of; and what is known to be `ruled`
/// on must be there, even where the timeline is lost.
pub async fn check_source(
    log: &dyn EventLog,
    partition: u32,
    ruled: Option<Src>,
) -> Result<(), SourceError> {
    if let Some(src) = ruled {
        let end = log.end(Stream::Events, partition).await?;
        if src.offset >= end || src.generation != log.layout().generation {
            return Err(SourceError::Missing { src, end });
        }
    }
    let Some(record) = last_ruling(log, partition).await? else { return Ok(()) };
    let Some(Read { ruling, .. }) = record.ruling() else { return Ok(()) };
    let src = ruling.src;
    let end = log.end(Stream::Events, partition).await?;
    if src.offset >= end || src.generation != log.layout().generation {
        return Err(SourceError::Missing { src, end });
    }
    let mut tail = log.tail(Stream::Events, vec![(partition, src.offset)]).await?;
    let first = tail.next().await?.records.into_iter().next();
    let Some(record) = first.filter(|record| record.offset == src.offset) else {
        return Err(SourceError::Missing { src, end });
    };
    let found = Proposal::read(src, ruling.prev_src, record.time, &record.key, &record.value);
    if is_of(ruling, &found) { Ok(()) } else { Err(SourceError::Other { src }) }
}

/// The last ruling on the timeline of a partition that follows another, as far as it stands near the end. One
/// that lies beyond a gap, which nobody admits, is none.
async fn last_ruling(log: &dyn EventLog, partition: u32) -> Result<Option<Record>, LogError> {
    let end = log.end(Stream::Timeline, partition).await?;
    let mut next = end.saturating_sub(LOOK_BACK);
    let mut rulings: BTreeMap<Src, Record> = BTreeMap::new();
    if next < end {
        let mut tail = log.tail(Stream::Timeline, vec![(partition, next)]).await?;
        while next < end {
            for record in tail.next().await?.records {
                next = record.offset + 1;
                let src = record.ruling().map(|read| read.ruling.src);
                if let Some(src) = src.filter(|src| src.partition == partition && next <= end) {
                    rulings.entry(src).or_insert(record);
                }
            }
        }
    }
    let follows = |record: &&Record| {
        let previous = record.ruling().map(|read| read.ruling.prev_src);
        previous.is_some_and(|previous| previous.is_none_or(|src| rulings.contains_key(&src)))
    };
    Ok(rulings.values().rev().find(follows).cloned())
}
