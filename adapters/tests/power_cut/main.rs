//! The simulated disk keeps what was synced, loses what was not, and so tells a durable setting of
//! SQLite from one that only looks durable.

#![expect(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod concurrency;
mod faults;
mod journal;
mod ledger;
mod names;
mod wal;
