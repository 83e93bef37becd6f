//! One file's data: what was synced, and every state that its sectors and its length had since.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::dice::Dice;

/// The unit in which a disk writes: a sector is old or new, but a larger write can be torn.
type Sector = [u8; 512];
const SECTOR: u64 = size_of::<Sector>() as u64;

/// What a sector held after a write.
#[derive(Clone)]
struct State {
    data: Sector,
    /// The length (its index in `lengths`) whose truncation emptied the sector before; 0 without.
    /// A sector is not emptied while the file keeps its old length, so the two go together.
    since: usize,
}

/// The states of one sector that was written since the last sync, the synced one first.
struct SectorLog {
    states: Vec<State>,
    /// A sync of this sector failed: the kernel took it for clean, and no later sync writes it.
    stuck: bool,
}

/// A file of the simulated disk. Its descriptor keeps the data readable after the name is gone.
pub(super) struct Inode {
    file: File,
    /// Open handles of SQLite.
    pub(super) handles: usize,
    /// The lengths since the last sync, the synced one first, the present one last.
    lengths: Vec<u64>,
    sectors: BTreeMap<u64, SectorLog>,
}

impl Inode {
    /// Starts to watch the file at `path`; its present content counts as synced.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let lengths = vec![file.metadata()?.len()];
        Ok(Self { file, handles: 0, lengths, sectors: BTreeMap::new() })
    }

    /// Whether `path` still leads to this file.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let (Ok(there), Ok(here)) = (path.symlink_metadata(), self.file.metadata()) else {
            return false;
        };
        there.ino() == here.ino() && there.dev() == here.dev()
    }

    /// Whether all of it was synced.
    pub(super) fn is_clean(&self) -> bool {
        self.lengths.len() == 1 && self.sectors.is_empty()
    }

    pub(super) fn permissions(&self) -> io::Result<Permissions> {
        Ok(self.file.metadata()?.permissions())
    }

    /// Records a write that is about to happen.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = offset + data.len() as u64;
        for number in offset / SECTOR..end.div_ceil(SECTOR) {
            let start = number * SECTOR;
            let from = to_usize(start.saturating_sub(offset))?;
            let at = to_usize(offset.saturating_sub(start))?;
            self.change(number, |state| {
                let count = (state.data.len() - at).min(data.len() - from);
                state.data[at..at + count].copy_from_slice(&data[from..from + count]);
            })?;
        }
        self.set_length(self.length().max(end));
        Ok(())
    }

    /// Records that the file is about to be cut, or extended with zeros, to `length` bytes.
    pub(super) fn truncate(&mut self, length: u64) -> io::Result<()> {
        let since = self.lengths.len();
        for number in length / SECTOR..self.length().div_ceil(SECTOR) {
            let at = to_usize(length.saturating_sub(number * SECTOR))?;
            self.change(number, |state| {
                state.data[at..].fill(0);
                state.since = since;
            })?;
        }
        self.set_length(length);
        Ok(())
    }

    /// Records a sync: the present state becomes the one that survives.
    pub(super) fn sync(&mut self) {
        self.sectors.retain(|_, log| log.stuck);
        for state in self.sectors.values_mut().flat_map(|log| &mut log.states) {
            state.since = 0;
        }
        self.lengths = vec![self.length()];
    }

    /// Records a failed sync, after which the kernel forgets that there was something to write.
    pub(super) fn fail_sync(&mut self) {
        self.sectors.values_mut().for_each(|log| log.stuck = true);
    }

    /// The content that `dice` leave of the file.
    pub(super) fn image(&self, dice: &mut Dice) -> io::Result<Vec<u8>> {
        let length = dice.pick(self.lengths.len());
        let mut image = vec![0; to_usize(self.lengths[length])?];
        read_up_to(&self.file, &mut image, 0)?;
        for (number, log) in &self.sectors {
            let data = log.survivor(length, dice);
            let start = to_usize(number * SECTOR)?.min(image.len());
            let end = (start + data.len()).min(image.len());
            image[start..end].copy_from_slice(&data[..end - start]);
        }
        Ok(image)
    }

    fn length(&self) -> u64 {
        self.lengths.last().copied().unwrap_or(0)
    }

    fn set_length(&mut self, length: u64) {
        if length != self.length() {
            self.lengths.push(length);
        }
    }

    /// Adds a state to a sector.
    fn change(&mut self, number: u64, edit: impl FnOnce(&mut State)) -> io::Result<()> {
        let log = match self.sectors.entry(number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let data = read_sector(&self.file, number * SECTOR)?;
                entry.insert(SectorLog { states: vec![State { data, since: 0 }], stuck: false })
            }
        };
        let mut newest = log.states[log.states.len() - 1].clone();
        edit(&mut newest);
        log.states.push(newest);
        log.stuck = false;
        Ok(())
    }
}

impl SectorLog {
    /// The data that `dice` leave, given the index of the length that they left.
    fn survivor(&self, length: usize, dice: &mut Dice) -> &Sector {
        let possible = |state: &&State| state.since <= length;
        let since = self.states.iter().filter(possible).map(|state| state.since).max().unwrap_or(0);
        let first = self.states.partition_point(|state| state.since < since);
        let end = self.states.partition_point(|state| state.since <= since);
        &self.states[first + dice.pick(end - first)].data
    }
}

fn read_sector(file: &File, offset: u64) -> io::Result<Sector> {
    let mut sector = [0; size_of::<Sector>()];
    read_up_to(file, &mut sector, offset)?;
    Ok(sector)
}

/// Reads what there is; the rest of `buffer` stays as it was.
fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn to_usize(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}
