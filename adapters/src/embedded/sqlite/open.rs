//! Opening a database file.

use std::{path::PathBuf, time::Duration};

use rusqlite::{Connection, OpenFlags};
use verbatim_ports::StoreError;

use super::failure::Outcome;

/// What is synced to the disk, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// Each transaction before it is acknowledged: it survives the loss of power.
    Full,
    /// Now and then: transactions survive the end of the process; the loss of power may take the
    /// last ones, never one before them.
    Normal,
}

/// The tables of a database, as steps from nothing to the newest version; a published step never
/// changes, a new one is added behind it.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// What the file holds, for messages.
    pub name: &'static str,
    /// SQL, one step a version.
    pub steps: &'static [&'static str],
}

/// A database file and how to open it.
#[derive(Debug, Clone)]
pub struct Database {
    /// The file.
    pub path: PathBuf,
    /// What is synced.
    pub synchronous: Synchronous,
    /// The SQLite VFS, when it is not the default one.
    pub vfs: Option<String>,
    /// The tables.
    pub schema: Schema,
}

/// How long a connection waits for another one's lock. In WAL mode only for moments: when a database
/// is opened, closed or recovered.
const BUSY: Duration = Duration::from_secs(5);
/// Pages of WAL after which it is written back into the file: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4_096;
/// What a WAL that grew beyond it (a reader pinned it) is cut to.
const WAL_BYTES: u64 = 64 * 1024 * 1024;
/// Memory for pages of one connection, in KiB.
const CACHE_KIB: i64 = 8 * 1024;

impl Database {
    /// A connection that writes; makes the file and brings the tables to the newest version.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file is no database or was written by a newer program,
    /// [`StoreError::Unavailable`] when it can't be opened.
    pub fn writer(&self) -> Result<Connection, StoreError> {
        let open = || -> Outcome<Connection> {
            let mut connection =
                self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
            let mode: String =
                connection
                    .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
            if mode != "wal" {
                return Err(StoreError::Unavailable(format!(
                    "{} does not allow a write-ahead log",
                    self.path.display()
                ))
                .into());
            }
            let synchronous = match self.synchronous {
                Synchronous::Full => "full",
                Synchronous::Normal => "normal",
            };
            connection.pragma_update(None, "synchronous", synchronous)?;
            connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
            connection.pragma_update_and_check(
                None,
                "journal_size_limit",
                WAL_BYTES,
                |_| Ok(()),
            )?;
            self.migrate(&mut connection)?;
            Ok(connection)
        };
        open().map_err(|failure| self.named(failure.into()))
    }

    /// A connection that reads a file that exists.
    ///
    /// # Errors
    /// As [`Self::writer`].
    pub fn reader(&self) -> Result<Connection, StoreError> {
        let open = || -> Outcome<Connection> {
            let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            self.check_version(version(&connection)?)?;
            Ok(connection)
        };
        open().map_err(|failure| self.named(failure.into()))
    }

    /// Whether a WAL lies beside the file: somebody writes it, or did not close it in good order.
    pub fn has_wal(&self) -> bool {
        let mut wal = self.path.as_os_str().to_owned();
        wal.push("-wal");
        PathBuf::from(wal).exists()
    }

    /// As [`Self::reader`], also in a folder that can't be written, as long as no WAL lies beside the
    /// file: it was closed in good order then, and nobody writes it.
    ///
    /// # Errors
    /// As [`Self::writer`].
    pub fn reader_of_any_folder(&self) -> Result<Connection, StoreError> {
        let failed = match self.reader() {
            Ok(connection) => return Ok(connection),
            Err(failed) => failed,
        };
        if self.vfs.is_some() || self.has_wal() {
            return Err(failed);
        }
        let Some(path) = self.path.to_str() else { return Err(failed) };
        let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let open = || -> Outcome<Connection> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_URI
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let uri = format!("file:{escaped}?immutable=1");
            let connection = Connection::open_with_flags(uri, flags)?;
            self.check_version(version(&connection)?)?;
            Ok(connection)
        };
        open().map_err(|failure| self.named(failure.into()))
    }

    fn connect(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        // Each connection stays with one thread at a time, so SQLite's own mutex is not needed.
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str())?,
            None => Connection::open_with_flags(&self.path, flags)?,
        };
        connection.busy_timeout(BUSY)?;
        // A memory map turns an I/O error into a signal that ends the process.
        connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(256);
        Ok(connection)
    }

    fn migrate(&self, connection: &mut Connection) -> Outcome<()> {
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let found = version(&transaction)?;
        self.check_version(found)?;
        if found == self.schema.steps.len() {
            return Ok(());
        }
        for step in &self.schema.steps[found..] {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", self.schema.steps.len())?;
        Ok(transaction.commit()?)
    }

    fn check_version(&self, found: usize) -> Result<(), StoreError> {
        let known = self.schema.steps.len();
        if found <= known {
            return Ok(());
        }
        Err(StoreError::Corrupt(format!(
            "{} has version {found} of its tables and this program knows up to {known}; run a newer program",
            self.schema.name
        )))
    }

    fn named(&self, error: StoreError) -> StoreError {
        let name = |text: String| format!("{}: {text}", self.path.display());
        match error {
            StoreError::Unavailable(text) => StoreError::Unavailable(name(text)),
            StoreError::Corrupt(text) => StoreError::Corrupt(name(text)),
            other => other,
        }
    }
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
