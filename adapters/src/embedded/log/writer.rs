//! The thread that writes a stream: group commit.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rusqlite::{Connection, ErrorCode, params};
use verbatim_ports::{
    clock::Clock,
    log::{AppendError, Appended, LogError, Record, Stream},
};

use super::{
    published::Published,
    queue::{Queue, Request},
    tables::{self, Head, Statements},
};

/// What the writer's thread works with.
pub(super) struct Writer {
    pub(super) stream: Stream,
    pub(super) connection: Connection,
    pub(super) heads: Vec<Head>,
    pub(super) queue: Arc<Queue>,
    pub(super) published: Arc<Published>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Writer {
    /// Writes until the queue is closed and empty. Should it panic, the log takes no more appends
    /// and its tails end with [`LogError::Corrupt`], so that the process notices.
    pub(super) fn run(self) {
        let (stream, queue, published) = (self.stream, self.queue.clone(), self.published.clone());
        let end = match catch_unwind(AssertUnwindSafe(|| self.write_all())) {
            Ok(Ok(())) => LogError::Unavailable("the log is closed".into()),
            Ok(Err(error)) => {
                tracing::error!(stream = stream.name(), %error, "the log can't be written");
                LogError::Corrupt(error.to_string())
            }
            Err(_) => {
                tracing::error!(stream = stream.name(), "the log's writer panicked");
                LogError::Corrupt("the log's writer panicked".into())
            }
        };
        queue.close();
        queue.ended(Some(&AppendError::Unavailable("the log has stopped".into())));
        loop {
            let left = queue.take();
            if left.is_empty() {
                break;
            }
            refuse(left, &AppendError::Unavailable("the log has stopped".into()));
        }
        published.stop(end);
    }

    fn write_all(self) -> rusqlite::Result<()> {
        let partitions = u32::try_from(self.heads.len()).unwrap_or(u32::MAX);
        let statements = Statements::prepare(&self.connection, partitions)?;
        let mut commits = Commits {
            connection: &self.connection,
            statements,
            heads: self.heads,
            places: Vec::new(),
        };
        loop {
            let requests = self.queue.take();
            if requests.is_empty() {
                return Ok(());
            }
            match commits.commit(&requests, &*self.clock) {
                Ok(()) => {
                    self.queue.ended(None);
                    acknowledge(requests, &commits.places, &self.published);
                }
                Err(error) => {
                    self.queue.ended(Some(&error));
                    let stream = self.stream.name();
                    tracing::warn!(stream, %error, "appends failed");
                    refuse(requests, &error);
                }
            }
        }
    }
}

/// Publishes, then tells who appended: what was acknowledged can be read.
fn acknowledge(requests: VecDeque<Request>, places: &[Appended], published: &Published) {
    let mut replies = Vec::with_capacity(requests.len());
    let mut records = Vec::with_capacity(places.len());
    for request in requests {
        replies.push((request.reply, request.records.len()));
        records.extend(request.records);
    }
    published.publish(records.into_iter().zip(places).map(|(record, place)| {
        let Appended { offset, time } = *place;
        (record.partition, Record::new(offset, time, record.key, record.value))
    }));
    let mut places = places;
    for (reply, count) in replies {
        let (mine, rest) = places.split_at(count);
        places = rest;
        // Nobody may be waiting any more.
        let _ = reply.send(Ok(mine.to_vec()));
    }
}

fn refuse(requests: VecDeque<Request>, error: &AppendError) {
    for request in requests {
        let _ = request.reply.send(Err(error.clone()));
    }
}

struct Commits<'connection> {
    connection: &'connection Connection,
    statements: Statements<'connection>,
    heads: Vec<Head>,
    /// Where the records of the last transaction came to stand.
    places: Vec<Appended>,
}

impl Commits<'_> {
    /// Writes all or nothing.
    fn commit(
        &mut self,
        requests: &VecDeque<Request>,
        clock: &dyn Clock,
    ) -> Result<(), AppendError> {
        let before = self.heads.clone();
        self.places.clear();
        let outcome = match self.insert(requests, clock) {
            // What was inserted has no commit mark, so nothing of it is ever read.
            Err(error) => Err(AppendError::Unavailable(error.to_string())),
            Ok(()) => self.statements.commit.execute([]).map(drop).map_err(|error| {
                // The last thing that a commit writes, before it syncs, is its mark. A full disk
                // did not take it; after any other error it may be there, and count, should the
                // process end before the next commit overwrites it.
                let open = !self.connection.is_autocommit();
                if open || error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
                    AppendError::Unavailable(error.to_string())
                } else {
                    AppendError::Unknown(error.to_string())
                }
            }),
        };
        if outcome.is_err() {
            self.heads = before;
            if !self.connection.is_autocommit() {
                // Should it fail, the next BEGIN fails, and says so.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
        }
        outcome
    }

    fn insert(&mut self, requests: &VecDeque<Request>, clock: &dyn Clock) -> rusqlite::Result<()> {
        self.statements.begin.execute([])?;
        let now = clock.now();
        for record in requests.iter().flat_map(|request| &request.records) {
            let head = &mut self.heads[record.partition as usize];
            let place = Appended { offset: head.next, time: now.max(head.time) };
            self.statements.insert[record.partition as usize].execute(params![
                place.offset,
                place.time.as_millis(),
                &*record.key,
                &*record.value
            ])?;
            *head = Head { next: place.offset + 1, time: place.time };
            self.places.push(place);
        }
        if self.places.is_empty() {
            // Somebody asks whether the stream can be written.
            tables::touch(self.connection)?;
        }
        Ok(())
    }
}
