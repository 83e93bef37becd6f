//! Bounds, panics and errors of the threads on a database.

use std::{sync::mpsc, time::Duration};

use futures_util::FutureExt;
use tempfile::TempDir;
use verbatim_ports::StoreError;

use super::{Database, Readers, Schema, Synchronous, Writer};
use crate::embedded::folder::DataFolder;

const SCHEMA: Schema =
    Schema { name: "numbers", steps: &["CREATE TABLE number (n INTEGER PRIMARY KEY)"] };

fn database() -> (TempDir, Database) {
    let place = TempDir::new().unwrap();
    let folder = DataFolder::lock(&place.path().join("made/as/needed")).unwrap();
    let database = folder.database("numbers", Synchronous::Normal, SCHEMA);
    (place, database)
}

async fn numbers(readers: &Readers) -> Vec<u64> {
    let read = |connection: &rusqlite::Connection| {
        let mut statement = connection.prepare("SELECT n FROM number ORDER BY n")?;
        let numbers = statement.query_map([], |row| row.get(0))?;
        Ok(numbers.collect::<Result<_, _>>()?)
    };
    readers.read(read).await.unwrap()
}

fn insert(writer: &Writer, number: u64) -> impl Future<Output = Result<(), StoreError>> + use<> {
    writer.transact(move |tx| {
        tx.execute("INSERT INTO number VALUES (?1)", [number])?;
        Ok(())
    })
}

#[tokio::test]
async fn calls_are_done_in_order_whether_or_not_anybody_waits() {
    let (_place, database) = database();
    let writer = Writer::open(&database).unwrap();
    drop(insert(&writer, 1));
    let two = insert(&writer, 2);
    let three = writer.transact(|tx| {
        Ok(tx.query_row("SELECT max(n) FROM number", [], |row| row.get::<_, u64>(0))?)
    });
    assert_eq!(three.await.unwrap(), 2);
    two.await.unwrap();
    drop(insert(&writer, 3));
    drop(writer);
    let readers = Readers::open(&database, 1).unwrap();
    assert_eq!(numbers(&readers).await, [1, 2, 3], "dropping the writer did what was queued");
}

#[tokio::test]
async fn a_job_that_fails_or_panics_is_rolled_back_and_the_thread_goes_on() {
    let (_place, database) = database();
    let writer = Writer::open(&database).unwrap();
    let readers = Readers::open(&database, 1).unwrap();
    let failing = writer.transact(|tx| {
        tx.execute("INSERT INTO number VALUES (1)", [])?;
        Err::<(), _>(StoreError::Fenced.into())
    });
    assert!(matches!(failing.await, Err(StoreError::Fenced)));
    let panicking = writer.transact(|tx| -> super::Outcome<()> {
        tx.execute("INSERT INTO number VALUES (2)", [])?;
        panic!("a job's own fault");
    });
    assert!(matches!(panicking.await, Err(StoreError::Corrupt(_))));
    let open = writer
        .call(|connection| Ok(connection.execute_batch("BEGIN; INSERT INTO number VALUES (3)")?));
    open.await.unwrap();
    insert(&writer, 4).await.unwrap();
    assert!(matches!(insert(&writer, 4).await, Err(StoreError::Corrupt(_))), "it is there already");
    assert_eq!(numbers(&readers).await, [4]);
    let panicking = readers.read(|_| -> super::Outcome<()> { panic!("a job's own fault") });
    assert!(matches!(panicking.await, Err(StoreError::Corrupt(_))));
    assert_eq!(numbers(&readers).await, [4]);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let (_place, database) = database();
    let writer = Writer::open(&database).unwrap();
    let (let_go, held) = mpsc::channel::<()>();
    let (started, running) = mpsc::channel();
    let first = writer.call(move |_| {
        let _ = started.send(());
        Ok(held.recv().is_err())
    });
    running.recv().unwrap();
    let mut queued = Vec::new();
    let refused = loop {
        let mut insert = insert(&writer, queued.len() as u64).boxed();
        match (&mut insert).now_or_never() {
            None => queued.push(insert),
            Some(answer) => break answer,
        }
    };
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(queued.len(), 1_024);
    drop(let_go);
    assert!(first.await.unwrap());
    for insert in queued {
        insert.await.unwrap();
    }
}

#[tokio::test]
async fn a_read_is_of_one_moment_and_writes_nothing() {
    let (_place, database) = database();
    let writer = Writer::open(&database).unwrap();
    let readers = Readers::open(&database, 2).unwrap();
    let (let_go, held) = mpsc::channel::<()>();
    let (started, running) = mpsc::channel();
    let read = readers.read(move |connection| {
        let count =
            || connection.query_row("SELECT count(*) FROM number", [], |row| row.get::<_, u64>(0));
        let before = count()?;
        let _ = started.send(());
        let _ = held.recv();
        Ok((before, count()?))
    });
    running.recv().unwrap();
    insert(&writer, 1).await.unwrap();
    drop(let_go);
    assert_eq!(read.await.unwrap(), (0, 0));
    let write =
        readers.read(|connection| Ok(connection.execute("INSERT INTO number VALUES (9)", [])?));
    assert!(write.await.is_err());
    assert_eq!(numbers(&readers).await, [1]);
}

#[tokio::test]
async fn a_read_beyond_its_limit_is_ended_and_the_next_one_is_not() {
    let (_place, database) = database();
    let writer = Writer::open(&database).unwrap();
    insert(&writer, 1).await.unwrap();
    let readers = Readers::open(&database, 1).unwrap().with_limit(Duration::ZERO);
    let endless = readers.read(|connection| {
        let sql =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        Ok(connection.query_row(sql, [], |row| row.get::<_, u64>(0))?)
    });
    let ended = endless.await.unwrap_err();
    assert!(
        matches!(&ended, StoreError::Unavailable(text) if text.contains("too long")),
        "{ended}"
    );
    assert_eq!(numbers(&readers).await, [1]);
}

#[test]
fn a_file_that_is_no_database_is_corrupt_and_a_missing_one_unavailable() {
    let (_place, database) = database();
    assert!(matches!(database.reader(), Err(StoreError::Unavailable(_))));
    std::fs::write(&database.path, "not a database, though long enough to be one".repeat(100))
        .unwrap();
    let refused = database.writer().map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
    assert!(refused.to_string().contains("numbers.db"), "{refused}");
}
