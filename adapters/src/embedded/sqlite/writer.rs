//! The one thread that writes a file.

use rusqlite::{Connection, Transaction, TransactionBehavior};
use verbatim_ports::StoreError;

use super::{crew::Crew, failure::Outcome, open::Database};

/// The one thread that writes a file. Dropping it does what is queued, then waits for the thread.
pub struct Writer {
    crew: Crew,
}

/// How many jobs may wait.
const QUEUE: usize = 1_024;

impl Writer {
    /// Opens the file, making it when it is missing, and starts the thread.
    ///
    /// # Errors
    /// As [`Database::writer`].
    pub fn open(database: &Database) -> Result<Self, StoreError> {
        let connection = database.writer()?;
        let crew = Crew::start(database.schema.name, vec![connection], QUEUE)?;
        Ok(Self { crew })
    }

    /// Runs a job in a transaction: committed when it succeeds, else rolled back.
    ///
    /// Jobs are done in the order of the calls (not of the first polls); dropping the future changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] at once when the queue is full, and when the disk is; the job's.
    pub fn transact<T, F>(
        &self,
        job: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
    {
        self.call(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = job(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    /// As [`Self::transact`], without a transaction around the job.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub fn call<T, F>(
        &self,
        job: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Outcome<T> + Send + 'static,
    {
        self.crew.call(move |connection| {
            let value = job(connection);
            // A commit that failed may have left its transaction open.
            if !connection.is_autocommit() {
                let _ = connection.execute_batch("ROLLBACK");
            }
            value
        })
    }
}
