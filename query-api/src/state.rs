//! What the handlers need.

use std::sync::Arc;

use axum::extract::FromRef;
use verbatim_ports::{
    auth::Authenticator, clock::Clock, history::HistoryStore, inbox::InboxCache, log::Layout,
    presence::PresenceStore,
};
use verbatim_schemas::bounds;

use crate::room::AnswerRoom;

/// The ports that the service reads from.
#[derive(Clone)]
pub struct Deps {
    /// Conversations and their content.
    pub history: Arc<dyn HistoryStore>,
    /// Unread totals.
    pub inbox: Arc<dyn InboxCache>,
    /// Who is online.
    pub presence: Arc<dyn PresenceStore>,
    /// Verifies tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// Which leases of presence hold.
    pub clock: Arc<dyn Clock>,
    /// The log's layout: positions of another are refused.
    pub layout: Layout,
}

/// What an operator can set.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Most bytes of JSON in one page of entries, messages or conversations; one is given however
    /// large it is.
    pub page_bytes: usize,
    /// Bytes of pages that a user was sent and has not read. Beyond: `rate_limited`.
    pub unread_bytes_of_user: usize,
    /// Bytes of all of them. Beyond: `unavailable`.
    pub unread_bytes: usize,
    /// Up to how many members receipts of others are shown; the rule's own 256 caps it.
    pub receipts_public_members: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            page_bytes: 1024 * 1024,
            unread_bytes_of_user: 4 * 1024 * 1024,
            unread_bytes: 256 * 1024 * 1024,
            receipts_public_members: bounds::RECEIPTS_PUBLIC_MEMBERS,
        }
    }
}

/// The handlers' state.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) deps: Deps,
    pub(crate) config: Config,
    pub(crate) room: Arc<AnswerRoom>,
}

impl FromRef<State> for Arc<dyn Authenticator> {
    fn from_ref(state: &State) -> Self {
        Arc::clone(&state.deps.authenticator)
    }
}

impl FromRef<State> for Layout {
    fn from_ref(state: &State) -> Self {
        state.deps.layout
    }
}
