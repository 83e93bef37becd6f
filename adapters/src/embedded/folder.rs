//! The data folder: everything that an embedded installation keeps, written by one process.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use verbatim_ports::StoreError;

use super::sqlite::{Database, Schema, Synchronous};

/// A data folder that this process alone may write. Whatever lives in it keeps an `Arc` of it, so
/// that it is free again only when nothing writes to it any more.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    vfs: Option<String>,
    /// The operating system frees the lock when the process ends, however it ends.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder when it is missing and locks it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with one sentence when another process has it, or when it can't
    /// be made or written.
    pub fn lock(path: &Path) -> Result<Self, StoreError> {
        Self::lock_on(path, None)
    }

    /// As [`Self::lock`], with databases on a SQLite VFS of that name (for tests of power cuts).
    ///
    /// # Errors
    /// As [`Self::lock`].
    pub fn lock_on(path: &Path, vfs: Option<String>) -> Result<Self, StoreError> {
        let unusable = |error: io::Error| {
            StoreError::Unavailable(format!(
                "data folder {} can't be used: {error}",
                path.display()
            ))
        };
        make(path).map_err(unusable)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) if others_may_read(path) => {
                tracing::warn!(
                    folder = %path.display(),
                    "other users of this machine may read the data folder: chmod 700 it"
                );
                Ok(Self { path: path.to_owned(), vfs, _lock: lock })
            }
            Ok(()) => Ok(Self { path: path.to_owned(), vfs, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
                "data folder {} is in use by another process",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database `<name>.db` in this folder.
    pub fn database(&self, name: &str, synchronous: Synchronous, schema: Schema) -> Database {
        Database {
            path: self.path.join(format!("{name}.db")),
            synchronous,
            vfs: self.vfs.clone(),
            schema,
        }
    }
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_: &Path) -> bool {
    false
}

/// Makes a folder and those above it, so that they survive the loss of power: SQLite syncs the names
/// in the folder of a database, and nobody else syncs those of the folders above.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    make(above)?;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made?,
    }
    File::open(above)?.sync_all()
}
