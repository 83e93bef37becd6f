//! How a stream lies in its file: one table a partition, so that every append goes to the end of a
//! tree, where SQLite fills pages instead of splitting them.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, Statement, TransactionBehavior, params};
use verbatim_ports::{
    StoreError,
    log::{BATCH_BYTES, BATCH_RECORDS, Layout, Record, Stream},
};
use verbatim_schemas::Timestamp;

use crate::embedded::{
    folder::DataFolder,
    sqlite::{Database, Outcome, Schema, Synchronous},
};

const LAYOUT: &[&str] =
    &["CREATE TABLE layout (generation INTEGER NOT NULL, partitions INTEGER NOT NULL)"];

/// The file of a stream.
pub(super) fn database(folder: &DataFolder, stream: Stream) -> Database {
    folder.database(stream.name(), synchronous(stream), schema(stream))
}

pub(super) fn schema(stream: Stream) -> Schema {
    Schema { name: stream.name(), steps: LAYOUT }
}

pub(super) fn synchronous(stream: Stream) -> Synchronous {
    match stream {
        Stream::Events => Synchronous::Full,
        Stream::Timeline => Synchronous::Normal,
    }
}

/// The control record; a new file gets `wanted` and its tables.
pub(super) fn claim(
    connection: &mut Connection,
    stream: Stream,
    wanted: Layout,
) -> Outcome<Layout> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(found) = layout(&transaction)? {
        if found.partitions == wanted.partitions {
            return Ok(found);
        }
        // Nothing is damaged: a setting is.
        return Err(StoreError::Unavailable(format!(
            "{} has {} partitions and the settings say {}: a log keeps its number of partitions, so set \
             partitions to it",
            stream.name(),
            found.partitions,
            wanted.partitions
        ))
        .into());
    }
    transaction.execute(
        "INSERT INTO layout VALUES (?1, ?2)",
        params![wanted.generation, wanted.partitions],
    )?;
    for partition in 0..wanted.partitions {
        transaction.execute_batch(&format!(
            "CREATE TABLE records_{partition} (
                offset INTEGER PRIMARY KEY, time INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL
            )"
        ))?;
    }
    transaction.commit()?;
    Ok(wanted)
}

/// Changes nothing, and has the transaction write to the disk all the same: SQLite does not write a
/// page again to which the same was written, but this one it does.
pub(super) fn touch(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO layout VALUES (0, 0); DELETE FROM layout WHERE partitions = 0";
    connection.execute_batch(sql)
}

/// The control record.
pub(super) fn layout(connection: &Connection) -> rusqlite::Result<Option<Layout>> {
    connection
        .query_row("SELECT generation, partitions FROM layout", [], |row| {
            Ok(Layout { generation: row.get(0)?, partitions: row.get(1)? })
        })
        .optional()
}

/// Where a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// The offset of the next record.
    pub(super) next: u64,
    /// The time of the last one; the next one's is not before it.
    pub(super) time: Timestamp,
}

/// Where a partition goes on.
pub(super) fn head(connection: &Connection, partition: u32) -> rusqlite::Result<Head> {
    let last = connection
        .prepare_cached(&format!(
            "SELECT offset, time FROM records_{partition} ORDER BY offset DESC LIMIT 1"
        ))?
        .query_row([], |row| Ok((row.get::<_, u64>(0)?, row.get(1)?)))
        .optional()?;
    Ok(last.map_or(Head::default(), |(offset, time)| Head {
        next: offset + 1,
        time: Timestamp::from_millis(time),
    }))
}

/// Reads a batch of records from `from` on, below `end`.
///
/// # Errors
/// [`StoreError::Corrupt`] when a record is missing.
pub(super) fn read(
    connection: &Connection,
    partition: u32,
    from: u64,
    end: u64,
) -> Outcome<Vec<Record>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT offset, time, key, value FROM records_{partition}
         WHERE offset >= ?1 AND offset < ?2 ORDER BY offset"
    ))?;
    let mut rows = statement.query(params![from, end])?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    let mut next = from;
    while records.len() < BATCH_RECORDS
        && let Some(row) = rows.next()?
    {
        let size = blob(row, 2)?.len() + blob(row, 3)?.len();
        if bytes + size > BATCH_BYTES && !records.is_empty() {
            return Ok(records);
        }
        let record = record(row)?;
        if record.offset != next {
            return Err(missing(partition, next).into());
        }
        (next, bytes) = (next + 1, bytes + size);
        records.push(record);
    }
    if records.is_empty() && from < end {
        return Err(missing(partition, from).into());
    }
    Ok(records)
}

fn missing(partition: u32, offset: u64) -> StoreError {
    StoreError::Corrupt(format!("record {offset} of partition {partition} is missing"))
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let (key, value) =
        (Bytes::copy_from_slice(blob(row, 2)?), Bytes::copy_from_slice(blob(row, 3)?));
    Ok(Record::new(row.get(0)?, Timestamp::from_millis(row.get(1)?), key, value))
}

fn blob<'row>(row: &'row Row<'_>, column: usize) -> rusqlite::Result<&'row [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}

/// The statements of the writer, prepared once.
pub(super) struct Statements<'connection> {
    pub(super) begin: Statement<'connection>,
    pub(super) commit: Statement<'connection>,
    /// By partition: offset, time, key, value.
    pub(super) insert: Vec<Statement<'connection>>,
}

impl<'connection> Statements<'connection> {
    pub(super) fn prepare(
        connection: &'connection Connection,
        partitions: u32,
    ) -> rusqlite::Result<Self> {
        let insert = |partition| {
            connection.prepare(&format!("INSERT INTO records_{partition} VALUES (?1, ?2, ?3, ?4)"))
        };
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            insert: (0..partitions).map(insert).collect::<Result<_, _>>()?,
        })
    }
}
