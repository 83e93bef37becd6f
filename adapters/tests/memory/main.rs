//! Clock, inbox, presence and tickets: the contracts, and that they refuse stores that are broken.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod clock;
mod inbox;
mod presence;
mod tickets;
