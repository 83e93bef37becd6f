//! The two streams.
//!
//! An [`EventLog`] promises only what both back ends keep: order per partition, at least once, and
//! durable when acknowledged. There is no conditional append, and an offset is not a SQL sequence.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use verbatim_schemas::{Code, Problem, Src, Timestamp};

use crate::reading::{Read, Reading};

/// One of the two streams. Both have the same partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// `chat.events`: what was proposed. The source of truth.
    Events,
    /// `chat.timeline`: the rulings. Can be computed again from the events.
    Timeline,
}

impl Stream {
    /// The stream's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "chat.events",
            Self::Timeline => "chat.timeline",
        }
    }
}

/// How the streams are laid out. Kept with the log; a log of another layout is refused at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Counts layouts; part of every [`Src`].
    pub generation: u32,
    /// How many partitions each stream has.
    pub partitions: u32,
}

impl Layout {
    /// The place of a record of `chat.events`.
    pub fn src(self, partition: u32, offset: u64) -> Src {
        Src { generation: self.generation, partition, offset }
    }
}

/// A record to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// To which partition; of a conversation's records always the same
    /// ([`partition::of`](verbatim_domain::partition::of)).
    pub partition: u32,
    /// The conversation's id.
    pub key: Bytes,
    /// The event or ruling.
    pub value: Bytes,
}

/// A record on a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number in the partition, from 0 and growing; not promised to be dense.
    pub offset: u64,
    /// When it was appended, by the log's clock.
    pub time: Timestamp,
    /// Its key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    reading: Reading,
}

impl Record {
    /// A record that nobody has read yet.
    pub fn new(offset: u64, time: Timestamp, key: Bytes, value: Bytes) -> Self {
        Self { offset, time, key, value, reading: Reading::default() }
    }

    /// The ruling that the value is, if it is one; read once for all copies of the record.
    pub fn ruling(&self) -> Option<&Read> {
        self.reading.of(&self.value)
    }
}

/// Records of one partition, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Which partition.
    pub partition: u32,
    /// At least one.
    pub records: Vec<Record>,
}

/// Where a record came to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its offset.
    pub offset: u64,
    /// The log's time.
    pub time: Timestamp,
}

/// Why an append was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Nothing was appended: the queue is full, the disk is full, or the log cannot be reached.
    #[error("nothing appended: {0}")]
    Unavailable(String),
    /// The records may or may not be on the log, now or later.
    #[error("not known whether it was appended: {0}")]
    Unknown(String),
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Unavailable(_) => Problem::new(Code::Unavailable).retry_after_ms(1_000),
            AppendError::Unknown(_) => Problem::new(Code::OutcomeUnknown),
        }
    }
}

/// Why the log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Try again later.
    #[error("log not available: {0}")]
    Unavailable(String),
    /// The log lacks records that should be there: an operator has to look.
    #[error("log not usable: {0}")]
    Corrupt(String),
}

/// The outcome of an append, in the order of its records.
pub type AppendFuture = BoxFuture<'static, Result<Vec<Appended>, AppendError>>;

/// The streams.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// How the streams are laid out.
    fn layout(&self) -> Layout;

    /// Appends records; those of one partition are adjacent in it and in the given order.
    ///
    /// The place in the order is taken by the call, not by the first poll of the future: of two
    /// calls for one partition the earlier one's records come first, if both succeed. Never waits
    /// for room: a full queue is [`AppendError::Unavailable`] at once. Once the future gives the
    /// places, records of [`Stream::Events`] survive the loss of power; those of
    /// [`Stream::Timeline`] survive the end of the process. Dropping the future changes nothing.
    ///
    /// An append of no records appends nothing, and succeeds if the stream can be written.
    fn append(&self, stream: Stream, records: Vec<NewRecord>) -> AppendFuture;

    /// Why the last append of this node to a stream was not acknowledged; none once one is again,
    /// if only one of no records.
    fn failing(&self, stream: Stream) -> Option<String>;

    /// The offset after the last acknowledged record.
    async fn end(&self, stream: Stream, partition: u32) -> Result<u64, LogError>;

    /// Reads the given partitions, each from an offset, and goes on as records come. An offset
    /// beyond the end is waited for. Only acknowledged records are read.
    async fn tail(&self, stream: Stream, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError>;

    /// Joins the group of that name and shares the partitions with its other members.
    async fn own(&self, group: &str) -> Result<Ownership, LogError>;
}

/// The partitions that this member of a group owns at the moment. Dropping it leaves the group.
///
/// For a while after a change two members may believe that they own a partition; whoever writes
/// must be safe against that.
pub struct Ownership {
    /// Follows the changes.
    pub partitions: watch::Receiver<Arc<BTreeSet<u32>>>,
    /// Whatever keeps the membership alive.
    pub membership: Box<dyn Send + Sync>,
}

/// A reader of a stream.
#[async_trait]
pub trait Tail: Send {
    /// The next records of some partition, as many as have arrived, within
    /// [`BATCH_RECORDS`] and about [`BATCH_BYTES`]; waits when there are none. No partition is
    /// starved by another. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Batch, LogError>;
}

/// Most records of one [`Batch`].
pub const BATCH_RECORDS: usize = 1_000;
/// About the most bytes of one [`Batch`]; a larger record comes alone.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How long to wait before an operation on a log that was not available is tried again.
pub const RETRY_AFTER: Duration = Duration::from_millis(250);
