//! The endpoints, one a file.

pub(crate) mod get_conversation;
pub(crate) mod get_presence;
pub(crate) mod get_unread;
pub(crate) mod list_conversations;
pub(crate) mod list_entries;
pub(crate) mod list_members;
pub(crate) mod list_messages;
pub(crate) mod list_receipts;
