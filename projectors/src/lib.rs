//! The projectors: they rule on what was proposed, and make the read models from the rulings.
//!
//! One [`runner`] runs them all, each per owned partition: it retries, stops, pauses, and says
//! how far each has come. Each can run alone, in a process of its own.
//!
//! | module | what it holds |
//! |---|---|
//! | [`timeline`] | `chat.events` -> decide, apply -> `chat.timeline`; its state in a `ConversationStore` |
//! | [`history`] | `chat.timeline` -> history, and its rebuild beside the live version |
//! | [`inbox`] | `chat.timeline` -> heads and unread counts, warmed from history |
//! | [`runner`] | what they share: [`Projection`](runner::Projection), ownership, retries, status |
//! | [`readiness`] | what keeps a node from being ready; which partitions are behind |
//!
//! A server wires them so:
//!
//! ```text
//! let handle = Projectors::new(log, clock, shutdown)
//!     .timeline(conversations)
//!     .history(history_writer.clone())
//!     .inbox(inbox_cache, history_store, history_writer)
//!     .start();
//! let unready = readiness::unready(&handle.status(), clock.now());
//! handle.pause("history").await?;
//! handle.resume("history")?;
//! let rebuild = handle.rebuild_history()?;   // rebuild.progress: a watch; rebuild.outcome().await
//! handle.stop().await;
//! ```
//!
//! Ending a process at any moment breaks nothing: whatever was not finished is done again from the
//! checkpoint, with the same result.

mod handle;
pub mod history;
pub mod inbox;
pub mod readiness;
pub mod runner;
pub mod timeline;

pub use handle::{Handle, PauseError, Projectors};
