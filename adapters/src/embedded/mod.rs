//! The ports on SQLite and memory: one process, one data folder, no server to install.
//!
//! | module | what it holds |
//! |---|---|
//! | [`folder`] | the data folder: one process writes, nobody else |
//! | [`log`] | the two streams |
//! | [`sqlite`] | databases: opening, migrations, one writing thread, a few reading ones |

pub mod folder;
pub mod log;
pub mod sqlite;
