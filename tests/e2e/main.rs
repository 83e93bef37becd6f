//! End to end, over real sockets against the real binary.

mod chat;
mod crash_points;
mod plug_pulled;
mod rebuild;
mod replay;
mod split_streams;
mod tour;
