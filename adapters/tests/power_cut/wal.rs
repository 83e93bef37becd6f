//! Write-ahead logging: only `synchronous=FULL` keeps what it acknowledged.

use tempfile::TempDir;
use verbatim_adapters::power_cut::{PowerCut, PowerCutDisk};

use crate::ledger::{
    Setting, append, connect, head, head_after, numbers, open, survives_a_cut_at_every_step,
    worst_loss,
};

const FULL: Setting = Setting { journal: "wal", synchronous: "full" };
const NORMAL: Setting = Setting { journal: "wal", synchronous: "normal" };
const OFF: Setting = Setting { journal: "wal", synchronous: "off" };

#[test]
fn full_loses_nothing() {
    assert_eq!(worst_loss(FULL), 0);
}

#[test]
fn full_loses_nothing_at_any_step() {
    survives_a_cut_at_every_step(FULL);
}

#[test]
fn an_open_transaction_is_forgotten_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let disk = PowerCutDisk::new();
    let mut connection = open(&disk, &path, FULL).unwrap();
    append(&mut connection, 1).unwrap();
    let transaction = connection.transaction().unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
                INSERT INTO entry SELECT 2, i, zeroblob(1000) FROM n";
    transaction.execute(fill, []).unwrap();
    for seed in 0..20 {
        assert_eq!(head_after(&disk, PowerCut::Random(seed), &path), 1);
    }
    assert_eq!(head_after(&disk, PowerCut::KeepAll, &path), 1);
}

#[test]
fn normal_loses_acknowledged_commits_but_no_integrity() {
    assert!(worst_loss(NORMAL) > 0);
}

#[test]
fn off_loses_everything() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let disk = PowerCutDisk::new();
    let mut connection = open(&disk, &path, FULL).unwrap();
    append(&mut connection, 1).unwrap();
    connection.pragma_update(None, "synchronous", "off").unwrap();
    for number in 2..=40 {
        append(&mut connection, number).unwrap();
    }
    assert_eq!(head_after(&disk, PowerCut::ForgetAll, &path), 1);
    assert_eq!(head_after(&disk, PowerCut::KeepAll, &path), 40);
}

#[test]
fn off_is_corrupted_by_chance() {
    let corrupt = (0..40).filter(|&seed| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        let disk = PowerCutDisk::new();
        let mut connection = open(&disk, &path, OFF).unwrap();
        for number in 1..=20 {
            append(&mut connection, number).unwrap();
        }
        disk.power_cut(PowerCut::Random(seed)).unwrap();
        !is_sound(&path)
    });
    assert!(corrupt.count() > 10);
}

#[test]
fn what_was_open_is_dead_and_harms_nobody() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let disk = PowerCutDisk::new();
    let mut dead = open(&disk, &path, FULL).unwrap();
    append(&mut dead, 1).unwrap();
    // The dead connection holds the write lock for ever.
    dead.execute_batch("BEGIN IMMEDIATE; INSERT INTO entry VALUES (9, 9, zeroblob(9));").unwrap();
    let old_name = disk.name();
    disk.power_cut(PowerCut::ForgetAll).unwrap();

    let mut alive = open(&disk, &path, FULL).unwrap();
    append(&mut alive, 2).unwrap();
    assert!(dead.execute_batch("COMMIT").is_err());
    assert!(dead.query_row("SELECT count(*) FROM entry", [], |_| Ok(())).is_err());
    drop(dead);
    append(&mut alive, 3).unwrap();
    assert_eq!(numbers(&alive), [1, 2, 3]);
    assert_eq!(head_after(&disk, PowerCut::ForgetAll, &path), 3);

    let default = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(numbers(&default), [1, 2, 3]);
    let flags = rusqlite::OpenFlags::default();
    assert!(
        rusqlite::Connection::open_with_flags_and_vfs(&path, flags, old_name.as_str()).is_err()
    );
}

#[test]
fn no_write_escapes_through_a_memory_map() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let disk = PowerCutDisk::new();
    let connection = connect(&disk, &path).unwrap();
    connection.pragma_update(None, "mmap_size", 1 << 20).unwrap();
    let size = connection.pragma_query_value(None, "mmap_size", |row| row.get::<_, i64>(0));
    assert_eq!(size, Ok(0));
}

#[test]
fn the_same_seed_leaves_the_same() {
    let image = |seed| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        let disk = PowerCutDisk::new();
        let mut connection = open(&disk, &path, Setting { journal: "delete", ..OFF }).unwrap();
        for number in 1..=5 {
            append(&mut connection, number).unwrap();
        }
        disk.power_cut(PowerCut::Random(seed)).unwrap();
        std::fs::read(&path).ok()
    };
    for seed in 0..8 {
        assert!(image(seed) == image(seed), "seed {seed}");
    }
}

fn is_sound(path: &std::path::Path) -> bool {
    std::panic::catch_unwind(|| head(path)).is_ok()
}
