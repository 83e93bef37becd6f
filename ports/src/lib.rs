//! The ports: what the services need from the world, and what they may rely on.
//!
//! The comments state guarantees, not mechanics. Each port that the back ends keep has a contract suite
//! (feature `contract`) that every adapter passes, so that two back ends are one behaviour. ([`Commands`] and
//! [`Authenticator`] are no adapters' matter: there is one of each, with its own tests.)
//!
//! [`Commands`]: commands::Commands
//! [`Authenticator`]: auth::Authenticator
//!
//! | port | who needs it |
//! |---|---|
//! | [`EventLog`](log::EventLog) | everybody: the two streams |
//! | [`ConversationStore`](conversations::ConversationStore) | the timeline projector's state |
//! | [`HistoryStore`](history::HistoryStore) | the history projector writes, reads are served from it |
//! | [`InboxCache`](inbox::InboxCache) | heads and unread counts, served from memory |
//! | [`PresenceStore`](presence::PresenceStore) | who is online, and when somebody was last |
//! | [`Commands`](commands::Commands) | how the gateway reaches the command handler |
//! | [`Authenticator`](auth::Authenticator), [`Tickets`](auth::Tickets) | who is asking |
//! | [`Clock`](clock::Clock), [`Entropy`](clock::Entropy) | time and randomness |
//!
//! [`follow`] is the consumer's side of `chat.timeline`, shared by all who read it.

pub mod auth;
pub mod clock;
pub mod commands;
pub mod conversations;
pub mod digest;
pub mod error;
pub mod follow;
pub mod history;
pub mod inbox;
pub mod log;
pub mod presence;
pub mod reading;
pub mod rows;
pub mod source;

#[cfg(feature = "contract")]
pub mod contract;

pub use error::StoreError;
