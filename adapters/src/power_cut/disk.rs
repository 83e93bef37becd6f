//! The state of a simulated disk: files, names, what was synced of both, and the faults to come.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ffi;

use super::dice::Dice;
use super::inode::Inode;

pub(super) type InodeId = u64;

/// A result whose error is a SQLite result code.
pub(super) type Outcome<T = ()> = Result<T, c_int>;

/// See [`super::PowerCutDisk`]. Every call happens under the disk's lock.
#[derive(Default)]
pub(super) struct Disk {
    /// Without power every call fails and nothing changes any more.
    pub(super) off: bool,
    /// Steps (writes, truncations, syncs, deletions) until the power fails.
    pub(super) steps_left: Option<u64>,
    /// Writes until the disk is full.
    pub(super) writes_left: Option<u64>,
    /// Syncs fail, and what they should have written is lost.
    pub(super) failing_syncs: bool,
    /// Syncs succeed and make nothing durable.
    pub(super) lying: bool,
    inodes: BTreeMap<InodeId, Inode>,
    /// What each name led to since its folder was synced: that state first, the present one last.
    names: BTreeMap<PathBuf, Vec<Option<InodeId>>>,
    last_id: InodeId,
}

impl Disk {
    /// A disk that nothing reaches any more.
    pub(super) fn without_power() -> Self {
        Self { off: true, ..Self::default() }
    }

    /// Fails once the power is off.
    pub(super) fn check_power(&self, code: c_int) -> Outcome {
        if self.off { Err(code) } else { Ok(()) }
    }

    /// Records that SQLite has opened `path`, which `existed` before or was just created.
    pub(super) fn opened(&mut self, path: &Path, existed: bool) -> Outcome<InodeId> {
        let id = match self.current(path) {
            Some(id) => id,
            None => self.watch(path, existed).map_err(|_| ffi::SQLITE_CANTOPEN)?,
        };
        if let Some(inode) = self.inodes.get_mut(&id) {
            inode.handles += 1;
        }
        Ok(id)
    }

    /// Records that a handle was closed.
    pub(super) fn closed(&mut self, id: InodeId) {
        if let Some(inode) = self.inodes.get_mut(&id) {
            inode.handles = inode.handles.saturating_sub(1);
        }
        self.forget_unreachable();
    }

    /// Records a write that is about to happen, or refuses it.
    pub(super) fn write(&mut self, id: InodeId, offset: u64, data: &[u8]) -> Outcome {
        self.step(ffi::SQLITE_IOERR_WRITE)?;
        match &mut self.writes_left {
            Some(0) => return Err(ffi::SQLITE_FULL),
            Some(left) => *left -= 1,
            None => {}
        }
        self.inode(id, ffi::SQLITE_IOERR_WRITE)?
            .write(offset, data)
            .map_err(|_| ffi::SQLITE_IOERR_WRITE)
    }

    /// Records a truncation that is about to happen, or refuses it.
    pub(super) fn truncate(&mut self, id: InodeId, length: u64) -> Outcome {
        self.step(ffi::SQLITE_IOERR_TRUNCATE)?;
        self.inode(id, ffi::SQLITE_IOERR_TRUNCATE)?
            .truncate(length)
            .map_err(|_| ffi::SQLITE_IOERR_TRUNCATE)
    }

    /// Makes a file's data durable.
    pub(super) fn sync(&mut self, id: InodeId) -> Outcome {
        self.step(ffi::SQLITE_IOERR_FSYNC)?;
        if self.lying {
            return Ok(());
        }
        let failing = self.failing_syncs;
        let inode = self.inode(id, ffi::SQLITE_IOERR_FSYNC)?;
        if failing {
            inode.fail_sync();
            return Err(ffi::SQLITE_IOERR_FSYNC);
        }
        inode.sync();
        Ok(())
    }

    /// Makes the names in the folder of `path` durable.
    pub(super) fn sync_folder(&mut self, path: &Path) {
        let folder = path.parent();
        for (_, states) in self.names.iter_mut().filter(|(name, _)| name.parent() == folder) {
            states.drain(..states.len() - 1);
        }
        self.names.retain(|_, states| *states != [None]);
        self.forget_unreachable();
    }

    /// Records that the name `path` is about to go; its file must stay readable until then.
    pub(super) fn delete(&mut self, path: &Path) -> Outcome {
        self.step(ffi::SQLITE_IOERR_DELETE)?;
        if self.current(path).is_none() && path.exists() {
            self.watch(path, true).map_err(|_| ffi::SQLITE_IOERR_DELETE)?;
        }
        if let Some(states) = self.names.get_mut(path) {
            states.push(None);
        }
        Ok(())
    }

    /// Puts in place of every file what `dice` leave of it. Files that somebody replaced or removed
    /// behind SQLite's back stay as they are.
    pub(super) fn settle(&self, dice: &mut Dice) -> io::Result<()> {
        for (path, states) in &self.names {
            let left = self.choose(states, dice);
            let present = states.last().copied().flatten().and_then(|id| self.inodes.get(&id));
            match present {
                Some(inode) if !inode.is_at(path) => continue,
                None if path.exists() => continue,
                Some(_) | None => {}
            }
            let untouched = states.len() == 1 && left.is_some_and(|inode| inode.is_clean());
            if !untouched || left.is_some_and(|inode| inode.handles > 0) {
                lay_down(left, path, dice)?;
            }
            remove_if_there(&with_suffix(path, "-shm"))?;
        }
        Ok(())
    }

    /// Writes to below `to` what `dice` leave of every file below `from`.
    pub(super) fn rehearse(&self, dice: &mut Dice, from: &Path, to: &Path) -> io::Result<()> {
        for (path, states) in &self.names {
            if let Ok(below) = path.strip_prefix(from) {
                let copy = to.join(below);
                lay_down(self.choose(states, dice), &copy, dice)?;
                remove_if_there(&with_suffix(&copy, "-shm"))?;
            }
        }
        Ok(())
    }

    fn choose(&self, states: &[Option<InodeId>], dice: &mut Dice) -> Option<&Inode> {
        dice.next_file();
        states[dice.pick(states.len())].and_then(|id| self.inodes.get(&id))
    }

    /// The watched file that `path` leads to now, unless somebody replaced it.
    fn current(&self, path: &Path) -> Option<InodeId> {
        let id = self.names.get(path)?.last().copied().flatten()?;
        self.inodes.get(&id)?.is_at(path).then_some(id)
    }

    fn watch(&mut self, path: &Path, existed: bool) -> io::Result<InodeId> {
        let inode = Inode::open(path)?;
        self.last_id += 1;
        let id = self.last_id;
        self.inodes.insert(id, inode);
        let states = self.names.entry(path.to_owned()).or_default();
        // Unless SQLite itself removed the name, what happened to it behind its back is durable.
        if states.last() != Some(&None) {
            *states = if existed { vec![] } else { vec![None] };
        }
        states.push(Some(id));
        Ok(id)
    }

    fn inode(&mut self, id: InodeId, code: c_int) -> Outcome<&mut Inode> {
        self.inodes.get_mut(&id).ok_or(code)
    }

    fn step(&mut self, code: c_int) -> Outcome {
        match &mut self.steps_left {
            Some(0) => self.off = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.check_power(code)
    }

    fn forget_unreachable(&mut self) {
        let names = &self.names;
        self.inodes.retain(|id, inode| {
            inode.handles > 0 || names.values().any(|states| states.contains(&Some(*id)))
        });
    }
}

/// Puts a new file at `path`, so that whoever has the old one open no longer reaches the name.
fn lay_down(left: Option<&Inode>, path: &Path, dice: &mut Dice) -> io::Result<()> {
    let Some(inode) = left else { return remove_if_there(path) };
    let fresh = with_suffix(path, "-after-power-cut");
    fs::write(&fresh, inode.image(dice)?)?;
    fs::set_permissions(&fresh, inode.permissions()?)?;
    fs::rename(&fresh, path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
