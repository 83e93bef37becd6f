//! What SQLite's errors mean to a port.

use rusqlite::{Error, ErrorCode};
use verbatim_ports::StoreError;

/// What a job on a database ends with.
pub type Outcome<T> = Result<T, Failure>;

/// Why a job failed: so that `?` takes both kinds.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] Error),
    /// The job says so.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Sqlite(error) => of_sqlite(error),
        }
    }
}

fn of_sqlite(error: Error) -> StoreError {
    match &error {
        Error::SqliteFailure(code, _) => match code.code {
            // SQLITE_ERROR is a statement that does not fit the tables.
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::ApiMisuse
            | ErrorCode::Unknown => StoreError::Corrupt(error.to_string()),
            ErrorCode::OperationInterrupted => {
                StoreError::Unavailable("a read took too long and was ended".into())
            }
            _ => StoreError::Unavailable(error.to_string()),
        },
        _ => StoreError::Corrupt(error.to_string()),
    }
}
