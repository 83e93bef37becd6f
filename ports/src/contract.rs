//! The contract suites: what every adapter of a port has to pass, unchanged.

pub mod breach;
pub mod clock;
pub mod conversations;
pub mod driver;
pub mod history;
pub mod inbox;
pub mod log;
pub mod presence;
pub mod story;
pub mod tickets;
