//! The command API over a log in memory and the real rule.

#![expect(clippy::unwrap_used, reason = "a test that finds the unexpected fails")]

mod create_conversation;
mod every_route;
mod open_direct;
mod order;
mod properties;
mod put_member;
mod put_receipts;
mod rates;
mod remove_member;
mod rulings;
mod send_message;
mod stale;
mod support;
