//! A simulated disk for SQLite that forgets what was not synced: it stands for the power cut.
//!
//! A killed process loses nothing that it wrote, since the kernel still has it; only a power cut
//! shows whether something was synced before it was acknowledged. [`PowerCutDisk`] is a SQLite VFS
//! over the default one. It remembers, for every file and every name in a folder, the states since
//! the last sync, and on [`PowerCutDisk::power_cut`] leaves one of them on the real disk:
//!
//! - data in sectors of 512 bytes, each on its own (disks reorder, and large writes are torn);
//! - lengths of files, apart from their data;
//! - names: a created or deleted file is durable once SQLite synced its folder.
//!
//! Memory grows with what is written between two syncs. Nothing is ever synced to the real disk:
//! it is not the test's machine that loses power.
//!
//! Deliberately absent: whatever does not go through SQLite (a file removed or replaced with
//! `std::fs` counts as durable at once, a folder as well), sectors torn inside, garbage in
//! sectors that were being written, temporary files (they have no names and nothing of them
//! survives), and memory-mapped reads, which are switched off so that no write escapes.
//!
//! ```no_run
//! # use rusqlite::{Connection, OpenFlags};
//! # use verbatim_adapters::power_cut::{PowerCut, PowerCutDisk};
//! let disk = PowerCutDisk::new();
//! let flags = OpenFlags::default();
//! let connection = Connection::open_with_flags_and_vfs("a.db", flags, disk.name().as_str())?;
//! // ... write, then let the power fail, even with the connection still open and in use:
//! disk.power_cut(PowerCut::Random(7)).expect("the folder is writable");
//! let after = Connection::open_with_flags_and_vfs("a.db", flags, disk.name().as_str())?;
//! # Ok::<(), rusqlite::Error>(())
//! ```

mod dice;
mod disk;
#[expect(unsafe_code, reason = "SQLite calls an open file through C function pointers")]
mod handle;
mod inode;
#[expect(unsafe_code, reason = "SQLite knows a VFS as a C struct")]
mod vfs;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::dice::Dice;
use self::disk::Disk;
use self::vfs::Registration;

/// What a power cut leaves of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerCut {
    /// Nothing: every file and every name is as it was synced last.
    ForgetAll,
    /// Each sector, length and name is as it was synced, or as one of the changes since left it;
    /// the seed decides which, and the same seed over the same writes leaves the same.
    Random(u64),
    /// Everything, as when only the process was killed.
    KeepAll,
}

/// A simulated disk, mounted as a SQLite VFS. Dropping it takes its power away for good: what is
/// then still open fails, and the files stay as they were last written.
pub struct PowerCutDisk {
    mounted: Mutex<Mounted>,
}

struct Mounted {
    disk: Arc<Mutex<Disk>>,
    vfs: Registration,
}

impl PowerCutDisk {
    /// Mounts a disk under a name of its own.
    ///
    /// # Panics
    /// If SQLite has no default VFS or no memory.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a disk is mounted, which is no default value")]
    pub fn new() -> Self {
        Self { mounted: Mutex::new(Mounted::new()) }
    }

    /// The VFS to open databases with. Every power cut changes it, so that nothing from before can
    /// open a database again: ask anew.
    #[must_use]
    pub fn name(&self) -> String {
        lock(&self.mounted).vfs.name().to_owned()
    }

    /// Takes the power away: from now on every call fails with an I/O error and nothing more
    /// reaches the disk, whatever threads still do. [`Self::power_cut`] brings it back.
    pub fn freeze(&self) {
        self.change(|disk| disk.off = true);
    }

    /// As [`Self::freeze`], but once `steps` more writes, truncations, syncs and deletions
    /// succeeded. A loop over `steps` cuts the power inside of every stage of a commit.
    pub fn freeze_after(&self, steps: u64) {
        self.change(|disk| disk.steps_left = Some(steps));
    }

    /// Whether the power is off, so that a loop over [`Self::freeze_after`] knows its end.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        lock(&lock(&self.mounted).disk).off
    }

    /// Fills the disk up, or frees it: while it is full, every write to a database, journal or WAL
    /// fails with `SQLITE_FULL`.
    pub fn full(&self, full: bool) {
        self.change(|disk| disk.writes_left = full.then_some(0));
    }

    /// As [`Self::full`], but once `writes` more writes succeeded. `full(false)` ends it.
    pub fn fail_after(&self, writes: u64) {
        self.change(|disk| disk.writes_left = Some(writes));
    }

    /// While on, every sync fails with `SQLITE_IOERR_FSYNC`, and, as on Linux, no later sync makes
    /// up for it: what it should have written is not durable before it is written again.
    pub fn fail_syncs(&self, fail: bool) {
        self.change(|disk| disk.failing_syncs = fail);
    }

    /// While on, syncs say that they succeeded and make nothing durable: a broken disk, on which a test
    /// that claims to see losses has to see them.
    pub fn lie_about_syncs(&self, lie: bool) {
        self.change(|disk| disk.lying = lie);
    }

    /// Cuts the power and brings it back: leaves on the real disk what `mode` says, without any
    /// WAL-index, and without the faults that were set. Whatever was open is dead from then on: it
    /// fails, and no longer reaches the files, nor their locks. Databases are opened anew with the
    /// new [`Self::name`], or with the default VFS.
    ///
    /// # Errors
    /// If the files can't be written. The power is then off.
    pub fn power_cut(&self, mode: PowerCut) -> io::Result<()> {
        let mut mounted = lock(&self.mounted);
        let before = mounted.disk.clone();
        let mut disk = lock(&before);
        disk.off = true;
        disk.settle(&mut Dice::new(mode))?;
        *disk = Disk::without_power();
        *mounted = Mounted::new();
        Ok(())
    }

    /// Writes to the folder `to` what a power cut at this moment would leave of the files below the
    /// folder `from`, and goes on as if nothing had happened. So one run tries many power cuts.
    /// Only files that were opened through this disk are copied; their folders must exist in `to`.
    ///
    /// # Errors
    /// If a file can't be read or written.
    pub fn rehearse(&self, mode: PowerCut, from: &Path, to: &Path) -> io::Result<()> {
        let from = from.canonicalize()?;
        let mounted = lock(&self.mounted);
        let disk = lock(&mounted.disk);
        disk.rehearse(&mut Dice::new(mode), &from, to)
    }

    fn change(&self, change: impl FnOnce(&mut Disk)) {
        change(&mut lock(&lock(&self.mounted).disk));
    }
}

impl Drop for PowerCutDisk {
    fn drop(&mut self) {
        self.change(|disk| *disk = Disk::without_power());
    }
}

impl Mounted {
    fn new() -> Self {
        let disk = Arc::new(Mutex::new(Disk::default()));
        Self { vfs: Registration::new(disk.clone()), disk }
    }
}

/// A panic elsewhere leaves no half-made state behind that a test could not live with.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
