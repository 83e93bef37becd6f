//! The published language of Verbatim: ids, events, rulings, commands, frames and error codes.
//!
//! Data only: this crate validates shapes and bounds, and decides nothing. A published version of an
//! event or a ruling never changes (golden files in `golden/` enforce it); a change is a new version
//! beside the old one.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`] | user, device, conversation and command ids |
//! | [`number`], [`time`] | [`Seq`], [`Rev`], [`Src`], [`Timestamp`] |
//! | [`content`] | bounded text, names and metadata |
//! | [`event`] | what was proposed: the records of `chat.events` |
//! | [`ruling`] | what counts: the records of `chat.timeline` |
//! | [`entry`] | one change of a conversation, as history and sockets show it |
//! | [`rest`] | bodies of the REST interface |
//! | [`frames`] | frames of the WebSocket |
//! | [`error`], [`close`] | the tables of error codes and of close codes |
//! | [`routes`] | the one table of REST routes |
//! | [`documents`] | OpenAPI, AsyncAPI, JSON Schemas and a page, made from all of these |
//! | [`strict`] | JSON parsing that refuses what api.md says is refused |

pub mod bounds;
pub mod close;
pub mod content;
pub mod documents;
pub mod entry;
pub mod error;
pub mod event;
pub mod frames;
#[cfg(test)]
mod golden;
pub mod hex;
pub mod ids;
pub mod number;
pub mod rest;
pub mod routes;
pub mod ruling;
pub mod strict;
pub mod time;

pub use content::{Metadata, Name, Text};
pub use entry::{Entry, EntryBody};
pub use error::{Code, Problem, Retry};
pub use event::{Event, EventBody};
pub use hex::{Chain, Digest, Salt};
pub use ids::{CommandId, ConversationId, DeviceId, UserId};
pub use number::{Rev, Seq, Src};
pub use rest::{Kind, Posting, Role, Visibility};
pub use ruling::{Outcome, Ruling};
pub use time::Timestamp;
