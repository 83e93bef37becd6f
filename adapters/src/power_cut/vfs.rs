//! The VFS as SQLite sees it: opening, deleting and looking for files.

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_vfs};

use super::disk::Disk;
use super::handle::{self, Handle, Watched};
use super::lock;

/// A registered VFS. Dropped, its name is free, but what is open goes on to use it.
pub(super) struct Registration {
    name: CString,
}

/// What the VFS carries along; never freed, since dead connections may still reach it.
pub(super) struct Mount {
    /// The default VFS, which does the work.
    real: *mut sqlite3_vfs,
    disk: Arc<Mutex<Disk>>,
}

impl Mount {
    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }
}

impl Registration {
    pub(super) fn new(disk: Arc<Mutex<Disk>>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = CString::new(format!("power-cut-{count}")).unwrap_or_default();
        // SAFETY: a null name asks for the default VFS, and the call initializes SQLite.
        let real = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        assert!(!real.is_null(), "SQLite has no default VFS");
        // SAFETY: `real` is registered, so it points to a valid VFS, whose fields may be copied.
        let mut vfs = unsafe { ptr::read(real) };
        vfs.iVersion = vfs.iVersion.min(2);
        vfs.szOsFile += c_int::try_from(size_of::<Handle>()).unwrap_or(c_int::MAX);
        vfs.pNext = ptr::null_mut();
        vfs.zName = Box::leak(Box::new(name.clone())).as_ptr();
        vfs.pAppData = ptr::from_mut(Box::leak(Box::new(Mount { real, disk }))).cast();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        vfs.xAccess = Some(access);
        vfs.xFullPathname = Some(full_pathname);
        // The rest (random bytes, sleep, time, libraries) knows no files, and the default VFS
        // does not look at its first argument there.
        //
        // SAFETY: the VFS, its name and its data are leaked, so they live as long as SQLite.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite took no VFS");
        Self { name }
    }

    pub(super) fn name(&self) -> &str {
        self.name.to_str().unwrap_or_default()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the name is a C string; a VFS that is not found is a null pointer, which the
        // second call takes as nothing to do. The VFS stays in memory for those who still use it.
        unsafe { ffi::sqlite3_vfs_unregister(ffi::sqlite3_vfs_find(self.name.as_ptr())) };
    }
}

/// Opens a file in the default VFS, behind a [`Handle`] that watches it.
unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes the VFS that it found under our name, `szOsFile` bytes for the file,
    // which hold a `Handle` and the default VFS's own file, and a name that is null or a C string.
    let (mount, handle, name_there) = unsafe { (mount(vfs), handle::prepare(file), path(name)) };
    let mut disk = mount.disk();
    if let Err(code) = disk.check_power(ffi::SQLITE_CANTOPEN) {
        return code;
    }
    let existed = name_there.is_some_and(Path::exists);
    let real = handle::real(file);
    // SAFETY: `real` is the default VFS and may open a file in the memory that it asked for.
    let code = unsafe {
        match (*mount.real).xOpen {
            Some(open) => open(mount.real, name, real, flags, out_flags),
            None => ffi::SQLITE_CANTOPEN,
        }
    };
    if code != ffi::SQLITE_OK {
        handle::close_real(file);
        return code;
    }
    let temporary = flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
    let watched = match name_there.filter(|_| !temporary) {
        None => None,
        Some(path) => match disk.opened(path, existed) {
            Ok(id) => Some(Watched::new(id, path, flags)),
            Err(code) => {
                handle::close_real(file);
                return code;
            }
        },
    };
    handle.start(mount, watched);
    ffi::SQLITE_OK
}

/// Deletes a file; its folder is synced only on the simulated disk.
unsafe extern "C" fn delete(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: SQLite passes the VFS that it found under our name and a C string.
    let (mount, path) = unsafe { (mount(vfs), path(name)) };
    let Some(path) = path else { return ffi::SQLITE_IOERR_DELETE };
    let mut disk = mount.disk();
    if let Err(code) = disk.delete(path) {
        return code;
    }
    // SAFETY: `real` is the default VFS, and the name is SQLite's own.
    let code = unsafe {
        match (*mount.real).xDelete {
            Some(delete) => delete(mount.real, name, 0),
            None => ffi::SQLITE_IOERR_DELETE,
        }
    };
    if code == ffi::SQLITE_OK && sync_folder != 0 {
        disk.sync_folder(path);
    }
    code
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    found: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes the VFS that it found under our name.
    let mount = unsafe { mount(vfs) };
    if let Err(code) = mount.disk().check_power(ffi::SQLITE_IOERR_ACCESS) {
        return code;
    }
    // SAFETY: `real` is the default VFS, and the other arguments are SQLite's own.
    unsafe {
        match (*mount.real).xAccess {
            Some(access) => access(mount.real, name, flags, found),
            None => ffi::SQLITE_IOERR_ACCESS,
        }
    }
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes the VFS that it found under our name; `real` is the default VFS, and
    // the other arguments are SQLite's own.
    unsafe {
        let real = mount(vfs).real;
        match (*real).xFullPathname {
            Some(full_pathname) => full_pathname(real, name, length, out),
            None => ffi::SQLITE_CANTOPEN,
        }
    }
}

/// # Safety
/// `vfs` must be one that [`Registration::new`] made.
unsafe fn mount<'a>(vfs: *mut sqlite3_vfs) -> &'a Mount {
    // SAFETY: the caller's promise; the mount was leaked, so it lives for ever.
    unsafe { &*(*vfs).pAppData.cast() }
}

/// # Safety
/// `name` must be null or a C string that outlives the path.
unsafe fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}
