//! The ports on SQLite and memory: one process, one data folder, no server to install.
//!
//! | module | what it holds |
//! |---|---|
//! | [`clock`] | the time of day, and randomness |
//! | [`folder`] | the data folder: one process writes, nobody else |
//! | [`history`] | messages, entries, memberships and watermarks |
//! | [`log`] | the two streams |
//! | [`sqlite`] | databases: opening, migrations, one writing thread, a few reading ones |

pub mod clock;
pub mod folder;
pub mod history;
pub mod log;
mod progress;
pub mod sqlite;
