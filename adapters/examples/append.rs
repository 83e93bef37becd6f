//! Durable appends per second through the log, beside a bare SQLite batch insert of the same rows
//! with the same syncs, by turns: `cargo run --release -p verbatim-adapters --example append`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people to read")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use rusqlite::{Connection, params};
use verbatim_adapters::embedded::{
    clock::SystemClock,
    folder::DataFolder,
    log::{EmbeddedLog, LogSettings},
};
use verbatim_ports::{
    clock::Clock,
    log::{EventLog, NewRecord, Stream},
};

const CALLERS: u64 = 50;
const WINDOW: usize = 16;
/// An event with a message of 200 bytes.
const VALUE: usize = 450;
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        bare.push(bare_inserts());
        ours.push(runtime.block_on(appends()));
        println!("round {round}: bare {:.0}/s, log {:.0}/s", bare[round - 1], ours[round - 1]);
    }
    ours.sort_by(f64::total_cmp);
    bare.sort_by(f64::total_cmp);
    let (ours, bare) = (ours[ROUNDS / 2], bare[ROUNDS / 2]);
    println!(
        "{CALLERS} callers, window {WINDOW}, {VALUE} bytes: median log {ours:.0}/s, bare {bare:.0}/s, ratio {:.2}",
        ours / bare
    );
}

/// Rows per second of one connection that inserts as many rows a transaction as all callers together
/// have under way.
fn bare_inserts() -> f64 {
    let folder = tempfile::TempDir::new_in(".").unwrap();
    let mut connection = Connection::open(folder.path().join("bare.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = wal; PRAGMA synchronous = full;
             CREATE TABLE record (offset INTEGER PRIMARY KEY, time INTEGER, key BLOB, value BLOB)",
        )
        .unwrap();
    let (key, value) = ([b'k'; 36], [b'v'; VALUE]);
    let (start, mut rows) = (Instant::now(), 0_u64);
    while start.elapsed() < TIME {
        let transaction = connection.transaction().unwrap();
        let mut insert = transaction
            .prepare_cached("INSERT INTO record (time, key, value) VALUES (?1, ?2, ?3)")
            .unwrap();
        for _ in 0..CALLERS * WINDOW as u64 {
            insert.execute(params![1_750_000_000_000_u64, key, value]).unwrap();
            rows += 1;
        }
        drop(insert);
        transaction.commit().unwrap();
    }
    rows as f64 / start.elapsed().as_secs_f64()
}

async fn appends() -> f64 {
    let folder = tempfile::TempDir::new_in(".").unwrap();
    let folder = Arc::new(DataFolder::lock(folder.path()).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = EmbeddedLog::open(&folder, LogSettings::default(), &clock).unwrap();
    let log = Arc::new(log);
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| tokio::spawn(append_for_a_while(log.clone(), caller, start)))
        .collect();
    let mut appended = 0;
    for caller in callers {
        appended += caller.await.unwrap();
    }
    appended as f64 / start.elapsed().as_secs_f64()
}

async fn append_for_a_while(log: Arc<EmbeddedLog>, caller: u64, start: Instant) -> u64 {
    let partition = u32::try_from(caller % u64::from(log.layout().partitions)).unwrap();
    let (key, value) = (Bytes::from(vec![b'k'; 36]), Bytes::from(vec![b'v'; VALUE]));
    let append = || {
        let record = NewRecord { partition, key: key.clone(), value: value.clone() };
        log.append(Stream::Events, vec![record])
    };
    let mut under_way: FuturesUnordered<_> = (0..WINDOW).map(|_| append()).collect();
    let mut appended = 0;
    while let Some(place) = under_way.next().await {
        place.unwrap();
        appended += 1;
        if start.elapsed() < TIME {
            under_way.push(append());
        }
    }
    appended
}
