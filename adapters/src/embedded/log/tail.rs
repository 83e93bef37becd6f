//! A reader of a stream.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::Notify;
use verbatim_ports::{
    StoreError,
    log::{Batch, LogError, Record, Tail},
};

use super::{
    published::{Look, Published},
    tables,
};
use crate::embedded::sqlite::Readers;

/// A reader of a stream: from memory while it keeps up, from the file where it lags. Its offsets
/// alone say what comes next, so that nothing is missed or doubled between the two.
pub(super) struct LogTail {
    published: Arc<Published>,
    readers: Arc<Readers>,
    cursors: Vec<Cursor>,
    /// The cursor whose turn it is.
    turn: usize,
    /// Holds at most one permit: what was published since it was looked at is never slept through.
    wake: Arc<Notify>,
    /// A read of the file under way; kept here, so that dropping [`Tail::next`] does not lose it.
    reading: Option<Reading>,
}

#[derive(Clone, Copy)]
struct Cursor {
    partition: u32,
    next: u64,
}

struct Reading {
    cursor: usize,
    records: BoxFuture<'static, Result<Vec<Record>, StoreError>>,
}

impl LogTail {
    pub(super) fn new(
        published: Arc<Published>,
        readers: Arc<Readers>,
        from: Vec<(u32, u64)>,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        published.subscribe(from.iter().map(|(partition, _)| *partition), &wake);
        let cursors =
            from.into_iter().map(|(partition, next)| Cursor { partition, next }).collect();
        Self { published, readers, cursors, turn: 0, wake, reading: None }
    }

    /// Looks at each cursor once, beginning with the one whose turn it is; starts reading the file
    /// for one that lags.
    fn look(&mut self) -> Result<Option<Batch>, LogError> {
        let mut ended = None;
        for step in 0..self.cursors.len() {
            let index = (self.turn + step) % self.cursors.len();
            let Cursor { partition, next } = self.cursors[index];
            match self.published.look(partition, next) {
                Look::Records(records) => return Ok(Some(self.advance(index, records))),
                Look::InFile(end) if self.reading.is_none() => {
                    let read = move |connection: &_| tables::read(connection, partition, next, end);
                    let records = self.readers.read(read).boxed();
                    self.reading = Some(Reading { cursor: index, records });
                }
                Look::InFile(_) | Look::Nothing => {}
                Look::Ended(why) => ended = Some(why),
            }
        }
        // Only when no partition has anything left.
        match ended {
            Some(why) if self.reading.is_none() => Err(why),
            _ => Ok(None),
        }
    }

    fn advance(&mut self, index: usize, records: Vec<Record>) -> Batch {
        self.turn = index + 1;
        let cursor = &mut self.cursors[index];
        if let Some(last) = records.last() {
            cursor.next = last.offset + 1;
        }
        Batch { partition: cursor.partition, records }
    }

    fn finish(
        &mut self,
        outcome: Result<Vec<Record>, StoreError>,
    ) -> Result<Option<Batch>, LogError> {
        let Some(reading) = self.reading.take() else { return Ok(None) };
        match outcome {
            Ok(records) => Ok(Some(self.advance(reading.cursor, records))),
            Err(StoreError::Corrupt(text)) => Err(LogError::Corrupt(text)),
            Err(error) => Err(LogError::Unavailable(error.to_string())),
        }
    }
}

#[async_trait]
impl Tail for LogTail {
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            // First what was read, so that partitions that are always busy do not starve it.
            let read =
                self.reading.as_mut().and_then(|reading| (&mut reading.records).now_or_never());
            if let Some(outcome) = read
                && let Some(batch) = self.finish(outcome)?
            {
                return Ok(batch);
            }
            if let Some(batch) = self.look()? {
                return Ok(batch);
            }
            let Some(reading) = &mut self.reading else {
                self.wake.notified().await;
                continue;
            };
            let outcome = tokio::select! {
                outcome = &mut reading.records => outcome,
                () = self.wake.notified() => continue,
            };
            if let Some(batch) = self.finish(outcome)? {
                return Ok(batch);
            }
        }
    }
}

impl Drop for LogTail {
    fn drop(&mut self) {
        self.published.unsubscribe(&self.wake);
    }
}
