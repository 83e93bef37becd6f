//! One stream: its queue, its writer's thread, what is published and who reads the file.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

use futures_util::FutureExt;
use tokio::sync::oneshot;
use verbatim_ports::{
    StoreError,
    clock::Clock,
    log::{AppendError, AppendFuture, Layout, LogError, NewRecord, Stream},
};

use super::{
    LogSettings,
    published::Published,
    queue::{Queue, Request},
    tables,
    tail::LogTail,
    writer::Writer,
};
use crate::embedded::{folder::DataFolder, sqlite::Readers};

/// One stream. Dropping it writes what is queued, ends the tails and waits for the threads.
pub(super) struct StreamLog {
    stream: Stream,
    queue: Arc<Queue>,
    published: Arc<Published>,
    readers: Arc<Readers>,
    writer: Option<JoinHandle<()>>,
}

/// Threads that read for tails that lag.
const READERS: usize = 2;

impl StreamLog {
    pub(super) fn open(
        folder: &DataFolder,
        stream: Stream,
        wanted: Layout,
        settings: LogSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<(Layout, Self), StoreError> {
        let database = tables::database(folder, stream);
        let mut connection = database.writer()?;
        let layout = tables::claim(&mut connection, stream, wanted)?;
        let head = |partition| tables::head(&connection, partition);
        let heads: Vec<_> = (0..layout.partitions)
            .map(head)
            .collect::<Result<_, _>>()
            .map_err(|error| StoreError::from(crate::embedded::sqlite::Failure::from(error)))?;
        let queue = Arc::new(Queue::new(stream, settings));
        let published = Arc::new(Published::new(&heads, settings.recent_bytes));
        let readers = Arc::new(Readers::open(&database, READERS)?);
        let writer = Writer {
            stream,
            connection,
            heads,
            queue: queue.clone(),
            published: published.clone(),
            clock,
        };
        let writer = thread::Builder::new()
            .name(stream.name().to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))?;
        Ok((layout, Self { stream, queue, published, readers, writer: Some(writer) }))
    }

    pub(super) fn append(&self, records: Vec<NewRecord>) -> AppendFuture {
        let partitions = self.published.partitions();
        if let Some(record) = records.iter().find(|record| record.partition as usize >= partitions)
        {
            let partition = record.partition;
            let error = AppendError::Unavailable(format!("there is no partition {partition}"));
            return std::future::ready(Err(error)).boxed();
        }
        let (reply, answer) = oneshot::channel();
        if let Err(error) = self.queue.push(Request { records, reply }) {
            return std::future::ready(Err(error)).boxed();
        }
        let ended = || Err(AppendError::Unknown("the log's writer ended".into()));
        answer.map(move |answer| answer.unwrap_or_else(|_| ended())).boxed()
    }

    pub(super) fn failing(&self) -> Option<String> {
        self.queue.failing()
    }

    pub(super) fn end(&self, partition: u32) -> Result<u64, LogError> {
        self.published.end(partition).ok_or_else(|| self.no_partition(partition))
    }

    pub(super) fn tail(&self, from: Vec<(u32, u64)>) -> Result<LogTail, LogError> {
        for (partition, _) in &from {
            self.end(*partition)?;
        }
        Ok(LogTail::new(self.published.clone(), self.readers.clone(), from))
    }

    fn no_partition(&self, partition: u32) -> LogError {
        LogError::Corrupt(format!("{} has no partition {partition}", self.stream.name()))
    }
}

impl Drop for StreamLog {
    fn drop(&mut self) {
        // Before the writer: the last connection to go clears the WAL away, which one that only
        // reads can't.
        self.readers.close();
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // It catches its own panics, so there is nothing to learn.
            let _ = writer.join();
        }
    }
}
