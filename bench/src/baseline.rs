//! What the same work costs without a chat system around it.

use std::{
    fs::File,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use anyhow::Result;
use rusqlite::{Connection, params};

/// Bytes of a message in every measure.
pub const TEXT_BYTES: usize = 200;

/// An append of one message's bytes with fdatasync, then a TCP echo of them, at an even rate; the
/// times in milliseconds, each from when it was to begin.
pub fn append_and_echo(rate: u32, seconds: u64) -> Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let mut file = File::create(folder.path().join("log"))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    let (mut server, _) = listener.accept()?;
    server.set_nodelay(true)?;
    let echo = std::thread::spawn(move || {
        let mut bytes = [0; TEXT_BYTES];
        while server.read_exact(&mut bytes).is_ok() && server.write_all(&bytes).is_ok() {}
    });
    let mut times = Vec::new();
    let mut bytes = [b'x'; TEXT_BYTES];
    let begin = now();
    for n in 0..rate * u32::try_from(seconds)? {
        let due = begin + Duration::from_secs(1) / rate * n;
        std::thread::sleep(due.saturating_duration_since(now()));
        file.write_all(&bytes)?;
        file.sync_data()?;
        client.write_all(&bytes)?;
        client.read_exact(&mut bytes)?;
        times.push(now().duration_since(due).as_secs_f64() * 1_000.0);
    }
    drop(client);
    // The echo ends with its connection.
    let _ = echo.join();
    Ok(times)
}

/// Rows a second that SQLite takes in transactions of `batch` rows like a message's, in a WAL synced
/// at each commit (`FULL`) or not (`NORMAL`).
pub fn sqlite_rows(rows: usize, batch: usize, synchronous: &str) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut connection = Connection::open(folder.path().join("rows.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(
        "CREATE TABLE records (partition INTEGER, offset INTEGER, time INTEGER, key BLOB, value BLOB,
         PRIMARY KEY (partition, offset)) WITHOUT ROWID",
    )?;
    // An event of such a message has about this size on the log.
    let value = vec![b'x'; TEXT_BYTES + 300];
    let key = [b'k'; 36];
    let begin = now();
    let mut offset = 0i64;
    while usize::try_from(offset)? < rows {
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for _ in 0..batch {
                insert.execute(params![offset % 8, offset / 8, offset, key, value])?;
                offset += 1;
            }
        }
        transaction.commit()?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of rows, for a rate")]
    Ok(offset as f64 / now().duration_since(begin).as_secs_f64())
}

/// The time, for measuring.
#[expect(clippy::disallowed_methods, reason = "measuring is what this program is for")]
pub fn now() -> Instant {
    Instant::now()
}
