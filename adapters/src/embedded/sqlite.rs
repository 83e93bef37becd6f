//! Databases: opening them, and the threads that may wait for a disk.
//!
//! A file is written by one thread ([`Writer`]) and read by a few ([`Readers`]), each with a
//! connection of its own and a bounded queue before it: SQLite blocks, so it stays off the async
//! threads. In WAL mode neither waits for the other. Readers are dropped before the writer: the last
//! connection to close clears the WAL away, which one that only reads can't.
//!
//! ```no_run
//! # async fn example(folder: &verbatim_adapters::embedded::folder::DataFolder) -> Result<(), verbatim_ports::StoreError> {
//! use verbatim_adapters::embedded::sqlite::{Readers, Schema, Synchronous, Writer};
//! const SCHEMA: Schema = Schema { name: "notes", steps: &["CREATE TABLE note (text TEXT)"] };
//! let database = folder.database("notes", Synchronous::Normal, SCHEMA);
//! let writer = Writer::open(&database)?; // the writer first: it makes the file
//! let readers = Readers::open(&database, 2)?;
//! writer.transact(|tx| Ok(tx.execute("INSERT INTO note VALUES ('hello')", [])?)).await?;
//! let count: u64 = readers
//!     .read(|tx| Ok(tx.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?))
//!     .await?;
//! # Ok(()) }
//! ```

mod crew;
mod failure;
mod open;
mod readers;
#[cfg(test)]
mod tests;
mod writer;

pub use failure::{Failure, Outcome};
pub use open::{Database, Schema, Synchronous};
pub use readers::{READ_LIMIT, Readers};
pub use writer::Writer;
