//! The few threads that read a file.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use verbatim_ports::StoreError;

use super::{crew::Crew, failure::Outcome, open::Database};

/// A few threads that read a file. Dropping it does what is queued, then waits for the threads.
pub struct Readers {
    crew: Crew,
    limit: Duration,
}

/// How long one read may take: a transaction that reads keeps the WAL from being written back.
pub const READ_LIMIT: Duration = Duration::from_secs(5);
/// How many reads may wait for each thread.
const QUEUE: usize = 256;
/// After how many of SQLite's instructions the time is looked at.
const INSTRUCTIONS: i32 = 4_096;

impl Readers {
    /// Opens a file that exists and starts `threads` threads.
    ///
    /// # Errors
    /// As [`Database::reader`].
    pub fn open(database: &Database, threads: usize) -> Result<Self, StoreError> {
        let connections: Result<Vec<_>, _> = (0..threads).map(|_| database.reader()).collect();
        let crew = Crew::start(database.schema.name, connections?, QUEUE * threads)?;
        Ok(Self { crew, limit: READ_LIMIT })
    }

    /// Another limit than [`READ_LIMIT`]. A read that ends within a few thousand of SQLite's
    /// instructions ends before it is looked at.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Runs a job that reads, all of one moment.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] at once when the queue is full, and when the read takes longer
    /// than its limit; the job's.
    pub fn read<T, F>(
        &self,
        job: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        let limit = self.limit;
        self.crew.call(move |connection| {
            let end = now() + limit;
            connection.progress_handler(INSTRUCTIONS, Some(move || now() > end))?;
            let transaction = connection.transaction()?;
            let value = job(&transaction);
            // It only read: whether it ends by a rollback or a commit is the same.
            drop(transaction);
            value
        })
    }

    /// Takes no more reads, ends those that are queued and waits for the threads.
    pub fn close(&self) {
        self.crew.close();
    }
}

#[expect(clippy::disallowed_methods, reason = "an adapter measures how long a read takes")]
fn now() -> Instant {
    Instant::now()
}
