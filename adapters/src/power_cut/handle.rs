//! An open file as SQLite sees it: the default VFS's own file behind one that watches it.

use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};
use std::{ptr, slice};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods};

use super::disk::{InodeId, Outcome};
use super::vfs::Mount;

/// What SQLite has as its file. The memory behind it holds the default VFS's own file.
#[repr(C)]
pub(super) struct Handle {
    base: sqlite3_file,
    mount: *const Mount,
    /// Null for a temporary file.
    watched: *mut Watched,
}

/// A file with a name.
pub(super) struct Watched {
    id: InodeId,
    path: PathBuf,
    /// The next sync also syncs the folder, as the unix VFS does for journals and WALs.
    sync_folder: bool,
}

impl Watched {
    /// A file that was opened with `flags`.
    pub(super) fn new(id: InodeId, path: &Path, flags: c_int) -> Self {
        let journal =
            ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
        let sync_folder = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & journal != 0;
        Self { id, path: path.to_owned(), sync_folder }
    }
}

impl Handle {
    /// Lets SQLite use the file, whose real part is open.
    pub(super) fn start(&mut self, mount: &Mount, watched: Option<Watched>) {
        self.mount = mount;
        self.watched = watched.map_or(ptr::null_mut(), |watched| Box::into_raw(Box::new(watched)));
        self.base.pMethods = &raw const METHODS;
    }
}

/// Makes a file that SQLite will not try to close.
///
/// # Safety
/// `file` must point to memory for a [`Handle`] that nothing else uses.
pub(super) unsafe fn prepare<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    let empty = Handle {
        base: sqlite3_file { pMethods: ptr::null() },
        mount: ptr::null(),
        watched: ptr::null_mut(),
    };
    let handle = file.cast::<Handle>();
    // SAFETY: the caller's promise.
    unsafe {
        handle.write(empty);
        real(file).write(sqlite3_file { pMethods: ptr::null() });
        &mut *handle
    }
}

/// The default VFS's own file.
pub(super) fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    file.cast::<Handle>().wrapping_add(1).cast()
}

/// Calls a method of the default VFS's own file, or answers `$missing` where it has none.
macro_rules! forward {
    ($file:expr, $method:ident($($argument:expr),*), $missing:expr) => {{
        let real = real($file);
        // SAFETY: SQLite passes a file that `open` prepared; its real part has null or the default
        // VFS's methods, and the arguments are SQLite's own.
        unsafe {
            let methods = (*real).pMethods;
            match if methods.is_null() { None } else { (*methods).$method } {
                Some(method) => method(real $(, $argument)*),
                None => $missing,
            }
        }
    }};
}

/// Defines methods that only need to reach the real file.
macro_rules! forwarders {
    ($($name:ident, $method:ident($($argument:ident: $kind:ty),*) -> $answer:ty, $missing:expr;)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $kind)*) -> $answer {
            forward!(file, $method($($argument),*), $missing)
        }
    )*};
}

forwarders! {
    file_size, xFileSize(size: *mut sqlite3_int64) -> c_int, ffi::SQLITE_IOERR;
    lock, xLock(level: c_int) -> c_int, ffi::SQLITE_IOERR;
    unlock, xUnlock(level: c_int) -> c_int, ffi::SQLITE_IOERR;
    check_reserved_lock, xCheckReservedLock(held: *mut c_int) -> c_int, ffi::SQLITE_IOERR;
    sector_size, xSectorSize() -> c_int, 0;
    device_characteristics, xDeviceCharacteristics() -> c_int, 0;
    shm_lock, xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int, ffi::SQLITE_IOERR;
    shm_barrier, xShmBarrier() -> (), ();
}

/// Version 2 has no memory-mapped reads.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Closes the real file, if it is open.
pub(super) fn close_real(file: *mut sqlite3_file) -> c_int {
    forward!(file, xClose(), ffi::SQLITE_OK)
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite passes a file that `open` started, and closes it once.
    let (mount, watched) = unsafe { parts(file) };
    let mut disk = mount.disk();
    if !watched.is_null() {
        // SAFETY: `start` made it from a box, and nobody uses it after this.
        disk.closed(unsafe { Box::from_raw(watched) }.id);
    }
    close_real(file)
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite passes a file that `open` started.
    let (mount, _) = unsafe { parts(file) };
    if let Err(code) = mount.disk().check_power(ffi::SQLITE_IOERR_READ) {
        return code;
    }
    forward!(file, xRead(buffer, amount, offset), ffi::SQLITE_IOERR_READ)
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite passes a file that `open` started and `amount` readable bytes.
    let (mount, watched, data) = unsafe {
        let (mount, watched) = parts(file);
        (mount, watched.as_ref(), slice::from_raw_parts(buffer.cast::<u8>(), size(amount)))
    };
    let mut disk = mount.disk();
    let recorded = match watched {
        Some(watched) => disk.write(watched.id, position(offset), data),
        None => disk.check_power(ffi::SQLITE_IOERR_WRITE),
    };
    // The lock is held until the data is written, so that after a freeze nothing is under way.
    answer(recorded, || forward!(file, xWrite(buffer, amount, offset), ffi::SQLITE_IOERR_WRITE))
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: sqlite3_int64) -> c_int {
    // SAFETY: SQLite passes a file that `open` started.
    let (mount, watched) = unsafe {
        let (mount, watched) = parts(file);
        (mount, watched.as_ref())
    };
    let mut disk = mount.disk();
    let recorded = match watched {
        Some(watched) => disk.truncate(watched.id, position(length)),
        None => disk.check_power(ffi::SQLITE_IOERR_TRUNCATE),
    };
    answer(recorded, || forward!(file, xTruncate(length), ffi::SQLITE_IOERR_TRUNCATE))
}

/// Makes the file durable on the simulated disk; the real one is not asked.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite passes a file that `open` started and uses it in one thread at a time.
    let (mount, watched) = unsafe {
        let (mount, watched) = parts(file);
        (mount, watched.as_mut())
    };
    let mut disk = mount.disk();
    let Some(watched) = watched else {
        return answer(disk.check_power(ffi::SQLITE_IOERR_FSYNC), || ffi::SQLITE_OK);
    };
    let synced = disk.sync(watched.id);
    if synced.is_ok() && std::mem::take(&mut watched.sync_folder) {
        disk.sync_folder(&watched.path);
    }
    answer(synced, || ffi::SQLITE_OK)
}

unsafe extern "C" fn file_control(
    file: *mut sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    match operation {
        ffi::SQLITE_FCNTL_MMAP_SIZE => {
            // SAFETY: for this operation the argument points to the size asked for and granted.
            unsafe { *argument.cast::<sqlite3_int64>() = 0 };
            ffi::SQLITE_OK
        }
        // These change lengths of files without our knowing.
        ffi::SQLITE_FCNTL_CHUNK_SIZE | ffi::SQLITE_FCNTL_SIZE_HINT => ffi::SQLITE_NOTFOUND,
        _ => forward!(file, xFileControl(operation, argument), ffi::SQLITE_NOTFOUND),
    }
}

/// Maps the WAL-index, unless the file is dead: it would find that of its successor by name.
unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite passes a file that `open` started.
    let (mount, _) = unsafe { parts(file) };
    let disk = mount.disk();
    if disk.off {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    forward!(file, xShmMap(region, size, extend, out), ffi::SQLITE_IOERR_SHMMAP)
}

/// Unmaps the WAL-index; a dead file must not delete that of its successor.
unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: SQLite passes a file that `open` started.
    let (mount, _) = unsafe { parts(file) };
    let disk = mount.disk();
    let delete = if disk.off { 0 } else { delete };
    forward!(file, xShmUnmap(delete), ffi::SQLITE_OK)
}

fn answer(recorded: Outcome, then: impl FnOnce() -> c_int) -> c_int {
    match recorded {
        Ok(()) => then(),
        Err(code) => code,
    }
}

/// # Safety
/// `file` must be one that [`Handle::start`] started and that is not closed.
unsafe fn parts<'a>(file: *mut sqlite3_file) -> (&'a Mount, *mut Watched) {
    let handle = file.cast::<Handle>();
    // SAFETY: the caller's promise; the mount was leaked, so it lives for ever.
    unsafe { (&*(*handle).mount, (*handle).watched) }
}

fn size(amount: c_int) -> usize {
    usize::try_from(amount).unwrap_or(0)
}

fn position(offset: sqlite3_int64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}
