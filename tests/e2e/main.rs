//! End to end, over real sockets against the real binary.

#![allow(clippy::large_futures, reason = "a test's future is made once")]

mod agreement;
mod bad_input;
mod chat;
mod crash_points;
mod documents;
mod fan_out;
mod full_disk;
mod operating;
mod paused;
mod plug_pulled;
mod power_cut;
mod rebuild;
mod recomputed;
mod replay;
mod resume;
mod slow_reader;
mod split_streams;
mod tour;
mod visibility;
