//! The gateway over real sockets, with ports in memory.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::large_futures, reason = "the client's handshake; a test has few of them")]

#[path = "../support/mod.rs"]
mod support;

mod channels;
mod closing;
mod connecting;
mod drain;
mod handshake;
mod membership;
mod presence;
mod receipts;
mod sending;
mod slow;
