//! The ports on SQLite and memory: one process, one data folder, no server to install.
//!
//! | module | what it holds |
//! |---|---|
//! | [`clock`] | the time of day, and randomness |
//! | [`conversations`] | the timeline projector's state |
//! | [`folder`] | the data folder: one process writes, nobody else |
//! | [`history`] | messages, entries, memberships and watermarks |
//! | [`inbox`] | heads and unread counts, in memory |
//! | [`log`] | the two streams |
//! | [`presence`] | who is online, and when somebody last was |
//! | [`sqlite`] | databases: opening, migrations, one writing thread, a few reading ones |
//! | [`tickets`] | tickets that open sockets |

pub mod clock;
pub mod conversations;
pub mod folder;
pub mod history;
pub mod inbox;
pub mod log;
pub mod presence;
mod progress;
pub mod sqlite;
pub mod tickets;
