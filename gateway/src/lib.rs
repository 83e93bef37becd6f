//! The gateway: WebSocket sessions, subscriptions, fan-out and presence leases (api.md section 4).
//!
//! | module | what it holds |
//! |---|---|
//! | [`codec`] | frames on the wire (RFC 6455) |
//! | `handshake`, `tickets` | the two routes |
//! | `session` | one socket: its task, its backlog, what a client sends |
//! | `connect`, `behind` | `hello`: heads, and live from exactly there; partitions that lag |
//! | `hub` | which sockets belong to what, and the fan-out of rulings |
//! | `follow` | the follower of `chat.timeline` |
//! | `presence` | who is online, and who is told |
//! | `wheel`, `time` | timers of all sockets |
//!
//! What must hold: after the head of a conversation that a socket was sent, each entry comes to it
//! once and in order; nothing comes after `left`; a frame for one user reaches no other; whatever
//! waits is bounded ([`GatewayConfig`]). Ephemeral frames (typing, presence) reach the sockets of
//! this node; presence comes from the store, so from all nodes.

mod behind;
pub mod codec;
mod config;
mod connect;
mod encode;
mod follow;
mod gateway;
mod handshake;
mod hub;
mod presence;
mod session;
mod shared;
mod slab;
mod telemetry;
#[cfg(test)]
mod testing;
mod tickets;
mod time;
mod wheel;

pub use config::GatewayConfig;
pub use gateway::{Gateway, GatewayStatus};
pub use shared::GatewayDeps;
