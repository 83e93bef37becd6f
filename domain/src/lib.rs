//! The rule. Pure: no clock, no randomness, no I/O, no async, and no iteration over hash maps.
//!
//! [`decide()`] rules on one proposed event given its conversation's state;
//! [`apply()`] folds a ruling into that state. Folding `chat.timeline` with `apply` gives
//! the state again, so the timeline is the authority.
//!
//! | module | what it holds |
//! |---|---|
//! | [`proposal`] | a record of `chat.events`, read or found unreadable |
//! | [`state`] | one conversation's own state, as rows; which of them a record needs |
//! | [`mod@decide`], [`mod@apply`] | the rule |
//! | [`chain`] | the hash that ties entries together |
//! | [`access`] | who may read what: the [`Grant`] |
//! | [`watermark`] | how a consumer of the timeline drops repeats and finds gaps |
//! | [`position`] | tokens for read-your-writes |
//! | [`partition`] | which partition a conversation belongs to |

pub mod access;
pub mod apply;
pub mod chain;
pub mod decide;
pub mod partition;
pub mod position;
pub mod proposal;
pub mod source;
pub mod state;
pub mod watermark;

pub use access::{Grant, authorize};
pub use apply::apply;
pub use decide::decide;
pub use position::Position;
pub use proposal::Proposal;
pub use source::is_of;
pub use state::ConversationState;

/// The version of the rule in this crate.
pub const RULE_V: u32 = 1;
