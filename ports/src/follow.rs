//! The consumer's side of `chat.timeline`: reads rulings, drops repeats and skips what lies beyond a
//! gap, the same for everybody who reads it.

use std::{collections::BTreeMap, sync::Arc};

use verbatim_domain::{
    Position,
    watermark::{Admission, admit},
};
use verbatim_schemas::{Digest, Ruling, Src};

use crate::{
    log::{Batch, EventLog, LogError, Record, Stream, Tail},
    reading::Read,
    source::LOOK_BACK,
};

/// How far a consumer has come in one partition, kept in one transaction with what it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last record of `chat.events` whose ruling was applied.
    pub src: Src,
    /// The hash of that ruling's bytes: a log that was truncated or swapped shows.
    pub hash: Digest,
    /// Where to read `chat.timeline` from; a hint, since a timeline that was ruled again may have
    /// its rulings elsewhere.
    pub next: u64,
}

/// An admitted ruling.
#[derive(Debug, Clone)]
pub struct Followed {
    /// The ruling.
    pub ruling: Arc<Ruling>,
    /// The checkpoint that includes it.
    pub checkpoint: Checkpoint,
    /// Its bytes as they stand on the timeline.
    pub value: bytes::Bytes,
}

/// Admitted rulings of one partition, in order; may be empty when all were repeats.
#[derive(Debug, Clone)]
pub struct FollowedBatch {
    /// Which partition.
    pub partition: u32,
    /// The rulings.
    pub rulings: Vec<Followed>,
}

/// Why a timeline cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// Try again later.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The ruling at the checkpoint is not the one that was applied: a truncated or foreign log.
    #[error(
        "partition {partition} of chat.timeline holds another ruling for record {offset} than the one applied here: the log was truncated, swapped, or restored from a copy"
    )]
    Foreign {
        /// Which partition.
        partition: u32,
        /// Which record of `chat.events`.
        offset: u64,
    },
}

/// Reads the rulings of some partitions.
pub struct Follower {
    tail: Box<dyn Tail>,
    partitions: BTreeMap<u32, Progress>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    last: Option<Src>,
    /// The offset on `chat.timeline` after the last record read: where to read on.
    next: u64,
    /// A checkpoint whose ruling has yet to be found and compared.
    expected: Option<Checkpoint>,
    /// How many rulings were skipped beyond a gap that is still open.
    skipped: u64,
}

impl Follower {
    /// Follows one partition after a checkpoint (none: from its beginning).
    pub async fn resume(
        log: &dyn EventLog,
        partition: u32,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, FollowError> {
        let from = match checkpoint {
            None => 0,
            Some(checkpoint) => locate(log, partition, checkpoint).await?,
        };
        let progress = Progress { expected: checkpoint, next: from, ..Progress::default() };
        Ok(Self {
            tail: log.tail(Stream::Timeline, vec![(partition, from)]).await?,
            partitions: BTreeMap::from([(partition, progress)]),
        })
    }

    /// Follows all partitions from their ends.
    pub async fn at_end(log: &dyn EventLog) -> Result<Self, FollowError> {
        let mut from = Vec::new();
        let mut partitions = BTreeMap::new();
        for partition in 0..log.layout().partitions {
            let end = log.end(Stream::Timeline, partition).await?;
            let mut last = None;
            let mut next = end.saturating_sub(LOOK_BACK);
            let mut tail = log.tail(Stream::Timeline, vec![(partition, next)]).await?;
            while next < end {
                for record in tail.next().await?.records {
                    if record.offset >= end {
                        break;
                    }
                    last = last.max(read(partition, &record).map(|read| read.ruling.src));
                    next = record.offset + 1;
                }
            }
            from.push((partition, end));
            partitions.insert(partition, Progress { last, next: end, ..Progress::default() });
        }
        Ok(Self { tail: log.tail(Stream::Timeline, from).await?, partitions })
    }

    /// The next rulings; waits when there are none. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<FollowedBatch, FollowError> {
        let Batch { partition, records } = self.tail.next().await?;
        let progress = self.partitions.entry(partition).or_default();
        let mut rulings = Vec::with_capacity(records.len());
        for record in records {
            progress.next = record.offset + 1;
            // A ruling of a version that is not known, or no ruling at all, does not count.
            let Some(Read { ruling, hash }) = read(partition, &record) else { continue };
            if let Some(expected) = progress.expected {
                // Rulings beyond a gap may stand before the one that is looked for; only one that
                // leaves no room for it between itself and the record before proves its absence.
                let beyond = ruling.prev_src.is_some_and(|prev| prev >= expected.src);
                if ruling.src < expected.src || (ruling.src > expected.src && beyond) {
                    continue;
                }
                if ruling.src > expected.src || *hash != expected.hash {
                    return Err(FollowError::Foreign { partition, offset: expected.src.offset });
                }
                progress.expected = None;
                progress.last = Some(expected.src);
                continue;
            }
            match admit(progress.last, ruling.src, ruling.prev_src) {
                Admission::Apply => {
                    progress.last = Some(ruling.src);
                    progress.skipped = 0;
                    let checkpoint =
                        Checkpoint { src: ruling.src, hash: *hash, next: record.offset + 1 };
                    let ruling = Arc::clone(ruling);
                    rulings.push(Followed { ruling, checkpoint, value: record.value });
                }
                Admission::Repeat => {}
                Admission::Gap => progress.skipped += 1,
            }
        }
        Ok(FollowedBatch { partition, rulings })
    }

    /// Opens the log again after [`FollowError::Log`] and goes on where reading ended: nothing is
    /// left out, and nothing is given out twice. May be tried until it works.
    pub async fn reopen(&mut self, log: &dyn EventLog) -> Result<(), FollowError> {
        let from = self.partitions.iter().map(|(id, progress)| (*id, progress.next)).collect();
        self.tail = log.tail(Stream::Timeline, from).await?;
        Ok(())
    }

    /// What has been given out, in all partitions followed.
    pub fn position(&self) -> Position {
        let mut position = Position::default();
        self.partitions.values().filter_map(|progress| progress.last).for_each(|src| {
            position.include(src);
        });
        position
    }

    /// The last record given out of a partition.
    pub fn last(&self, partition: u32) -> Option<Src> {
        self.partitions.get(&partition)?.last
    }

    /// The offset on `chat.timeline` after the last record read, repeats and skipped ones too: whoever
    /// has to read up to an [`end`](EventLog::end) knows by it when that is done.
    pub fn read_to(&self, partition: u32) -> u64 {
        self.partitions.get(&partition).map_or(0, |progress| progress.next)
    }

    /// Whether the ruling at the checkpoint has not come yet. Still so at the stream's end: the
    /// timeline lost its tail, and has to be ruled again.
    pub fn seeking(&self, partition: u32) -> bool {
        self.partitions.get(&partition).is_some_and(|progress| progress.expected.is_some())
    }

    /// How many rulings were skipped beyond gaps that are open now.
    pub fn skipped(&self) -> u64 {
        self.partitions.values().map(|progress| progress.skipped).sum()
    }
}

fn read(partition: u32, record: &Record) -> Option<&Read> {
    record.ruling().filter(|read| read.ruling.src.partition == partition)
}

/// Where to read so that the checkpoint's ruling is the first to come: at the hint when it is there,
/// else from the beginning (the timeline was ruled again and its rulings stand elsewhere).
async fn locate(
    log: &dyn EventLog,
    partition: u32,
    checkpoint: Checkpoint,
) -> Result<u64, FollowError> {
    let hint = checkpoint.next.saturating_sub(1);
    if hint >= log.end(Stream::Timeline, partition).await? {
        return Ok(0);
    }
    let mut tail = log.tail(Stream::Timeline, vec![(partition, hint)]).await?;
    let first = tail.next().await?.records.into_iter().next();
    let there = first.is_some_and(|record| {
        read(partition, &record).is_some_and(|read| read.ruling.src == checkpoint.src)
    });
    Ok(if there { hint } else { 0 })
}
