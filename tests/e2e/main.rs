//! End to end, over real sockets against the real binary.

mod chat;
mod crash_points;
mod plug_pulled;
mod split_streams;
