//! End to end, over real sockets against the real binary.
//!
//! Run with `TEST_VERBATIM_FAULTS=split,double,delay`, every server that a test starts hands batches out
//! split, doubled and late, and every test holds as ever; `make test` runs the suite both ways.

#![allow(clippy::large_futures, reason = "a test's future is made once")]

mod agreement;
mod bad_input;
mod chat;
mod crash_points;
mod damaged;
mod documents;
mod failing_store;
mod fan_out;
mod full_disk;
mod operating;
mod paused;
mod plug_pulled;
mod power_cut;
mod rebuild;
mod recomputed;
mod reconnects;
mod replay;
mod resume;
mod slow_reader;
mod tour;
mod two_sided;
mod visibility;
