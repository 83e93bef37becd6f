//! The embedded log: the contract, and what the contract can't see.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod broken;
mod contract;
mod opening;
mod stopping;
mod support;
