//! Drives the real `verbatim` binary over real sockets.
//!
//! [`server`] starts, kills and restarts it; [`rest`] and [`socket`] are clients that know api.md and
//! nothing of the implementation. A [`crowd`] of [`chatter`]s with their [`copy`] of what they saw keeps it
//! busy; [`record`] takes down what they did and saw, and [`checker`] says which promise it breaks.

pub mod chatter;
pub mod checker;
pub mod copy;
pub mod crowd;
pub mod dice;
pub mod metrics;
pub mod operator;
pub mod record;
pub mod rest;
pub mod schema;
pub mod server;
pub mod socket;
pub mod wire;

pub use rest::{Answer, Client};
pub use server::Server;
pub use socket::Socket;

use uuid::Uuid;

/// A new id, as a client makes it.
#[expect(clippy::disallowed_methods, reason = "a client's ids come from its own clock")]
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}
