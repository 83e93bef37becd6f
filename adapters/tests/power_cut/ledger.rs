//! A database in which a lost, partial or invented transaction shows.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Result, params};
use tempfile::TempDir;
use verbatim_adapters::power_cut::{PowerCut, PowerCutDisk};

/// Rows that every transaction writes.
const PARTS: i64 = 3;

/// How SQLite is told to write.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub journal: &'static str,
    pub synchronous: &'static str,
}

/// Opens a connection on `disk`.
pub fn connect(disk: &PowerCutDisk, path: &Path) -> Result<Connection> {
    Connection::open_with_flags_and_vfs(path, OpenFlags::default(), disk.name().as_str())
}

/// Opens a ledger. Its cache and WAL are small, so that it also spills and checkpoints.
pub fn open(disk: &PowerCutDisk, path: &Path, setting: Setting) -> Result<Connection> {
    let connection = connect(disk, path)?;
    connection.pragma_update(None, "journal_mode", setting.journal)?;
    connection.pragma_update(None, "synchronous", setting.synchronous)?;
    connection.pragma_update(None, "cache_size", 4)?;
    connection.pragma_update(None, "wal_autocheckpoint", 12)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS entry (number INTEGER, part INTEGER, body BLOB);
         CREATE INDEX IF NOT EXISTS entry_body ON entry (body, number);",
    )?;
    Ok(connection)
}

/// Commits transaction `number`: several rows, over several pages.
pub fn append(connection: &mut Connection, number: i64) -> Result<()> {
    let transaction = connection.transaction()?;
    for part in 0..PARTS {
        let length = usize::try_from((number * 977 + part * 3_571) % 6_000).unwrap();
        let body = vec![u8::try_from(number % 251).unwrap(); length];
        transaction
            .execute("INSERT INTO entry VALUES (?1, ?2, ?3)", params![number, part, body])?;
    }
    transaction.commit()
}

/// The numbers of the ledger's transactions, all of them whole.
///
/// # Panics
/// If the database is corrupt or holds a part of a transaction.
pub fn numbers(connection: &Connection) -> Vec<i64> {
    let verdict: String =
        connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    if !connection.table_exists(None, "entry").unwrap() {
        return Vec::new();
    }
    let mut statement = connection
        .prepare("SELECT number, count(*), sum(part) FROM entry GROUP BY number ORDER BY number")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
        .unwrap();
    rows.map(|row| {
        let (number, parts, sum) = row.unwrap();
        assert_eq!((parts, sum), (PARTS, 3), "transaction {number} is not whole");
        number
    })
    .collect()
}

/// The number of the last transaction, before which none is missing; 0 if there is no database.
pub fn head(path: &Path) -> i64 {
    if !path.exists() {
        return 0;
    }
    let disk = PowerCutDisk::new();
    let connection = connect(&disk, path).unwrap();
    let numbers = numbers(&connection);
    let head = numbers.last().copied().unwrap_or(0);
    assert!(numbers.iter().copied().eq(1..=head), "a transaction is missing: {numbers:?}");
    head
}

/// What [`head`] would be after a power cut now.
pub fn head_after(disk: &PowerCutDisk, mode: PowerCut, path: &Path) -> i64 {
    let folder = TempDir::new().unwrap();
    disk.rehearse(mode, path.parent().unwrap(), folder.path()).unwrap();
    head(&folder.path().join(path.file_name().unwrap()))
}

/// Tries a power cut after each of 20 commits: one that forgets everything and ten by chance.
/// Returns by how many acknowledged commits the worst one fell back.
pub fn worst_loss(setting: Setting) -> i64 {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let disk = PowerCutDisk::new();
    let mut connection = open(&disk, &path, setting).unwrap();
    let mut worst = 0;
    for number in 1..=20 {
        append(&mut connection, number).unwrap();
        let seeds = u64::try_from(number).unwrap() * 10..;
        let modes = seeds.take(10).map(PowerCut::Random);
        for mode in modes.chain([PowerCut::ForgetAll]) {
            worst = worst.max(number - head_after(&disk, mode, &path));
        }
        assert_eq!(head_after(&disk, PowerCut::KeepAll, &path), number);
    }
    worst
}

/// Cuts the power after every single write, truncation, sync and deletion of a run, by chance, and
/// checks that what was acknowledged is there and that the ledger goes on from it.
pub fn survives_a_cut_at_every_step(setting: Setting) {
    for step in 0.. {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        let disk = PowerCutDisk::new();
        disk.freeze_after(step);
        let acknowledged = run(&disk, &path, setting).unwrap_or_else(|acknowledged| acknowledged);
        let frozen = disk.is_frozen();
        for seed in 1..=2 {
            let head = head_after(&disk, PowerCut::Random(seed << 32 | step), &path);
            assert!((acknowledged..=acknowledged + 1).contains(&head), "step {step}, seed {seed}");
        }
        disk.power_cut(PowerCut::Random(step)).unwrap();

        let mut connection = open(&disk, &path, setting).unwrap();
        let next = numbers(&connection).last().copied().unwrap_or(0) + 1;
        assert!(
            (acknowledged + 1..=acknowledged + 2).contains(&next),
            "step {step}: {acknowledged} was acknowledged, then came {next}"
        );
        append(&mut connection, next).unwrap();
        drop(connection);
        assert_eq!(head(&path), next, "step {step}");
        if !frozen {
            assert!(step > 50, "the run has only {step} steps");
            return;
        }
    }
}

/// Appends until the power is off; either way returns the last number that was acknowledged.
fn run(disk: &PowerCutDisk, path: &Path, setting: Setting) -> Result<i64, i64> {
    let mut connection = open(disk, path, setting).map_err(|_| 0)?;
    for number in 1..=6 {
        append(&mut connection, number).map_err(|_| number - 1)?;
    }
    Ok(6)
}
