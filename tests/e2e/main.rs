//! End to end, over real sockets against the real binary.

mod chat;
mod plug_pulled;
