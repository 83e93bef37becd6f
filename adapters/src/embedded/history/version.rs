//! One version's file.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use verbatim_domain::Position;
use verbatim_ports::{StoreError, history::Version, log::Layout};
use verbatim_schemas::Src;

use super::{read, schema};
use crate::embedded::{
    folder::DataFolder,
    sqlite::{Database, Outcome, Readers, Synchronous, Writer},
};

/// How many threads read a version.
const READERS: usize = 4;

/// A version that is open. When it was dropped, its files go with the last who uses it: a read that
/// began before is not disturbed.
pub(super) struct VersionFile {
    pub(super) number: Version,
    pub(super) database: Database,
    /// Before the writer: the last connection to close clears the WAL away, which one that reads can't.
    pub(super) readers: Readers,
    pub(super) writer: Writer,
    pub(super) position: Arc<Included>,
    /// The last field: the files go when the connections are closed.
    files: Files,
}

impl VersionFile {
    pub(super) fn open(
        folder: &DataFolder,
        number: Version,
        layout: Layout,
    ) -> Result<Self, StoreError> {
        let database = folder.database(&name(number), Synchronous::Normal, schema::VERSION);
        let writer = Writer::open(&database)?;
        let readers = Readers::open(&database, READERS)?;
        let position: Outcome<Position> = read::position(&database.reader()?, layout);
        let files = Files { main: database.path.clone(), dropped: AtomicBool::new(false) };
        let position = Arc::new(Included(Mutex::new(position?)));
        Ok(Self { number, database, writer, readers, position, files })
    }

    /// Deletes the files when nobody uses them any more.
    pub(super) fn drop_files(&self) {
        self.files.dropped.store(true, Ordering::Release);
    }

    /// Syncs what was written, so that not even the loss of power takes it.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let sync = || -> Outcome<()> {
            let connection = self.database.writer()?;
            // Writing the WAL back syncs it first. A reader may keep some of it from being written
            // back; it is synced nevertheless.
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
            Ok(())
        };
        Ok(sync()?)
    }
}

/// What a version includes.
pub(super) struct Included(Mutex<Position>);

impl Included {
    pub(super) fn now(&self) -> Position {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Includes a record, and says what is included then.
    pub(super) fn include(&self, src: Src) -> Position {
        let mut position = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        position.include(src);
        position.clone()
    }
}

/// A version's file without its extension.
pub(super) fn name(number: Version) -> String {
    format!("history-{}", number.0)
}

struct Files {
    main: PathBuf,
    dropped: AtomicBool,
}

impl Drop for Files {
    fn drop(&mut self) {
        if self.dropped.load(Ordering::Acquire) {
            delete(&self.main);
        }
    }
}

/// Deletes a database and what SQLite keeps beside it. What can't be deleted now is at the next
/// start.
pub(super) fn delete(main: &std::path::Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut file = main.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(?file, %error, "a version that was dropped could not be deleted");
            }
            _ => {}
        }
    }
}
