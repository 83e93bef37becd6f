//! The embedded history: the contract, and that the contract refuses histories that are broken.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod broken;
mod contract;
mod support;
mod versions;
