//! Reading a log beside the process that writes it.

use std::path::Path;

use rusqlite::Connection;
use verbatim_ports::{
    StoreError,
    log::{Layout, Record, Stream},
};

use super::tables;
use crate::embedded::sqlite::{Database, Failure};

/// Reads one stream of a data folder, beside a process that writes it or after it stopped. Takes no
/// lock and changes nothing; each read is short, so that it does not keep the WAL from being written
/// back. Blocks on the disk.
pub struct LogReader {
    connection: Connection,
    layout: Layout,
    database: Database,
    /// Whether it was opened while nobody wrote it.
    unwritten: bool,
}

impl LogReader {
    /// Opens a stream.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no log or it can't be opened,
    /// [`StoreError::Corrupt`] when it is not one that this program can read.
    pub fn open(folder: &Path, stream: Stream) -> Result<Self, StoreError> {
        let database = Database {
            path: folder.join(format!("{}.db", stream.name())),
            synchronous: tables::synchronous(stream),
            vfs: None,
            schema: tables::schema(stream),
        };
        if !database.path.exists() {
            return Err(StoreError::Unavailable(format!(
                "{} does not exist; name the folder that `verbatim serve` was given with --data",
                database.path.display()
            )));
        }
        let unwritten = !database.has_wal();
        let connection = database.reader_of_any_folder()?;
        let layout = tables::layout(&connection).map_err(Failure::from)?;
        let layout = layout.ok_or_else(|| {
            StoreError::Corrupt(format!("{} has no layout", database.path.display()))
        })?;
        Ok(Self { connection, layout, database, unwritten })
    }

    /// How the stream is laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The offset after the last record at the moment.
    ///
    /// # Errors
    /// [`StoreError`] as the file has it.
    pub fn end(&self, partition: u32) -> Result<u64, StoreError> {
        Ok(tables::head(&self.connection, partition).map_err(Failure::from)?.next)
    }

    /// The records from `from` on, below `end`, as many as fit one
    /// [`Batch`](verbatim_ports::log::Batch); none only when there are none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a record below `end` is missing.
    pub fn read(&self, partition: u32, from: u64, end: u64) -> Result<Vec<Record>, StoreError> {
        tables::read(&self.connection, partition, from, end).map_err(|error| {
            let error = StoreError::from(error);
            // It was read as a file that nobody writes, because there was no WAL.
            if self.unwritten && self.database.has_wal() {
                return StoreError::Unavailable(
                    "a server began to write the log while it was read: start again".into(),
                );
            }
            error
        })
    }
}
