//! [`EventLog`] on SQLite.
//!
//! Each stream is a file of its own with one table a partition, written by one thread with group
//! commit (`writer`): it takes whatever queued while the last transaction was syncing, writes it in
//! one transaction, publishes it to the tails and acknowledges it. `chat.events` is synced before
//! that; `chat.timeline` is not, since it can be computed again.
//!
//! A tail that keeps up is served from memory (`published`) and never touches SQLite; one that lags
//! reads batches from the file until it meets the memory.

mod published;
mod queue;
mod replay;
mod stream;
mod tables;
mod tail;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use verbatim_ports::{
    StoreError,
    clock::Clock,
    log::{AppendFuture, EventLog, Layout, LogError, NewRecord, Ownership, Stream, Tail},
};

use self::stream::StreamLog;
use super::folder::DataFolder;

pub use self::replay::LogReader;

/// The bounds of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// How many partitions a new log gets, 1 to [`MAX_PARTITIONS`]; an existing log must have as
    /// many.
    pub partitions: u32,
    /// How many records of a stream may wait to be written.
    pub queue_records: usize,
    /// How many bytes of a stream may wait to be written. A larger append is taken when nothing else
    /// waits: its caller holds that memory already.
    pub queue_bytes: usize,
    /// How many bytes of the last records of a stream are kept in memory for tails.
    pub recent_bytes: usize,
}

/// More partitions would not fit a position token.
pub const MAX_PARTITIONS: u32 = 64;

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            partitions: 8,
            queue_records: 65_536,
            queue_bytes: 64 * 1024 * 1024,
            recent_bytes: 16 * 1024 * 1024,
        }
    }
}

/// Both streams in a data folder. Dropping it writes what is queued, ends the tails and waits for
/// the threads.
pub struct EmbeddedLog {
    layout: Layout,
    events: StreamLog,
    timeline: StreamLog,
    /// Freed last: until then something may still be written.
    _folder: Arc<DataFolder>,
}

impl EmbeddedLog {
    /// Opens the log of a folder, or makes it. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the log has another number of partitions or is damaged,
    /// [`StoreError::Unavailable`] when the files can't be opened.
    pub fn open(
        folder: &Arc<DataFolder>,
        settings: LogSettings,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        if !(1..=MAX_PARTITIONS).contains(&settings.partitions) {
            return Err(StoreError::Corrupt(format!(
                "a log has 1 to {MAX_PARTITIONS} partitions, not {}",
                settings.partitions
            )));
        }
        let wanted = Layout { generation: 1, partitions: settings.partitions };
        let open = |stream| StreamLog::open(folder, stream, wanted, settings, clock.clone());
        let (layout, events) = open(Stream::Events)?;
        let (of_timeline, timeline) = open(Stream::Timeline)?;
        if layout != of_timeline {
            return Err(StoreError::Corrupt(format!(
                "chat.events is laid out as generation {} and chat.timeline as {}: they do not belong together",
                layout.generation, of_timeline.generation
            )));
        }
        Ok(Self { layout, events, timeline, _folder: folder.clone() })
    }

    fn stream(&self, stream: Stream) -> &StreamLog {
        match stream {
            Stream::Events => &self.events,
            Stream::Timeline => &self.timeline,
        }
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn layout(&self) -> Layout {
        self.layout
    }

    fn append(&self, stream: Stream, records: Vec<NewRecord>) -> AppendFuture {
        self.stream(stream).append(records)
    }

    fn failing(&self, stream: Stream) -> Option<String> {
        self.stream(stream).failing()
    }

    async fn end(&self, stream: Stream, partition: u32) -> Result<u64, LogError> {
        self.stream(stream).end(partition)
    }

    async fn tail(&self, stream: Stream, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Ok(Box::new(self.stream(stream).tail(from)?))
    }

    /// One process owns all partitions, for ever.
    async fn own(&self, _group: &str) -> Result<Ownership, LogError> {
        let all = Arc::new((0..self.layout.partitions).collect());
        let (sender, partitions) = watch::channel(all);
        Ok(Ownership { partitions, membership: Box::new(sender) })
    }
}
