//! Created and deleted files, and files that SQLite does not know of.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use verbatim_adapters::power_cut::{PowerCut, PowerCutDisk};

use crate::ledger::{Setting, append, connect, head, numbers, open};

const OFF: Setting = Setting { journal: "memory", synchronous: "off" };
const FULL: Setting = Setting { journal: "wal", synchronous: "full" };

#[test]
fn a_database_that_was_never_synced_is_not_there() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let disk = PowerCutDisk::new();
    let mut connection = open(&disk, &path, OFF).unwrap();
    append(&mut connection, 1).unwrap();
    disk.power_cut(PowerCut::ForgetAll).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_killed_process_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let disk = PowerCutDisk::new();
    let mut connection = open(&disk, &path, OFF).unwrap();
    append(&mut connection, 1).unwrap();
    disk.power_cut(PowerCut::KeepAll).unwrap();
    assert_eq!(head(&path), 1);
}

#[test]
fn the_index_of_the_wal_is_gone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let index = folder.path().join("ledger.db-shm");
    let disk = PowerCutDisk::new();
    let mut connection = open(&disk, &path, FULL).unwrap();
    append(&mut connection, 1).unwrap();
    assert!(index.exists());
    disk.power_cut(PowerCut::KeepAll).unwrap();
    assert!(!index.exists());
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 2, "the database and its WAL");
}

#[test]
fn power_can_be_cut_again_and_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let disk = PowerCutDisk::new();
    for number in 1..=200 {
        let mut connection = open(&disk, &path, FULL).unwrap();
        append(&mut connection, number).unwrap();
        let seed = u64::try_from(number).unwrap();
        disk.power_cut(PowerCut::Random(seed)).unwrap();
    }
    assert_eq!(head(&path), 200);
}

#[test]
fn permissions_and_what_others_did_stay() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    fs::write(folder.path().join("note"), "not of SQLite").unwrap();
    let disk = PowerCutDisk::new();
    let connection = open(&disk, &path, FULL).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let removed = connect(&disk, &folder.path().join("removed.db")).unwrap();
    removed.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE a (b)").unwrap();
    fs::remove_file(folder.path().join("removed.db")).unwrap();

    disk.power_cut(PowerCut::ForgetAll).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!folder.path().join("removed.db").exists());
    assert_eq!(fs::read_to_string(folder.path().join("note")).unwrap(), "not of SQLite");
    drop(connection);
}

#[test]
fn what_was_there_before_counts_as_synced() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut before = open(&PowerCutDisk::new(), &path, FULL);
    assert!(append(before.as_mut().unwrap(), 1).is_err(), "a dropped disk has no power");
    drop(before);
    let disk = PowerCutDisk::new();
    append(&mut open(&disk, &path, FULL).unwrap(), 1).unwrap();
    drop(disk);

    let disk = PowerCutDisk::new();
    let connection = open(&disk, &path, FULL).unwrap();
    disk.power_cut(PowerCut::ForgetAll).unwrap();
    drop(connection);
    assert_eq!(numbers(&connect(&disk, &path).unwrap()), [1]);
}
