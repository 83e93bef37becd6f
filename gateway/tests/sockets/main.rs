//! The gateway over real sockets, with ports in memory.

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
