//! Which version is live; making, promoting and dropping versions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension};
use verbatim_domain::Position;
use verbatim_ports::{StoreError, history::Version, log::Layout};

use super::{
    schema,
    version::{VersionFile, delete},
};
use crate::embedded::{
    folder::DataFolder,
    progress::Progress,
    sqlite::{Outcome, Synchronous},
};

/// The versions that there are: the live one, and at most one that is being built.
pub(super) struct Versions {
    layout: Layout,
    open: RwLock<Open>,
    position: Arc<LivePosition>,
    /// Taken while versions are made or dropped, one at a time.
    admin: Mutex<Admin>,
    /// The last field: the folder is free again when the databases are closed.
    folder: Arc<DataFolder>,
}

/// The position of the live version. Apart from the files, so that a write that is queued does not
/// keep them open.
pub(super) struct LivePosition {
    live: Mutex<Version>,
    progress: Progress,
}

impl LivePosition {
    /// A version is at a position now.
    pub(super) fn moved(&self, version: Version, position: Position) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if *live == version {
            self.progress.change(|now| *now = position);
        }
    }

    /// Another version is live. Its position is read under the lock, so that no move of it is
    /// missed.
    fn switch(&self, file: &VersionFile) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        *live = file.number;
        self.progress.change(|now| *now = file.position.now());
    }
}

struct Open {
    live: Arc<VersionFile>,
    building: Option<Arc<VersionFile>>,
}

struct Admin {
    /// `history.db`.
    database: Connection,
    /// Never given twice while the process runs: files of an old version may go late.
    next: u32,
}

impl Versions {
    pub(super) fn open(folder: Arc<DataFolder>, layout: Layout) -> Result<Self, StoreError> {
        let database = folder.database("history", Synchronous::Full, schema::LIVE).writer()?;
        let found = live_version(&database)?;
        let live = found.unwrap_or(Version(1));
        let highest = drop_others(&folder, live);
        let file = Arc::new(VersionFile::open(&folder, live, layout)?);
        if found.is_none() {
            set_live(&database, live)?;
        }
        let progress = Progress::new(layout, file.position.now());
        let position = Arc::new(LivePosition { live: Mutex::new(live), progress });
        Ok(Self {
            folder,
            layout,
            open: RwLock::new(Open { live: file, building: None }),
            position,
            admin: Mutex::new(Admin { database, next: highest.saturating_add(1) }),
        })
    }

    /// The live version.
    pub(super) fn live(&self) -> Arc<VersionFile> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).live.clone()
    }

    /// The live version or the one that is being built.
    pub(super) fn file(&self, number: Version) -> Result<Arc<VersionFile>, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&open.live)
            .chain(&open.building)
            .find(|file| file.number == number)
            .cloned()
            .ok_or_else(|| StoreError::Unavailable(format!("history has no version {}", number.0)))
    }

    /// Of the live version.
    pub(super) fn progress(&self) -> &Progress {
        &self.position.progress
    }

    /// Where moves of a version are told.
    pub(super) fn position(&self) -> Arc<LivePosition> {
        self.position.clone()
    }

    pub(super) fn create(&self) -> Result<Version, StoreError> {
        let mut admin = self.admin();
        self.replace_building(None);
        let number = Version(admin.next);
        admin.next = admin.next.saturating_add(1);
        let file = Arc::new(VersionFile::open(&self.folder, number, self.layout)?);
        self.replace_building(Some(file));
        Ok(number)
    }

    pub(super) fn promote(&self, number: Version) -> Result<(), StoreError> {
        let admin = self.admin();
        let file = self.file(number)?;
        if self.live().number == number {
            return Ok(());
        }
        file.sync()?;
        set_live(&admin.database, number)?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        self.position.switch(&file);
        open.building = None;
        let before = std::mem::replace(&mut open.live, file);
        drop(open);
        before.drop_files();
        Ok(())
    }

    pub(super) fn discard(&self, number: Version) -> Result<(), StoreError> {
        let _admin = self.admin();
        if self.live().number == number {
            return Err(StoreError::Unavailable(format!(
                "version {} of history is live and can't be dropped",
                number.0
            )));
        }
        if self.file(number).is_ok() {
            self.replace_building(None);
        }
        Ok(())
    }

    fn replace_building(&self, file: Option<Arc<VersionFile>>) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut open.building, file);
        // Closing waits for what is queued, so not under the lock.
        drop(open);
        if let Some(before) = before {
            before.drop_files();
        }
    }

    fn admin(&self) -> MutexGuard<'_, Admin> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn live_version(database: &Connection) -> Result<Option<Version>, StoreError> {
    let read = || -> Outcome<Option<u32>> {
        Ok(database.query_row("SELECT version FROM live", [], |row| row.get(0)).optional()?)
    };
    Ok(read()?.map(Version))
}

fn set_live(database: &Connection, version: Version) -> Result<(), StoreError> {
    let write = || -> Outcome<()> {
        database.execute("INSERT OR REPLACE INTO live VALUES (1, ?1)", [version.0])?;
        Ok(())
    };
    Ok(write()?)
}

/// Deletes the files of versions that are not live; returns the highest number found.
fn drop_others(folder: &DataFolder, live: Version) -> u32 {
    let mut highest = live.0;
    let files = std::fs::read_dir(folder.path()).into_iter().flatten().flatten();
    for file in files {
        let name = file.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("history-"))
            .and_then(|rest| rest.split_once(".db"))
            .and_then(|(number, _)| number.parse::<u32>().ok());
        let Some(number) = number else { continue };
        highest = highest.max(number);
        if number != live.0 {
            delete(&folder.path().join(format!("history-{number}.db")));
        }
    }
    highest
}
