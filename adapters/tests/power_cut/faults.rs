//! Full disks and failing syncs.

use rusqlite::ErrorCode;
use tempfile::TempDir;
use verbatim_adapters::power_cut::{PowerCut, PowerCutDisk};

use crate::ledger::{Setting, append, head, head_after, numbers, open};

const WAL: Setting = Setting { journal: "wal", synchronous: "full" };
const TRUNCATE: Setting = Setting { journal: "truncate", synchronous: "full" };

#[test]
fn a_full_disk_says_so_and_is_usable_once_freed() {
    for setting in [WAL, TRUNCATE] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        let disk = PowerCutDisk::new();
        let mut connection = open(&disk, &path, setting).unwrap();
        append(&mut connection, 1).unwrap();

        disk.full(true);
        let error = append(&mut connection, 2).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DiskFull), "{setting:?}");
        assert_eq!(numbers(&connection), [1]);

        disk.full(false);
        append(&mut connection, 2).unwrap();
        assert_eq!(head_after(&disk, PowerCut::ForgetAll, &path), 2);
    }
}

#[test]
fn a_disk_can_get_full_at_any_write() {
    for setting in [WAL, TRUNCATE] {
        for writes in 0..60 {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("ledger.db");
            let disk = PowerCutDisk::new();
            let mut connection = open(&disk, &path, setting).unwrap();
            disk.fail_after(writes);
            let failed = (1..).find(|&number| append(&mut connection, number).is_err()).unwrap();
            disk.full(false);
            append(&mut connection, failed).unwrap();
            disk.power_cut(PowerCut::Random(writes)).unwrap();
            assert_eq!(head(&path), failed, "{setting:?} after {writes} writes");
        }
    }
}

#[test]
fn a_failed_sync_is_no_commit_and_a_later_one_does_not_make_up_for_it() {
    for setting in [WAL, TRUNCATE] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        let disk = PowerCutDisk::new();
        let mut connection = open(&disk, &path, setting).unwrap();
        append(&mut connection, 1).unwrap();

        disk.fail_syncs(true);
        append(&mut connection, 2).unwrap_err();
        disk.fail_syncs(false);
        assert_eq!(head_after(&disk, PowerCut::ForgetAll, &path), 1, "{setting:?}");

        append(&mut connection, 2).unwrap();
        assert_eq!(head_after(&disk, PowerCut::ForgetAll, &path), 2, "{setting:?}");
    }
}
